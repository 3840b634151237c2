// The gRPC side of a worker's data streams: inputs to it, results from it. Each owns itself from
// Start until gRPC is done with it; thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_SERVICE_TILE_STREAMS_H_
#define TILEWRIGHT_COORDINATOR_SERVICE_TILE_STREAMS_H_

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "coordinator/service/dispatcher.h"
#include "coordinator/service/principal.h"
#include "coordinator/service/worker_streams.h"
#include "proto/wire/tile_frames.h"
#include "tilewright/v1/worker_service.pb.h"

namespace tilewright {

class ReceiveStream final : public grpc::ServerWriteReactor<grpc::ByteBuffer>, public InputSink {
 public:
  using Reactor = grpc::ServerWriteReactor<grpc::ByteBuffer>;
  // `request` is an encoded ReceiveTilesRequest.
  static Reactor* Start(Dispatcher& dispatcher, const Principal& principal,
                        const grpc::ByteBuffer& request);

  void Send(std::vector<OutgoingTile> tiles) override;
  int64_t pending_bytes() const override { return pending_bytes_.load(); }
  void Close(const absl::Status& status) override;

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  ReceiveStream(Dispatcher& dispatcher, const Principal& principal)
      : dispatcher_(dispatcher), principal_(principal) {}

  void WriteNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  Dispatcher& dispatcher_;
  const Principal principal_;
  std::shared_ptr<ReceiveStream> self_;  // until OnDone
  std::string worker_;
  std::atomic<int64_t> pending_bytes_ = 0;  // of writer_ and message_

  absl::Mutex mu_;
  std::shared_ptr<InputPump::Feed> feed_ ABSL_GUARDED_BY(mu_);
  TileFrameWriter writer_ ABSL_GUARDED_BY(mu_){FrameEnvelope::kTileFrames};
  // Being written if writing_: it is cleared only when gRPC has done with it.
  grpc::ByteBuffer message_ ABSL_GUARDED_BY(mu_);
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
};

class SubmitStream final : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>,
                           public ResultSource {
 public:
  using Reactor = grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>;
  static Reactor* Start(Dispatcher& dispatcher, const Principal& principal);

  void Resume() override;

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  SubmitStream(Dispatcher& dispatcher, const Principal& principal)
      : dispatcher_(dispatcher), principal_(principal) {}

  // Takes message_: checks the sender, judges what it completed, queues verdicts.
  absl::Status Take();
  void QueueVerdicts(std::vector<v1::TileVerdict> verdicts);
  void WriteNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void End(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  Dispatcher& dispatcher_;
  const Principal principal_;
  std::shared_ptr<SubmitStream> self_;  // until OnDone

  // Of the reading side.
  grpc::ByteBuffer message_;
  TileFrameReader reader_{FrameEnvelope::kSubmitTilesRequest, TileFrameLimits{}};
  std::vector<IncomingTile> tiles_;
  bool known_ = false;  // the sender was checked

  absl::Mutex mu_;
  v1::SubmitTilesResponse queue_ ABSL_GUARDED_BY(mu_);
  grpc::ByteBuffer response_ ABSL_GUARDED_BY(mu_);  // being written if writing_
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mu_);  // after the last verdict
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_SERVICE_TILE_STREAMS_H_
