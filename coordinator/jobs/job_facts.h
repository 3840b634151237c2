// What decides the pixels of a job, in words that can be compared: whether one job may go on from
// what another one left. Thread-safe: functions.

#ifndef TILEWRIGHT_COORDINATOR_JOBS_JOB_FACTS_H_
#define TILEWRIGHT_COORDINATOR_JOBS_JOB_FACTS_H_

#include <string>

#include "coordinator/jobs/checkpoint.h"
#include "coordinator/jobs/resolve_job.h"

namespace tilewright {

// Empty if another job can go on from a checkpoint of this one; else why not, a sentence.
std::string WhyNotContinued(const ResolvedJob& job);

// Of a job for which that is empty, what is known before its images are read. An input is the file
// it was when it was opened: by inode, size and time. Its device is left out, since that number may
// be another one after a restart.
JobFacts FactsOf(const ResolvedJob& job);
// The same, and then what only a job that is prepared knows.
JobFacts AllFactsOf(const ResolvedJob& job);

// Which fact differs first, a clause for sentences ("its model is …, there it was …"); empty if all
// are equal.
std::string Difference(const JobFacts& here, const JobFacts& there);

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_JOBS_JOB_FACTS_H_
