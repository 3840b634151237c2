// The worker's end of one SubmitTiles stream: results out, verdicts in. Thread-safe; nothing
// blocks. It keeps itself alive until the call has ended, and then hands itself over: the last
// owner must let go of it on a thread of its own, because with a call a channel may end, and with
// the channel gRPC's threads.

#ifndef TILEWRIGHT_WORKER_LINK_RESULT_CALL_H_
#define TILEWRIGHT_WORKER_LINK_RESULT_CALL_H_

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/client_callback.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "proto/wire/segment.h"
#include "proto/wire/tile_frames.h"
#include "tilewright/v1/worker_service.pb.h"

namespace tilewright {

class ResultCall final : public grpc::ClientBidiReactor<grpc::ByteBuffer, v1::SubmitTilesResponse> {
 public:
  // Called on gRPC's threads, one call at a time; must not block. `ended` is called once, last.
  struct Listener {
    std::function<void(const v1::SubmitTilesResponse& verdicts)> verdicts;
    std::function<void(std::shared_ptr<ResultCall> stream, const absl::Status& status)> ended;
  };

  // Opens the stream; its first message names the worker. Results go through `segment` unless it is
  // null.
  static std::shared_ptr<ResultCall> Open(const std::shared_ptr<grpc::Channel>& channel,
                                          const std::string& worker, const std::string& incarnation,
                                          std::shared_ptr<Segment> segment, Listener listener);

  // Queues results. Nothing moves before Flush. Either may wait while a piece is copied into shared
  // memory. Bounded by what the caller keeps unanswered.
  void Enqueue(std::vector<OutgoingTile> results);
  // Sends what is queued, unless that is under way.
  void Flush();
  // Ends this side after what is queued.
  void Finish();
  void Cancel() { context_.TryCancel(); }

 private:
  explicit ResultCall(Listener listener) : listener_(std::move(listener)) {}

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;
  void Pump() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Listener listener_;
  grpc::ClientContext context_;
  v1::SubmitTilesResponse response_;  // of the read in progress
  std::shared_ptr<ResultCall> self_;

  absl::Mutex mutex_;
  TileFrameWriter writer_ ABSL_GUARDED_BY(mutex_){FrameEnvelope::kSubmitTilesRequest};
  grpc::ByteBuffer message_ ABSL_GUARDED_BY(mutex_);  // untouched while writing_
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool finishing_ ABSL_GUARDED_BY(mutex_) = false;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;  // no write may begin any more
};

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_LINK_RESULT_CALL_H_
