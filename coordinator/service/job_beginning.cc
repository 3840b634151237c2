#include "coordinator/service/job_beginning.h"

#include <utility>
#include <vector>

#include "coordinator/jobs/chosen_stages.h"
#include "coordinator/jobs/prepare_job.h"
#include "coordinator/service/inner_stages.h"
#include "proto/base/status_macros.h"

namespace tilewright {

bool TakesLong(const JobBeginning& beginning) {
  return beginning.claimed.continues || NeedsPreparation(beginning.job);
}

absl::Status Admit(const Dispatcher& dispatcher, const ResolvedJob& job) {
  std::vector<const ResolvedStage*> stages;
  for (const ResolvedStage& stage : job.before) stages.push_back(&stage);
  stages.push_back(&job);
  JobSubmitted submitted{stages.front()->spec, {}};
  JobMemory together;
  for (const ResolvedStage* stage : stages) {
    together.input += stage->memory.floor();
    if (stage != stages.front()) submitted.later_stages.push_back(stage->spec);
  }
  return dispatcher.Check(submitted, together);
}

absl::Status Begin(JobBeginning beginning, Dispatcher& dispatcher, const SlowWork& work) {
  TW_RETURN_IF_ERROR(CheckInterrupt(work.interrupt));
  ResolvedJob& job = beginning.job;
  if (NeedsPreparation(job)) {
    TW_RETURN_IF_ERROR(PrepareJob({beginning.options.scratch, work}, &job));
  }
  TW_ASSIGN_OR_RETURN(JobFiles files, JobRun::Open(beginning.record, beginning.options,
                                                   std::move(beginning.claimed), work, &job));
  beginning.record->SetSkipped(SkippedTiles(job));
  std::vector<Dispatcher::Stage> stages = StartInnerStages(
      beginning.options.scratch, beginning.record, dispatcher, &job, &beginning.options);
  TW_ASSIGN_OR_RETURN(std::shared_ptr<JobRun> run,
                      JobRun::Create(std::move(job), beginning.record, std::move(beginning.options),
                                     std::move(files)));
  TW_RETURN_IF_ERROR(CheckInterrupt(work.interrupt));
  const JobSpec spec = run->spec();
  stages.push_back({spec, std::move(run)});
  return dispatcher.Submit(std::move(stages));
}

}  // namespace tilewright
