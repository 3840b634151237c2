// The side of the link that faces the computing thread.

#include <spdlog/spdlog.h>

#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "worker/link/worker_link.h"

namespace tilewright {
namespace {

constexpr size_t kUnsentEventsMax = 4096;
// Longer than any write that the coordinator does not hold up.
constexpr absl::Duration kBeginningPatience = absl::Milliseconds(500);

}  // namespace

std::optional<TileDesk::Work> WorkerLink::Next(bool wait, bool may_start) {
  std::optional<Work> work = Take(wait, may_start);
  if (work.has_value()) {
    const auto* lease = std::get_if<LeaseWork>(&*work);
    if (lease != nullptr && lease->first) {
      v1::WorkerEvent event;
      *event.mutable_started()->mutable_lease() = ToProto(lease->terms->lease);
      TellBeginning(std::move(event));
    }
  }
  return work;
}

std::optional<TileDesk::Work> WorkerLink::Take(bool wait, bool may_start) {
  absl::MutexLock lock(&mutex_);
  while (true) {
    if (stopping_ || draining_) return std::nullopt;
    if (!canaries_.empty()) {
      Work work = std::move(canaries_.front());
      canaries_.pop_front();
      return work;
    }
    if (std::optional<LeaseWork> work = book_.Next(may_start)) return *std::move(work);
    if (!wait) return std::nullopt;
    work_.Wait(&mutex_);
  }
}

void WorkerLink::Preparing(LeaseRef lease, const std::string& text) {
  spdlog::debug("{} is prepared: {}", ToString(lease), text);
  v1::WorkerEvent event;
  v1::LeasePreparing* preparing = event.mutable_preparing();
  *preparing->mutable_lease() = ToProto(lease);
  preparing->set_progress(++preparing_progress_);
  preparing->set_text(text);
  TellBeginning(std::move(event));
}

void WorkerLink::Prepared(LeaseRef lease) {
  absl::MutexLock lock(&mutex_);
  book_.Prepared(lease);
}

void WorkerLink::PrepareFailed(LeaseRef lease, v1::FailureCause cause, const absl::Status& why) {
  spdlog::error("{} cannot be prepared: {}", ToString(lease), std::string(why.message()));
  absl::MutexLock lock(&mutex_);
  Events events;
  for (uint64_t index : book_.FailLease(lease)) {
    v1::TileFailed* failed = events.emplace_back().mutable_failed();
    *failed->mutable_lease() = ToProto(lease);
    failed->set_index(index);
    failed->set_cause(cause);
    failed->set_text(std::string(why.message()));
    failed->set_peak_bytes(PeakBytesOf(why));
    failed->set_batch(1);
  }
  AddDropped(&events);
  Tell(std::move(events));
  WakeWhoWaitsToLeave();
}

void WorkerLink::Deliver(std::vector<Delivery> deliveries) {
  std::shared_ptr<ResultCall> results;
  std::vector<OutgoingTile> wanted;
  {
    absl::MutexLock lock(&mutex_);
    Events events;
    for (Delivery& delivery : deliveries) {
      for (OutgoingTile& result : delivery.results) {
        if (book_.Finish(delivery.lease, result.header.tile().index(), result)) {
          wanted.push_back(std::move(result));
        }
      }
      for (v1::TileFailed& failed : delivery.failures) {
        spdlog::warn("{} tile {} failed: {}", ToString(delivery.lease), failed.index(),
                     failed.text());
        if (book_.Fail(delivery.lease, failed.index())) {
          *events.emplace_back().mutable_failed() = std::move(failed);
        }
      }
    }
    AddDropped(&events);
    Tell(std::move(events));
    WakeWhoWaitsToLeave();
    results = results_;
  }
  if (!results) return;  // the next stream gets them from the book
  results->Enqueue(std::move(wanted));
  results->Flush();
}

std::shared_ptr<Segment> WorkerLink::SharedMemory() {
  absl::MutexLock lock(&mutex_);
  return in_session_ ? segment_ : nullptr;
}

void WorkerLink::CanaryDone(v1::CanaryResult result) {
  absl::MutexLock lock(&mutex_);
  Events events(1);
  *events[0].mutable_canary() = std::move(result);
  Tell(std::move(events));
}

void WorkerLink::DeviceLost(const absl::Status& why) {
  absl::Status lost = absl::DataLossError(absl::StrCat("the device is lost: ", why.message()));
  why.ForEachPayload([&lost](absl::string_view type, const absl::Cord& value) {
    lost.SetPayload(type, value);  // the cause
  });
  absl::MutexLock lock(&mutex_);
  fatal_ = std::move(lost);
  changed_.SignalAll();
}

void WorkerLink::AddDropped(Events* events) {
  for (LeaseRef lease : book_.TakeDropped()) {
    *events->emplace_back().mutable_dropped()->mutable_lease() = ToProto(lease);
  }
}

void WorkerLink::TellBeginning(v1::WorkerEvent event) {
  std::shared_ptr<ControlCall> control;
  {
    absl::MutexLock lock(&mutex_);
    if (in_session_) control = control_;
    Tell({std::move(event)});
  }
  if (control) control->AwaitWritten(kBeginningPatience);
}

void WorkerLink::Tell(Events events) {
  if (events.empty()) return;
  if (in_session_ && control_) {
    control_->Send(std::move(events));
    return;
  }
  // The sync of the next session tells the rest.
  for (v1::WorkerEvent& event : events) {
    const bool lasting = event.has_failed() || event.has_canary();
    if (lasting && unsent_.size() < kUnsentEventsMax) unsent_.push_back(std::move(event));
  }
}

}  // namespace tilewright
