// Jobs of several stages: tiles that are held back until what they read is final.

#include <algorithm>

#include "coordinator/schedule/job_order.h"
#include "coordinator/schedule/scheduler_impl.h"

namespace tilewright {

using schedule::TileState;

void Scheduler::Impl::On(const TilesReady& event) {
  Job* job = FindJob(event.job);
  if (job == nullptr || !job->active()) return;
  const auto held = [job](int64_t tile) {
    return job->active() && tile >= 0 && tile < job->spec.tile_count &&
           job->tiles.state(tile) == TileState::kHeld;
  };
  for (int64_t tile : event.tiles) {
    if (held(tile)) job->tiles.MarkReady(tile);
  }
  UpdateReady(*job);
  wake_idle_ = true;
  for (int64_t tile : event.left_out) {
    if (held(tile)) LeaveOut(*job, tile);
  }
}

schedule::JobGroup& Scheduler::Impl::GroupFor(const JobSpec& spec) {
  const std::string& name = spec.job_of_stage.empty() ? spec.name : spec.job_of_stage;
  std::unique_ptr<schedule::JobGroup>& group = groups_[name];
  if (group != nullptr) return *group;
  group = std::make_unique<schedule::JobGroup>();
  group->name = name;
  group->account = {.id = last_job_,
                    .tenant = &TenantFor(spec.tenant).account,
                    .group = group.get(),
                    .weight = schedule::WeightOf(spec.priority)};
  return *group;
}

bool Scheduler::Impl::HeldUp(const Job& job) const {
  const std::vector<Job*>& stages = job.group->stages;
  return std::any_of(std::find(stages.begin(), stages.end(), &job) + 1, stages.end(),
                     [](const Job* later) { return later->full; });
}

void Scheduler::Impl::UpdateFull(Job& job) {
  const bool full = job.active() && job.tiles.ready() >= job.spec.ready_max;
  if (job.full && !full) wake_idle_ = true;  // the stages before it go on
  job.full = full;
}

}  // namespace tilewright
