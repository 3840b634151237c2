#include "worker/link/worker_link.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "proto/base/status_macros.h"
#include "proto/wire/channel.h"

namespace tilewright {
namespace {

// A worker that shuts down gives its last verdicts this long, then cancels.
constexpr absl::Duration kFarewell = absl::Milliseconds(500);

}  // namespace

Instant WorkerLink::Now() {
  return Instant::FromStart(absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch()));
}

absl::StatusOr<std::unique_ptr<WorkerLink>> WorkerLink::Create(LinkOptions options,
                                                               Executor* executor) {
  TW_ASSIGN_OR_RETURN(auto control,
                      OpenChannel(options.coordinator, ChannelKind::kControl, options.insecure));
  TW_ASSIGN_OR_RETURN(auto data,
                      OpenChannel(options.coordinator, ChannelKind::kData, options.insecure));
  return std::unique_ptr<WorkerLink>(
      new WorkerLink(std::move(options), executor, std::move(control), std::move(data)));
}

WorkerLink::WorkerLink(LinkOptions options, Executor* executor,
                       std::shared_ptr<grpc::Channel> control, std::shared_ptr<grpc::Channel> data)
    : options_(std::move(options)),
      control_channel_(std::move(control)),
      data_channel_(std::move(data)),
      control_stub_(v1::WorkerService::NewStub(control_channel_)),
      data_stub_(v1::WorkerService::NewStub(data_channel_)),
      models_(options_.cache_folder, options_.cache_bytes, data_stub_.get()),
      loop_({options_.worker, options_.incarnation, options_.faults}, executor, &models_, this),
      book_(options_.limits),
      capabilities_(options_.capabilities),
      control_backoff_(options_.backoff, options_.random),
      results_backoff_(options_.backoff, options_.random) {}

WorkerLink::~WorkerLink() {
  if (compute_thread_.joinable()) compute_thread_.join();
}

absl::Status WorkerLink::Run() {
  computing_ = true;
  compute_thread_ = std::thread([this] {
    loop_.Run();
    absl::MutexLock lock(&mutex_);
    computing_ = false;
    changed_.SignalAll();
  });
  heart_thread_ = std::thread([this] { BeatHeart(); });
  Tend();
  ShutDown();
  heart_thread_.join();
  if (!computing_) compute_thread_.join();
  absl::MutexLock lock(&mutex_);
  return fatal_;
}

void WorkerLink::Drain() {
  models_.Cancel();
  absl::MutexLock lock(&mutex_);
  if (draining_) return;
  draining_ = true;
  drained_by_ = Now() + options_.drain_timeout;
  book_.Drain();
  Events events;
  AddDropped(&events);
  *events.emplace_back().mutable_sync() = book_.Sync();
  Tell(std::move(events));
  changed_.SignalAll();
  work_.SignalAll();
}

void WorkerLink::WakeWhoWaitsToLeave() {
  if (draining_ || stopping_) changed_.SignalAll();
}

void WorkerLink::Stop() {
  absl::MutexLock lock(&mutex_);
  stopping_ = true;
  changed_.SignalAll();
  work_.SignalAll();
  beat_.SignalAll();
}

// Opens what has broken, each stream at its own pace. While it drains no session begins any more:
// the results stream alone brings home what is owed.
void WorkerLink::Tend() {
  absl::MutexLock lock(&mutex_);
  while (!stopping_ && fatal_.ok()) {
    ended_.clear();
    const Instant now = Now();
    if (draining_ && (now >= drained_by_ || !book_.owes())) break;
    if (!control_ && !draining_ && now >= control_at_) OpenControl();
    if (known_ && !results_ && now >= results_at_) OpenResults();
    Instant wake = Instant::Never();
    if (draining_) {
      wake = drained_by_;
    } else if (!control_) {
      wake = control_at_;
    }
    if (known_ && !results_) wake = std::min(wake, results_at_);
    changed_.WaitWithTimeout(&mutex_, wake - now);
  }
  stopping_ = true;
  work_.SignalAll();
  beat_.SignalAll();
}

// Hands leases back, lets the running batch come out, delivers what is computed; all within the
// stop's time.
void WorkerLink::ShutDown() {
  models_.Cancel();
  absl::MutexLock lock(&mutex_);
  const Instant deadline = Now() + options_.stop_timeout;
  const auto wait_until = [&](auto reached) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    for (Instant now = Now(); !reached() && now < deadline; now = Now()) {
      changed_.WaitWithTimeout(&mutex_, deadline - now);
    }
  };
  if (control_) control_->Finish();  // leases that have not started go to others at once
  if (inputs_) inputs_->Cancel();
  wait_until([this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return !computing_; });
  if (known_ && !results_ && book_.has_unacknowledged()) OpenResults();
  wait_until(
      [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return !results_ || !book_.has_unacknowledged(); });
  if (results_) results_->Finish();
  const Instant farewell = Now() + kFarewell;
  for (Instant now = Now(); streams_ > 0 && now < farewell; now = Now()) {
    changed_.WaitWithTimeout(&mutex_, farewell - now);
  }
  if (control_) control_->Cancel();
  if (inputs_) inputs_->Cancel();
  if (results_) results_->Cancel();
  while (streams_ > 0) changed_.Wait(&mutex_);
  ended_.clear();
}

void WorkerLink::BeatHeart() {
  while (true) {
    v1::WorkerEvent measured;
    v1::Heartbeat heartbeat;
    heartbeat.set_memory_free_bytes(options_.memory_free());
    std::shared_ptr<ControlCall> control;
    {
      absl::MutexLock lock(&mutex_);
      if (stopping_) return;
      heartbeat.set_device_progress(device_progress_ + preparing_progress_);
      if (options_.take_measured(&capabilities_)) measured_unsent_ = true;
      if (in_session_) control = control_;
      if (control && measured_unsent_) {
        *measured.mutable_measured() = capabilities_;
        measured_unsent_ = false;
      }
    }
    if (control && measured.has_measured()) control->Send({std::move(measured)});
    if (control) control->SendHeartbeat(std::move(heartbeat));
    absl::MutexLock lock(&mutex_);
    if (!stopping_) beat_.WaitWithTimeout(&mutex_, heartbeat_);
  }
}

}  // namespace tilewright
