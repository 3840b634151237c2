// The gRPC sides of watching a job: the stream of WatchJob, and CancelJob's answer once the job has
// ended. Each owns itself until gRPC is done with it; thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_SERVICE_WATCH_STREAM_H_
#define TILEWRIGHT_COORDINATOR_SERVICE_WATCH_STREAM_H_

#include <grpcpp/support/server_callback.h>

#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "coordinator/service/watch_pump.h"
#include "tilewright/v1/render_service.pb.h"

namespace tilewright {

// Does not touch the job when its client is gone: jobs run on.
class WatchStream final : public grpc::ServerWriteReactor<v1::WatchJobResponse>, public Watcher {
 public:
  using Reactor = grpc::ServerWriteReactor<v1::WatchJobResponse>;
  // `job` may be an error, which is then the stream's end.
  static Reactor* Start(WatchPump& pump, absl::StatusOr<std::shared_ptr<JobRecord>> job);

  bool ready() const override;
  void Update(const v1::Job& job, bool last) override;
  void Abandon(const absl::Status& status) override;

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  explicit WatchStream(WatchPump& pump) : pump_(pump) {}
  void End(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  WatchPump& pump_;
  std::shared_ptr<WatchStream> self_;  // until OnDone

  mutable absl::Mutex mu_;
  v1::WatchJobResponse response_ ABSL_GUARDED_BY(mu_);  // being written if writing_
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool last_ ABSL_GUARDED_BY(mu_) = false;  // response_ is the final one
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
};

class CancelReply final : public grpc::ServerUnaryReactor, public Watcher {
 public:
  // Answers into `response` when the job has ended.
  static grpc::ServerUnaryReactor* Start(WatchPump& pump,
                                         absl::StatusOr<std::shared_ptr<JobRecord>> job,
                                         v1::CancelJobResponse* response);

  bool ready() const override { return true; }
  void Update(const v1::Job& job, bool last) override;
  void Abandon(const absl::Status& status) override;

  void OnCancel() override;
  void OnDone() override;

 private:
  CancelReply(WatchPump& pump, v1::CancelJobResponse* response)
      : pump_(pump), response_(response) {}

  WatchPump& pump_;
  std::shared_ptr<CancelReply> self_;  // until OnDone

  absl::Mutex mu_;
  v1::CancelJobResponse* const response_ ABSL_PT_GUARDED_BY(mu_);
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_SERVICE_WATCH_STREAM_H_
