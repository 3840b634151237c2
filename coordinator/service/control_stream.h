// The gRPC side of a worker's control stream. Owns itself from Start until gRPC is done with it;
// thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_SERVICE_CONTROL_STREAM_H_
#define TILEWRIGHT_COORDINATOR_SERVICE_CONTROL_STREAM_H_

#include <grpcpp/support/server_callback.h>

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "coordinator/service/dispatcher.h"
#include "coordinator/service/principal.h"
#include "coordinator/service/worker_streams.h"
#include "tilewright/v1/worker_service.pb.h"

namespace tilewright {

class ControlStream final : public grpc::ServerBidiReactor<v1::ControlRequest, v1::ControlResponse>,
                            public ControlSink {
 public:
  using Reactor = grpc::ServerBidiReactor<v1::ControlRequest, v1::ControlResponse>;
  // The reactor for gRPC.
  static Reactor* Start(Dispatcher& dispatcher, const Principal& principal);

  void Send(std::vector<v1::CoordinatorEvent> events) override;
  void Close(const absl::Status& status) override;

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  ControlStream(Dispatcher& dispatcher, const Principal& principal)
      : dispatcher_(dispatcher), principal_(principal) {}

  // Says hello with the first request, passes on what follows it.
  absl::Status Take(const v1::ControlRequest& request);
  void WriteNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  Dispatcher& dispatcher_;
  const Principal principal_;
  std::shared_ptr<ControlStream> self_;  // until OnDone

  // Of the reading side.
  v1::ControlRequest request_;
  std::string worker_;  // empty before the hello

  absl::Mutex mu_;
  std::deque<v1::CoordinatorEvent> queue_ ABSL_GUARDED_BY(mu_);
  v1::ControlResponse response_ ABSL_GUARDED_BY(mu_);  // being written if writing_
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_SERVICE_CONTROL_STREAM_H_
