#include "worker/link/result_call.h"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/support/slice.h>

#include <utility>

#include "proto/wire/status_details.h"

namespace tilewright {

std::shared_ptr<ResultCall> ResultCall::Open(const std::shared_ptr<grpc::Channel>& channel,
                                             const std::string& worker,
                                             const std::string& incarnation,
                                             std::shared_ptr<Segment> segment, Listener listener) {
  std::shared_ptr<ResultCall> stream(new ResultCall(std::move(listener)));
  stream->self_ = stream;
  v1::SubmitTilesRequest greeting;
  greeting.set_worker(worker);
  greeting.set_incarnation(incarnation);
  const grpc::Slice slice(greeting.SerializeAsString());
  grpc::TemplatedGenericStub<grpc::ByteBuffer, v1::SubmitTilesResponse>(channel)
      .PrepareBidiStreamingCall(&stream->context_, "/tilewright.v1.WorkerService/SubmitTiles", {},
                                stream.get());
  {
    absl::MutexLock lock(&stream->mutex_);
    stream->writer_.UseSegment(std::move(segment));
    stream->message_ = grpc::ByteBuffer(&slice, 1);
    stream->writing_ = true;
    stream->StartWrite(&stream->message_);
  }
  // A read is outstanding until the stream ends, so no write can begin after OnDone.
  stream->StartRead(&stream->response_);
  stream->StartCall();
  return stream;
}

void ResultCall::Enqueue(std::vector<OutgoingTile> results) {
  absl::MutexLock lock(&mutex_);
  if (closed_ || finishing_) return;
  for (OutgoingTile& result : results) writer_.Push(std::move(result));
}

void ResultCall::Flush() {
  absl::MutexLock lock(&mutex_);
  Pump();
}

void ResultCall::Finish() {
  absl::MutexLock lock(&mutex_);
  finishing_ = true;
  Pump();
}

void ResultCall::Pump() {
  if (closed_ || writing_) return;
  if (writer_.empty()) {
    if (finishing_) {
      closed_ = true;
      StartWritesDone();
    }
    return;
  }
  message_ = writer_.Next();
  writing_ = true;
  StartWrite(&message_);
}

void ResultCall::OnReadDone(bool ok) {
  if (!ok) {
    absl::MutexLock lock(&mutex_);
    closed_ = true;
    return;
  }
  listener_.verdicts(response_);
  response_.Clear();
  StartRead(&response_);
}

void ResultCall::OnWriteDone(bool ok) {
  absl::MutexLock lock(&mutex_);
  writing_ = false;
  message_.Clear();
  if (!ok) closed_ = true;
  Pump();
}

void ResultCall::OnDone(const grpc::Status& status) {
  const auto ended = listener_.ended;  // this may be gone before the call returns
  const absl::Status reason = FromGrpc(status);
  ended(std::move(self_), reason);
}

}  // namespace tilewright
