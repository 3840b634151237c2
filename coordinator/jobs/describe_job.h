// What workers, the scheduler, the memory budget and users are told of a resolved job. Pure
// functions of it; thread-safe. Each wants the fields of the job that come before what it fills.

#ifndef TILEWRIGHT_COORDINATOR_JOBS_DESCRIBE_JOB_H_
#define TILEWRIGHT_COORDINATOR_JOBS_DESCRIBE_JOB_H_

#include <string>
#include <vector>

#include "coordinator/jobs/resolve_job.h"

namespace tilewright {

// For workers, with the digest of all that decides which bytes a result holds.
void FillStage(const ResolvedJob& job, v1::StageSpec* stage);
// For the scheduler.
void FillSpec(const ResolvedJob& job, JobSpec* spec);
// For the memory budget.
JobMemory MemoryOf(const ResolvedJob& job);
// For users; `notes` are sentences they should know.
void FillSummary(const ResolvedJob& job, const std::vector<std::string>& notes,
                 v1::PlanSummary* summary);

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_JOBS_DESCRIBE_JOB_H_
