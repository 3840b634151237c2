// A server stream that reads files and writes them in pieces; reading waits for disks, so it
// happens on a pool's threads. Owns itself until gRPC is done with it.

#ifndef TILEWRIGHT_COORDINATOR_SERVICE_FILE_STREAM_H_
#define TILEWRIGHT_COORDINATOR_SERVICE_FILE_STREAM_H_

#include <grpcpp/support/server_callback.h>

#include <functional>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "coordinator/service/thread_pool.h"
#include "proto/wire/status_details.h"

namespace tilewright {

// Bytes of a file in one message.
inline constexpr size_t kPieceBytesMax = 1 << 20;

template <typename Response>
class FileStream final : public grpc::ServerWriteReactor<Response> {
 public:
  // Fills the next message; false after the last one. Called by one thread at a time.
  using Source = std::function<absl::StatusOr<bool>(Response*)>;

  // `pool` must outlive the stream.
  static grpc::ServerWriteReactor<Response>* Start(ThreadPool& pool, Source source) {
    const std::shared_ptr<FileStream> stream(new FileStream(pool, std::move(source)));
    stream->self_ = stream;
    stream->StartSendInitialMetadata();
    stream->Next(stream);
    return stream.get();
  }

  void OnWriteDone(bool ok) override {
    if (ok) return Next(self_);
    End(absl::CancelledError("the stream broke"));
  }
  void OnCancel() override { End(absl::CancelledError("the caller cancelled the stream")); }
  void OnDone() override { const std::shared_ptr<FileStream> keep = std::move(self_); }

 private:
  FileStream(ThreadPool& pool, Source source) : pool_(pool), source_(std::move(source)) {}

  void Next(std::shared_ptr<FileStream> self) {
    if (!pool_.Run([self = std::move(self)] { self->Read(); })) {
      End(absl::ResourceExhaustedError("the coordinator has too much to read: try again"));
    }
  }

  void Read() {
    response_.Clear();
    const absl::StatusOr<bool> more = source_(&response_);
    if (!more.ok() || !*more) return End(more.status());
    absl::MutexLock lock(&mu_);
    if (!finished_) this->StartWrite(&response_);
  }

  void End(const absl::Status& status) {
    absl::MutexLock lock(&mu_);
    if (finished_) return;
    finished_ = true;
    this->Finish(ToGrpc(status));
  }

  ThreadPool& pool_;
  const Source source_;
  std::shared_ptr<FileStream> self_;  // until OnDone
  Response response_;                 // of one thread at a time: reading and writing alternate

  absl::Mutex mu_;
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_SERVICE_FILE_STREAM_H_
