// The worker's end of one Control stream. Thread-safe; nothing but AwaitWritten blocks. It keeps
// itself alive until the call has ended, and then hands itself over: the last owner must let go of
// it on a thread of its own, because with a call a channel may end, and with the channel gRPC's
// threads.

#ifndef TILEWRIGHT_WORKER_LINK_CONTROL_CALL_H_
#define TILEWRIGHT_WORKER_LINK_CONTROL_CALL_H_

#include <grpcpp/client_context.h>
#include <grpcpp/support/client_callback.h>

#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "tilewright/v1/worker_service.grpc.pb.h"

namespace tilewright {

class ControlCall final : public grpc::ClientBidiReactor<v1::ControlRequest, v1::ControlResponse> {
 public:
  // Called on gRPC's threads, one call at a time; must not block. `ended` is called once, last.
  struct Listener {
    std::function<void(ControlCall& stream, v1::ControlResponse events)> events;
    std::function<void(std::shared_ptr<ControlCall> stream, const absl::Status& status)> ended;
  };

  // Opens the stream; `hello` goes first.
  static std::shared_ptr<ControlCall> Open(v1::WorkerService::StubInterface& stub,
                                           v1::WorkerEvent hello, Listener listener);

  // Queues events; several calls travel in one message. A queue over its limit ends the stream:
  // the coordinator does not read. Does nothing once the stream has ended.
  void Send(std::vector<v1::WorkerEvent> events);
  // Until all that was queued has left for the kernel, where it outlives this process; until the
  // stream ends; or for `timeout`. Not on gRPC's threads.
  void AwaitWritten(absl::Duration timeout);
  // A heartbeat replaces one that still waits.
  void SendHeartbeat(v1::Heartbeat heartbeat);
  // Ends this side after what is queued.
  void Finish();
  void Cancel() { context_.TryCancel(); }

 private:
  explicit ControlCall(Listener listener) : listener_(std::move(listener)) {}

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;
  void Pump() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Listener listener_;
  grpc::ClientContext context_;
  v1::ControlResponse response_;  // of the read in progress
  std::shared_ptr<ControlCall> self_;

  absl::Mutex mutex_;
  std::deque<v1::WorkerEvent> queue_ ABSL_GUARDED_BY(mutex_);
  v1::ControlRequest request_ ABSL_GUARDED_BY(mutex_);  // untouched while writing_
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool finishing_ ABSL_GUARDED_BY(mutex_) = false;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;  // no write may begin any more
};

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_LINK_CONTROL_CALL_H_
