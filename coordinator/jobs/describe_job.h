// What workers, the scheduler, the memory budget and users are told of a resolved job or stage.
// Pure functions of it; thread-safe. Each wants the fields that come before what it fills.

#ifndef TILEWRIGHT_COORDINATOR_JOBS_DESCRIBE_JOB_H_
#define TILEWRIGHT_COORDINATOR_JOBS_DESCRIBE_JOB_H_

#include <string>
#include <vector>

#include "coordinator/jobs/resolve_job.h"

namespace tilewright {

// For workers, with the digest of all that decides which bytes a result holds.
void FillStage(const ResolvedStage& stage, const v1::RenderRequest& request, v1::StageSpec* wire);
// For the scheduler.
void FillSpec(const ResolvedStage& stage, const v1::RenderRequest& request, JobSpec* spec);
// For the memory budget.
JobMemory MemoryOf(const ResolvedStage& stage);
// For users; `notes` are sentences they should know.
void FillSummary(const ResolvedJob& job, const std::vector<std::string>& notes,
                 v1::PlanSummary* summary);

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_JOBS_DESCRIBE_JOB_H_
