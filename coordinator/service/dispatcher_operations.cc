// What the dispatcher does when a user operates on jobs and workers.

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "coordinator/service/dispatcher.h"
#include "coordinator/service/end_reason.h"
#include "proto/wire/status_details.h"

namespace tilewright {
namespace {

// Most jobs that a WorkerInfo names.
constexpr int kBlocklistNamedMax = 100;

// Whether the job may end because of it, so that its repetition may come after that.
bool MakesJobsGoOn(const Event& event) {
  return std::holds_alternative<JobResumed>(event) ||
         std::holds_alternative<FailedTilesRetried>(event) ||
         std::holds_alternative<HolesAccepted>(event);
}

}  // namespace

absl::Status Dispatcher::Operate(const std::string& job, const Event& event) {
  absl::MutexLock lock(&mu_);
  const auto found = jobs_.find(StagesOf(job).back());
  if (found == jobs_.end() || found->second.ended) {
    const auto past = ended_.find(job);
    Operations done;
    if (found != jobs_.end()) {
      done = found->second.operations;
    } else if (past != ended_.end()) {
      done = past->second;
    }
    if (MakesJobsGoOn(event) && done.test(event.index())) return absl::OkStatus();
    return WithReason(absl::FailedPreconditionError(
                          absl::StrCat(job,
                                       " has no more tiles to compute: it has ended or is "
                                       "ending; `tilewright jobs show ",
                                       job, "` tells how")),
                      "JOB_ENDED");
  }
  if (const auto* change = std::get_if<JobPriority>(&event)) {
    const absl::Status admitted = scheduler_.AdmitPriority(job, change->priority);
    if (!admitted.ok()) return Refused(admitted, absl::ZeroDuration(), "BAD_PRIORITY");
  }
  found->second.operations.set(event.index());
  Handle(event, clock_.Now());
  return broken_;
}

absl::Status Dispatcher::Pause(const std::string& job) { return Operate(job, JobPaused{job}); }
absl::Status Dispatcher::Resume(const std::string& job) {
  if (LookForRoom(job)) return absl::OkStatus();
  return Operate(job, JobResumed{job});
}
absl::Status Dispatcher::RetryFailedTiles(const std::string& job) {
  return Operate(job, FailedTilesRetried{job});
}
absl::Status Dispatcher::AcceptHoles(const std::string& job) {
  return Operate(job, HolesAccepted{job});
}

absl::Status Dispatcher::SetPriority(const std::string& job, int priority) {
  return Operate(job, JobPriority{job, priority});
}

void Dispatcher::LeaveOut(const Hole& hole) {
  const auto found = jobs_.find(hole.job);
  if (found == jobs_.end()) return;
  found->second.host->OnHole(hole.tile);
  merges_.AddHole(found->second.strand, hole.tile);
}

v1::WorkerInfo Dispatcher::InfoOf(const WorkerView& view, Instant now) const {
  v1::WorkerInfo info;
  info.set_name(view.name);
  info.set_leased_tiles(static_cast<uint32_t>(view.leased_tiles));
  info.set_accepted_tiles(static_cast<uint64_t>(view.accepted_tiles));
  info.set_away(!view.connected);
  if (view.last_heard.has_value())
    info.set_silent_seconds(absl::ToDoubleSeconds(now - *view.last_heard));
  info.set_draining(view.draining);
  if (view.quarantine.has_value()) {
    info.set_quarantine_seconds(absl::ToDoubleSeconds(*view.quarantine));
  }
  info.set_blocklisted_count(static_cast<uint32_t>(view.blocklisted_for.size()));
  for (const std::string& job : view.blocklisted_for) {
    if (info.blocklisted_for_size() == kBlocklistNamedMax) break;
    info.add_blocklisted_for(job);
  }
  const auto peer = peers_.find(view.name);
  if (peer != peers_.end()) {
    *info.mutable_capabilities() = peer->second.capabilities;
    info.set_build(peer->second.build);
    const Segment* segment = peer->second.segment.get();
    info.set_transport(segment != nullptr ? v1::TRANSPORT_SEGMENT : v1::TRANSPORT_INLINE);
    if (segment != nullptr) info.set_slot_misses(segment->slot_misses());
  }
  return info;
}

std::vector<v1::WorkerInfo> Dispatcher::ListWorkers() const {
  std::vector<v1::WorkerInfo> workers;
  absl::MutexLock lock(&mu_);
  const Instant now = clock_.Now();
  for (const WorkerView& view : scheduler_.ViewWorkers()) workers.push_back(InfoOf(view, now));
  return workers;
}

absl::StatusOr<v1::WorkerInfo> Dispatcher::OperateWorker(const std::string& worker,
                                                         const Event& event) {
  absl::MutexLock lock(&mu_);
  if (!scheduler_.ViewWorker(worker).has_value()) {
    return WithReason(absl::NotFoundError(absl::StrCat(
                          "no worker '", worker, "' is connected or has been for the last ",
                          absl::FormatDuration(options_.schedule.worker_memory),
                          ": `tilewright workers list` names those that are connected")),
                      "UNKNOWN_WORKER");
  }
  const Instant now = clock_.Now();
  Handle(event, now);
  if (!broken_.ok()) return broken_;
  WorkerView nothing;  // known by a blocklist alone, which is cleared now
  nothing.name = worker;
  return InfoOf(scheduler_.ViewWorker(worker).value_or(nothing), now);
}

absl::StatusOr<v1::WorkerInfo> Dispatcher::Drain(const std::string& worker, bool at_once) {
  return OperateWorker(worker, WorkerDrained{worker, at_once});
}
absl::StatusOr<v1::WorkerInfo> Dispatcher::ResumeWorker(const std::string& worker) {
  return OperateWorker(worker, WorkerResumed{worker});
}
absl::StatusOr<v1::WorkerInfo> Dispatcher::ClearBlocklist(const std::string& worker) {
  return OperateWorker(worker, BlocklistCleared{worker});
}

}  // namespace tilewright
