// The worker's end of one ReceiveTiles stream. Thread-safe; nothing blocks. It keeps itself alive
// until the call has ended, and then hands itself over: the last owner must let go of it on a
// thread of its own, because with a call a channel may end, and with the channel gRPC's threads.

#ifndef TILEWRIGHT_WORKER_LINK_INPUT_CALL_H_
#define TILEWRIGHT_WORKER_LINK_INPUT_CALL_H_

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/client_callback.h>

#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "proto/wire/segment.h"
#include "proto/wire/tile_frames.h"
#include "tilewright/v1/worker_service.pb.h"

namespace tilewright {

class InputCall final : public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  // Called on gRPC's threads, one call at a time; must not block. `ended` is called once, last.
  struct Listener {
    // All tiles that one message completed. An error ends the stream with it.
    std::function<absl::Status(std::vector<IncomingTile> tiles)> inputs;
    std::function<void(std::shared_ptr<InputCall> stream, const absl::Status& status)> ended;
  };

  // `segment` (may be null) is what the coordinator may send through.
  static std::shared_ptr<InputCall> Open(const std::shared_ptr<grpc::Channel>& channel,
                                         const v1::ReceiveTilesRequest& request,
                                         std::shared_ptr<Segment> segment, Listener listener);

  void Cancel() { context_.TryCancel(); }

 private:
  explicit InputCall(Listener listener)
      : listener_(std::move(listener)), reader_(FrameEnvelope::kTileFrames, {}) {}

  void OnReadDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;

  const Listener listener_;
  grpc::ClientContext context_;
  grpc::ByteBuffer request_;
  grpc::ByteBuffer message_;
  TileFrameReader reader_;
  absl::Status failure_;  // ours, if it was us who ended the stream
  std::shared_ptr<InputCall> self_;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_LINK_INPUT_CALL_H_
