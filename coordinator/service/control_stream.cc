#include "coordinator/service/control_stream.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/wire/status_details.h"

namespace tilewright {
namespace {

constexpr int kEventsMax = 1024;              // in one message, both ways
constexpr size_t kMessageBytesMax = 1 << 20;  // about; far below the receive limit
constexpr size_t kQueuedEventsMax = 1 << 16;  // for a worker that does not read

}  // namespace

ControlStream::Reactor* ControlStream::Start(Dispatcher& dispatcher, const Principal& principal) {
  const std::shared_ptr<ControlStream> stream(new ControlStream(dispatcher, principal));
  stream->self_ = stream;
  stream->StartSendInitialMetadata();
  stream->StartRead(&stream->request_);
  return stream.get();
}

void ControlStream::Send(std::vector<v1::CoordinatorEvent> events) {
  absl::MutexLock lock(&mu_);
  if (finished_) return;
  for (v1::CoordinatorEvent& event : events) queue_.push_back(std::move(event));
  if (queue_.size() > kQueuedEventsMax) {
    finished_ = true;
    Finish(ToGrpc(absl::ResourceExhaustedError(
        absl::StrCat("worker '", worker_, "' does not read its control stream"))));
    return;
  }
  if (!writing_) WriteNext();
}

void ControlStream::WriteNext() {
  response_.Clear();
  size_t bytes = 0;
  while (!queue_.empty() && response_.events_size() < kEventsMax && bytes < kMessageBytesMax) {
    bytes += queue_.front().ByteSizeLong();
    *response_.add_events() = std::move(queue_.front());
    queue_.pop_front();
  }
  writing_ = true;
  StartWrite(&response_);
}

void ControlStream::OnWriteDone(bool ok) {
  absl::MutexLock lock(&mu_);
  writing_ = false;
  if (ok && !finished_ && !queue_.empty()) WriteNext();
}

void ControlStream::Close(const absl::Status& status) {
  absl::MutexLock lock(&mu_);
  if (finished_) return;
  finished_ = true;
  Finish(ToGrpc(status));
}

absl::Status ControlStream::Take(const v1::ControlRequest& request) {
  if (request.events_size() > kEventsMax) {
    return absl::InvalidArgumentError(absl::StrCat("a control message holds ",
                                                   request.events_size(), " events, at most ",
                                                   kEventsMax, " are allowed"));
  }
  if (worker_.empty()) {
    if (request.events_size() == 0 || !request.events(0).has_hello()) {
      return WithReason(
          absl::FailedPreconditionError("the first event of a control stream must be a hello"),
          "BAD_HELLO");
    }
    const v1::Hello& hello = request.events(0).hello();
    spdlog::info("worker {} says hello from {} as {}", hello.worker(), principal_.peer,
                 principal_.name);
    const absl::Status status = dispatcher_.Hello(hello, self_);
    if (!status.ok()) return status;
    worker_ = hello.worker();
  }
  dispatcher_.Heard(worker_, this, request);
  return absl::OkStatus();
}

void ControlStream::OnReadDone(bool ok) {
  if (!ok) {
    dispatcher_.ControlClosed(worker_, this);
    return Close(absl::OkStatus());
  }
  const absl::Status status = Take(request_);
  if (!status.ok()) {
    spdlog::warn("control stream from {} refused: {}", principal_.peer, status.ToString());
    dispatcher_.ControlClosed(worker_, this);
    return Close(status);
  }
  request_.Clear();
  absl::MutexLock lock(&mu_);
  if (!finished_) StartRead(&request_);
}

void ControlStream::OnCancel() { Close(absl::CancelledError("the worker cancelled the stream")); }

void ControlStream::OnDone() {
  const std::shared_ptr<ControlStream> keep = std::move(self_);
  dispatcher_.ControlClosed(worker_, this);
}

}  // namespace tilewright
