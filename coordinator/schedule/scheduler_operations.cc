// What users do to jobs: pause, resume, priority, decisions on failed tiles; quotas.

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "coordinator/schedule/continued.h"
#include "coordinator/schedule/job_order.h"
#include "coordinator/schedule/quota.h"
#include "coordinator/schedule/scheduler_impl.h"
#include "coordinator/schedule/sentences.h"
#include "proto/base/status_macros.h"

namespace tilewright {

using schedule::SecondsText;
using schedule::TimerKind;

void Scheduler::Impl::On(const JobPaused& event) {
  std::vector<Job*> stages = ActiveStages(event.job);
  // The records of some may have been lost with an earlier coordinator.
  std::erase_if(stages, [](const Job* stage) { return stage->paused; });
  if (stages.empty()) return;
  for (Job* job : stages) {
    job->paused = true;
    job->waiting_told.clear();
    UpdateReady(*job);
    for (TimerKind kind : {TimerKind::kWorkerGrace, TimerKind::kClassGrace, TimerKind::kProof,
                           TimerKind::kCanaryRetry}) {
      deadlines_.Clear({kind, job->id});
    }
    Keep(*job, {.kind = Record::Kind::kJobPaused});
  }
  const std::string text = absl::StrCat(event.job, " is paused.");
  Tell(stages.front(), "job_paused", std::nullopt, "", text);
  for (const auto& [sequence, lease] : leases_) {
    const bool of_job = lease->job != nullptr && lease->job->group == stages.front()->group;
    if (of_job && lease->live() && !lease->started.has_value()) TakeBackLease(*lease, text);
  }
  wake_idle_ = true;
}

void Scheduler::Impl::On(const JobResumed& event) {
  std::vector<Job*> stages = ActiveStages(event.job);
  std::erase_if(stages, [](const Job* stage) { return !stage->paused; });
  if (stages.empty()) return;
  for (Job* job : stages) {
    job->paused = false;
    UpdateReady(*job);
    Keep(*job, {.kind = Record::Kind::kJobResumed});
  }
  Tell(stages.front(), "job_resumed", std::nullopt, "", absl::StrCat(event.job, " is resumed."));
  wake_idle_ = true;
  for (Job* job : stages) CandidatesChanged(*job);
}

void Scheduler::Impl::On(const JobPriority& event) {
  std::vector<Job*> stages = ActiveStages(event.job);
  if (stages.empty()) return;
  const int quota = stages.front()->tenant->quota.priority_max;
  const int priority =
      std::clamp(event.priority, kPriorityMin, std::clamp(quota, kPriorityMin, kPriorityMax));
  std::erase_if(stages, [priority](const Job* stage) { return stage->priority == priority; });
  if (stages.empty()) return;
  Job* first = stages.front();
  ready_.SetWeight(first->group->account, schedule::WeightOf(priority));
  for (Job* job : stages) {
    job->priority = priority;
    Keep(*job, {.kind = Record::Kind::kJobPriority, .number = priority});
  }
  Tell(first, "priority_changed", std::nullopt, "",
       absl::StrCat(event.job, " has priority ", priority, " now."));
}

void Scheduler::Impl::On(const FailedTilesRetried& event) {
  for (Job* job : ActiveStages(event.job)) RetryFailed(*job);
}

void Scheduler::Impl::RetryFailed(Job& stage) {
  Job* job = &stage;
  if (job->tiles.failed().empty()) return;
  const std::vector<int64_t> tiles(job->tiles.failed().begin(), job->tiles.failed().end());
  for (int64_t tile : tiles) {
    job->tiles.MarkRetried(tile);
    Keep(*job, {.kind = Record::Kind::kTileRetried, .number = tile});
  }
  Tell(job, "tile_retried", tiles.front(), "",
       absl::StrCat(job->spec.name, " tries ", schedule::TileList(tiles),
                    " again, with nothing held against anybody."));
  UpdateReady(*job);
  ForgiveWorkers(*job);
  wake_idle_ = true;
}

void Scheduler::Impl::On(const HolesAccepted& event) {
  for (Job* job : ActiveStages(event.job)) {
    const std::vector<int64_t> tiles(job->tiles.failed().begin(), job->tiles.failed().end());
    for (int64_t tile : tiles) LeaveOut(*job, tile);
  }
}

void Scheduler::Impl::ParkTile(Job& job, int64_t tile) {
  TileCloses(job, tile);
  job.tiles.MarkFailed(tile);
  UpdateReady(job);
  Keep(job, {.kind = Record::Kind::kTileFailed, .number = tile});
  Tell(&job, "tile_needs_decision", tile, "",
       absl::StrCat("Tile ", tile, " of ", job.spec.name,
                    " waits for a decision: retry it, accept a hole, or cancel the job."));
  TakeBackAttempts(job, tile, "The tile waits for a decision.");
}

void Scheduler::Impl::LeaveOut(Job& job, int64_t tile) {
  TileCloses(job, tile);
  job.tiles.MarkHole(tile);
  job.tenant->open_bytes -= job.spec.output_bytes;
  UpdateReady(job);
  Keep(job, {.kind = Record::Kind::kTileHole, .number = tile});
  out_.holes.push_back({job.spec.name, tile});
  Tell(&job, "hole_accepted", tile, "",
       absl::StrCat("Tile ", tile, " of ", job.spec.name, " is left out of the picture."));
  TakeBackAttempts(job, tile, "The tile is left out.");
  EndIfDone(job);
}

void Scheduler::Impl::TakeBackAttempts(Job& job, int64_t tile, const std::string& text) {
  wake_idle_ = true;  // the wavefront may have moved
  const schedule::TileTable::Attempts attempts = job.tiles.attempts(tile);
  for (uint64_t sequence : attempts) TakeBackTiles(*FindLease(sequence), {tile}, text);
}

void Scheduler::Impl::OnMaxDuration(Job& job) {
  EndJob(job, EndReason::kTooLong,
         absl::DeadlineExceededError(absl::StrCat(
             job.spec.name, " did not end within ", SecondsText(*job.spec.max_duration),
             " of its submission: ", job.tiles.accepted(), " of ", job.spec.tile_count,
             " tiles were done.")));
}

const TenantQuota& Scheduler::Impl::QuotaOf(const std::string& tenant) const {
  auto quota = options_.quotas.find(tenant);
  return quota == options_.quotas.end() ? options_.default_quota : quota->second;
}

std::optional<absl::Duration> Scheduler::Impl::Remaining(const Tenant& tenant) const {
  std::optional<absl::Duration> sum;
  for (const auto& [id, job] : active_jobs_) {
    if (job->tenant != &tenant || job->paused) continue;
    const std::optional<absl::Duration> remaining = Remaining(*job);
    if (remaining.has_value()) sum = sum.value_or(absl::ZeroDuration()) + *remaining;
  }
  return sum;
}

absl::Status Scheduler::Impl::Admit(const JobSubmitted& submitted,
                                    absl::Duration* retry_after) const {
  *retry_after = absl::ZeroDuration();
  TW_RETURN_IF_ERROR(CheckContinued(submitted.job));
  auto tenant = tenants_.find(submitted.job.tenant);
  schedule::QuotaUse use;
  if (tenant != tenants_.end()) {
    use.open_jobs = tenant->second->open_jobs;
    use.open_bytes = tenant->second->open_bytes;
  }
  const TenantQuota& quota = QuotaOf(submitted.job.tenant);
  absl::Status status = schedule::CheckQuota(submitted, quota, use);
  if (!absl::IsResourceExhausted(status) || tenant == tenants_.end()) return status;
  if (schedule::FitsEmptyQuota(submitted, quota))
    *retry_after = schedule::RetryAfter(Remaining(*tenant->second));
  return status;
}

absl::Status Scheduler::Impl::AdmitPriority(const std::string& name, int priority) const {
  const std::vector<Job*> stages = ActiveStages(name);
  if (stages.empty())
    return absl::NotFoundError(absl::StrCat("There is no running job ", name, "."));
  const Job& job = *stages.front();
  return schedule::CheckPriority(job.spec.tenant, priority, job.tenant->quota);
}

}  // namespace tilewright
