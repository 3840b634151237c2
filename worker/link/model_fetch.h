// One FetchModel call, read piece by piece by a thread that may wait. Belongs to that thread;
// Cancel may be called from any.

#ifndef TILEWRIGHT_WORKER_LINK_MODEL_FETCH_H_
#define TILEWRIGHT_WORKER_LINK_MODEL_FETCH_H_

#include <grpcpp/client_context.h>
#include <grpcpp/support/client_callback.h>

#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "tilewright/v1/worker_service.grpc.pb.h"

namespace tilewright {

class ModelFetch final : public grpc::ClientReadReactor<v1::FetchModelResponse> {
 public:
  // A piece that takes longer than `stall` ends the call.
  ModelFetch(v1::WorkerService::StubInterface& stub, const std::string& digest,
             absl::Duration stall);
  // Cancels the call and waits for its end.
  ~ModelFetch() override;

  // The next piece, valid until the next call; nullptr at the end, then status() says why.
  const v1::FetchModelResponse* Next();
  // OK if all pieces were delivered. Valid after Next returned nullptr.
  absl::Status status();
  void Cancel() { context_.TryCancel(); }

 private:
  void OnReadDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;
  bool ArrivedOrEnded() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return arrived_ || ended_; }
  bool Done() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return done_; }
  // Lets the call end and waits until it has.
  void Close();

  const absl::Duration stall_;
  grpc::ClientContext context_;
  v1::FetchModelRequest request_;
  v1::FetchModelResponse response_;  // gRPC's while a read is outstanding
  bool handed_out_ = false;          // response_ is the caller's
  bool closed_ = false;              // the hold is gone
  bool stalled_ = false;

  absl::Mutex mutex_;
  bool arrived_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;  // no further piece comes
  bool done_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_LINK_MODEL_FETCH_H_
