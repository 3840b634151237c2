// A job that was taken and is not scheduled yet. Functions of values; thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_SERVICE_JOB_BEGINNING_H_
#define TILEWRIGHT_COORDINATOR_SERVICE_JOB_BEGINNING_H_

#include <memory>

#include "absl/status/status.h"
#include "coordinator/jobs/job_files.h"
#include "coordinator/jobs/job_record.h"
#include "coordinator/jobs/job_run.h"
#include "coordinator/jobs/resolve_job.h"
#include "coordinator/jobs/slow_work.h"
#include "coordinator/service/dispatcher.h"

namespace tilewright {

// Dropped, it leaves nothing behind but what it was to go on from.
struct JobBeginning {
  ResolvedJob job;  // its stages name it
  std::shared_ptr<JobRecord> record;
  JobRun::Options options;
  ClaimedOutput claimed;
};

// Whether Begin has images to read, or an unfinished output.
bool TakesLong(const JobBeginning& beginning);

// What the dispatcher would refuse now.
absl::Status Admit(const Dispatcher& dispatcher, const ResolvedJob& job);

// Prepares the job, opens its output and submits it. Errors as of PrepareJob, JobRun::Create and
// Dispatcher::Submit, and what the interrupt asks for: then what `beginning` holds is dropped.
absl::Status Begin(JobBeginning beginning, Dispatcher& dispatcher, const SlowWork& work);

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_SERVICE_JOB_BEGINNING_H_
