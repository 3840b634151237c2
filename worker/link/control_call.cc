#include "worker/link/control_call.h"

#include <utility>

#include "proto/wire/status_details.h"

namespace tilewright {
namespace {

constexpr int kEventsPerMessageMax = 1024;
constexpr size_t kQueueEventsMax = 1 << 16;

}  // namespace

std::shared_ptr<ControlCall> ControlCall::Open(v1::WorkerService::StubInterface& stub,
                                               v1::WorkerEvent hello, Listener listener) {
  std::shared_ptr<ControlCall> stream(new ControlCall(std::move(listener)));
  stream->self_ = stream;
  stub.async()->Control(&stream->context_, stream.get());
  {
    absl::MutexLock lock(&stream->mutex_);
    stream->queue_.push_back(std::move(hello));
    stream->Pump();
  }
  // A read is outstanding until the stream ends, so no write can begin after OnDone.
  stream->StartRead(&stream->response_);
  stream->StartCall();
  return stream;
}

void ControlCall::Send(std::vector<v1::WorkerEvent> events) {
  absl::MutexLock lock(&mutex_);
  if (closed_ || finishing_) return;
  if (queue_.size() + events.size() > kQueueEventsMax) {
    context_.TryCancel();
    return;
  }
  for (v1::WorkerEvent& event : events) queue_.push_back(std::move(event));
  Pump();
}

void ControlCall::AwaitWritten(absl::Duration timeout) {
  const auto written = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return closed_ || (queue_.empty() && !writing_);
  };
  absl::MutexLock lock(&mutex_);
  mutex_.AwaitWithTimeout(absl::Condition(&written), timeout);
}

void ControlCall::SendHeartbeat(v1::Heartbeat heartbeat) {
  absl::MutexLock lock(&mutex_);
  if (closed_ || finishing_) return;
  if (queue_.empty() || !queue_.back().has_heartbeat()) queue_.emplace_back();
  *queue_.back().mutable_heartbeat() = std::move(heartbeat);
  Pump();
}

void ControlCall::Finish() {
  absl::MutexLock lock(&mutex_);
  finishing_ = true;
  Pump();
}

void ControlCall::Pump() {
  if (closed_ || writing_) return;
  if (queue_.empty()) {
    if (finishing_) {
      closed_ = true;
      StartWritesDone();
    }
    return;
  }
  request_.Clear();
  while (!queue_.empty() && request_.events_size() < kEventsPerMessageMax) {
    *request_.add_events() = std::move(queue_.front());
    queue_.pop_front();
  }
  writing_ = true;
  StartWrite(&request_);
}

void ControlCall::OnReadDone(bool ok) {
  if (!ok) {
    absl::MutexLock lock(&mutex_);
    closed_ = true;
    return;
  }
  listener_.events(*this, std::move(response_));
  response_.Clear();
  StartRead(&response_);
}

void ControlCall::OnWriteDone(bool ok) {
  absl::MutexLock lock(&mutex_);
  writing_ = false;
  if (!ok) closed_ = true;
  Pump();
}

void ControlCall::OnDone(const grpc::Status& status) {
  const auto ended = listener_.ended;  // this may be gone before the call returns
  const absl::Status reason = FromGrpc(status);
  ended(std::move(self_), reason);
}

}  // namespace tilewright
