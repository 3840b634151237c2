#include "worker/link/input_call.h"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/slice.h>

#include <string>
#include <utility>

#include "proto/wire/status_details.h"

namespace tilewright {

std::shared_ptr<InputCall> InputCall::Open(const std::shared_ptr<grpc::Channel>& channel,
                                           const v1::ReceiveTilesRequest& request,
                                           std::shared_ptr<Segment> segment, Listener listener) {
  std::shared_ptr<InputCall> stream(new InputCall(std::move(listener)));
  stream->self_ = stream;
  stream->reader_.UseSegment(std::move(segment));
  const grpc::Slice slice(request.SerializeAsString());
  stream->request_ = grpc::ByteBuffer(&slice, 1);
  // On the wire a server-streaming call is a bidirectional one whose client writes once.
  grpc::GenericStub(channel).PrepareBidiStreamingCall(
      &stream->context_, "/tilewright.v1.WorkerService/ReceiveTiles", {}, stream.get());
  stream->StartWriteLast(&stream->request_, {});
  stream->StartRead(&stream->message_);
  stream->StartCall();
  return stream;
}

void InputCall::OnReadDone(bool ok) {
  if (!ok) return;
  std::vector<IncomingTile> tiles;
  failure_ = reader_.Read(message_, &tiles);
  message_.Clear();
  if (failure_.ok() && !tiles.empty()) failure_ = listener_.inputs(std::move(tiles));
  if (!failure_.ok()) {
    context_.TryCancel();
    return;
  }
  StartRead(&message_);
}

void InputCall::OnDone(const grpc::Status& status) {
  const auto ended = listener_.ended;  // this may be gone before the call returns
  const absl::Status reason = failure_.ok() ? FromGrpc(status) : failure_;
  ended(std::move(self_), reason);
}

}  // namespace tilewright
