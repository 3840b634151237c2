// The gRPC side of an upload: pieces are written to disk on a pool's threads, one at a time. Owns
// itself until gRPC is done with it.

#ifndef TILEWRIGHT_COORDINATOR_SERVICE_UPLOAD_STREAM_H_
#define TILEWRIGHT_COORDINATOR_SERVICE_UPLOAD_STREAM_H_

#include <grpcpp/support/server_callback.h>

#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "coordinator/jobs/uploads.h"
#include "coordinator/service/thread_pool.h"
#include "tilewright/v1/render_service.pb.h"

namespace tilewright {

class UploadStream final : public grpc::ServerReadReactor<v1::UploadRequest> {
 public:
  using Reactor = grpc::ServerReadReactor<v1::UploadRequest>;
  static Reactor* Start(Uploads& uploads, ThreadPool& io, v1::UploadResponse* response);

  void OnReadDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  UploadStream(Uploads& uploads, ThreadPool& io, v1::UploadResponse* response)
      : uploads_(uploads), io_(io), response_(response) {}

  // Both on a thread of the pool.
  absl::Status TakePiece();
  absl::Status Keep();
  void End(const absl::Status& status);

  Uploads& uploads_;
  ThreadPool& io_;
  v1::UploadResponse* const response_;
  std::shared_ptr<UploadStream> self_;  // until OnDone

  // Of one thread at a time: reading and writing alternate.
  v1::UploadRequest piece_;
  std::unique_ptr<Uploads::Writer> writer_;

  absl::Mutex mu_;
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_SERVICE_UPLOAD_STREAM_H_
