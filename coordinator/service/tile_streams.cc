#include "coordinator/service/tile_streams.h"

#include <grpcpp/impl/codegen/proto_utils.h>
#include <spdlog/spdlog.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/wire/status_details.h"

namespace tilewright {
namespace {

constexpr int kQueuedVerdictsMax = 1 << 18;  // for a worker that does not read them
constexpr int kVerdictsMax = 4096;           // in one message

absl::StatusOr<v1::ReceiveTilesRequest> Parse(grpc::ByteBuffer bytes) {
  v1::ReceiveTilesRequest request;
  const grpc::Status status =
      grpc::SerializationTraits<v1::ReceiveTilesRequest>::Deserialize(&bytes, &request);
  if (!status.ok()) {
    return absl::InvalidArgumentError("the request of ReceiveTiles is not a ReceiveTilesRequest");
  }
  return request;
}

}  // namespace

ReceiveStream::Reactor* ReceiveStream::Start(Dispatcher& dispatcher, const Principal& principal,
                                             const grpc::ByteBuffer& request) {
  const std::shared_ptr<ReceiveStream> stream(new ReceiveStream(dispatcher, principal));
  stream->self_ = stream;
  stream->StartSendInitialMetadata();
  const absl::StatusOr<v1::ReceiveTilesRequest> parsed = Parse(request);
  if (!parsed.ok()) {
    stream->Close(parsed.status());
    return stream.get();
  }
  stream->worker_ = parsed->worker();
  // Before the lock: the dispatcher calls streams under its own.
  std::shared_ptr<Segment> segment = dispatcher.SegmentOf(parsed->worker(), parsed->incarnation());
  {
    absl::MutexLock lock(&stream->mu_);
    stream->writer_.UseSegment(std::move(segment));
  }
  const auto feed = dispatcher.AttachInputs(parsed->worker(), parsed->incarnation(), stream);
  if (!feed.ok()) {
    spdlog::warn("stream of inputs to {} refused: {}", principal.peer, feed.status().ToString());
    stream->Close(feed.status());
    return stream.get();
  }
  absl::MutexLock lock(&stream->mu_);
  stream->feed_ = *feed;
  return stream.get();
}

void ReceiveStream::Send(std::vector<OutgoingTile> tiles) {
  absl::MutexLock lock(&mu_);
  if (finished_) return;
  for (OutgoingTile& tile : tiles) writer_.Push(std::move(tile));
  pending_bytes_ = writer_.pending_bytes() + static_cast<int64_t>(message_.Length());
  if (!writing_) WriteNext();
}

void ReceiveStream::WriteNext() {
  message_ = writer_.Next();
  writing_ = true;
  StartWrite(&message_);
}

void ReceiveStream::OnWriteDone(bool ok) {
  std::shared_ptr<InputPump::Feed> feed;
  {
    absl::MutexLock lock(&mu_);
    message_.Clear();
    writing_ = false;
    pending_bytes_ = writer_.pending_bytes();
    feed = feed_;
    if (ok && !finished_ && !writer_.empty()) WriteNext();
  }
  if (feed != nullptr) dispatcher_.InputsSent(feed);
}

void ReceiveStream::Close(const absl::Status& status) {
  absl::MutexLock lock(&mu_);
  if (finished_) return;
  finished_ = true;
  Finish(ToGrpc(status));
}

void ReceiveStream::OnCancel() { Close(absl::CancelledError("the worker cancelled the stream")); }

void ReceiveStream::OnDone() {
  const std::shared_ptr<ReceiveStream> keep = std::move(self_);
  dispatcher_.DetachInputs(worker_, this);
}

SubmitStream::Reactor* SubmitStream::Start(Dispatcher& dispatcher, const Principal& principal) {
  const std::shared_ptr<SubmitStream> stream(new SubmitStream(dispatcher, principal));
  stream->self_ = stream;
  stream->StartSendInitialMetadata();
  stream->StartRead(&stream->message_);
  return stream.get();
}

absl::Status SubmitStream::Take() {
  const absl::Status read = reader_.Read(message_, &tiles_);
  message_.Clear();
  if (!read.ok()) return read;
  if (!known_) {
    const absl::Status known = dispatcher_.CheckWorker(reader_.worker(), reader_.incarnation());
    if (!known.ok()) return known;
    known_ = true;
    reader_.UseSegment(dispatcher_.SegmentOf(reader_.worker(), reader_.incarnation()));
  }
  if (tiles_.empty()) return absl::OkStatus();
  absl::StatusOr<std::vector<v1::TileVerdict>> verdicts =
      dispatcher_.Results(reader_.worker(), reader_.incarnation(), std::move(tiles_));
  tiles_.clear();
  if (!verdicts.ok()) return verdicts.status();
  QueueVerdicts(*std::move(verdicts));
  return absl::OkStatus();
}

void SubmitStream::QueueVerdicts(std::vector<v1::TileVerdict> verdicts) {
  absl::MutexLock lock(&mu_);
  if (finished_) return;
  for (v1::TileVerdict& verdict : verdicts) *queue_.add_verdicts() = std::move(verdict);
  if (queue_.verdicts_size() > kQueuedVerdictsMax) {
    return End(absl::ResourceExhaustedError(
        absl::StrCat("worker '", reader_.worker(), "' does not read its verdicts")));
  }
  if (!writing_) WriteNext();
}

void SubmitStream::WriteNext() {
  v1::SubmitTilesResponse rest;
  if (queue_.verdicts_size() > kVerdictsMax) {
    for (int i = kVerdictsMax; i < queue_.verdicts_size(); ++i) {
      *rest.add_verdicts() = std::move(*queue_.mutable_verdicts(i));
    }
    queue_.mutable_verdicts()->DeleteSubrange(kVerdictsMax, queue_.verdicts_size() - kVerdictsMax);
  }
  bool own = false;
  const grpc::Status status =
      grpc::SerializationTraits<v1::SubmitTilesResponse>::Serialize(queue_, &response_, &own);
  queue_ = std::move(rest);
  if (!status.ok()) return End(absl::InternalError(status.error_message()));
  writing_ = true;
  StartWrite(&response_);
}

void SubmitStream::End(const absl::Status& status) {
  if (finished_) return;
  finished_ = true;
  Finish(ToGrpc(status));
}

void SubmitStream::OnWriteDone(bool ok) {
  absl::MutexLock lock(&mu_);
  response_.Clear();
  writing_ = false;
  if (finished_) return;
  if (!ok) return End(absl::CancelledError("the stream broke"));
  if (queue_.verdicts_size() > 0) return WriteNext();
  if (end_.has_value()) End(*end_);
}

void SubmitStream::OnReadDone(bool ok) {
  absl::Status status;
  if (ok) {
    status = Take();
    if (!status.ok())
      spdlog::warn("results from {} refused: {}", principal_.peer, status.ToString());
  }
  if (!ok || !status.ok()) {
    absl::MutexLock lock(&mu_);
    end_ = status;
    if (!writing_) End(status);
    return;
  }
  if (dispatcher_.HasRoom(self_)) Resume();
}

void SubmitStream::Resume() {
  absl::MutexLock lock(&mu_);
  if (!finished_) StartRead(&message_);
}

void SubmitStream::OnCancel() {
  absl::MutexLock lock(&mu_);
  End(absl::CancelledError("the worker cancelled the stream"));
}

void SubmitStream::OnDone() { const std::shared_ptr<SubmitStream> keep = std::move(self_); }

}  // namespace tilewright
