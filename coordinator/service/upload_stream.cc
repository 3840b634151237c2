#include "coordinator/service/upload_stream.h"

#include <utility>

#include "proto/base/status_macros.h"
#include "proto/wire/status_details.h"

namespace tilewright {

UploadStream::Reactor* UploadStream::Start(Uploads& uploads, ThreadPool& io,
                                           v1::UploadResponse* response) {
  const std::shared_ptr<UploadStream> stream(new UploadStream(uploads, io, response));
  stream->self_ = stream;
  stream->StartRead(&stream->piece_);
  return stream.get();
}

absl::Status UploadStream::TakePiece() {
  if (writer_ == nullptr) {
    TW_ASSIGN_OR_RETURN(writer_,
                        uploads_.Begin(static_cast<int64_t>(piece_.total_bytes()), piece_.page()));
  }
  return writer_->Append(piece_.data());
}

absl::Status UploadStream::Keep() {
  if (writer_ == nullptr) return absl::InvalidArgumentError("the upload holds no message");
  TW_ASSIGN_OR_RETURN(*response_->mutable_uri(), writer_->Keep());
  return absl::OkStatus();
}

void UploadStream::OnReadDone(bool ok) {
  const auto work = [self = self_, ok] {
    const absl::Status status = ok ? self->TakePiece() : self->Keep();
    if (!ok || !status.ok()) return self->End(status);
    absl::MutexLock lock(&self->mu_);
    if (!self->finished_) self->StartRead(&self->piece_);
  };
  if (!io_.Run(work)) {
    End(absl::ResourceExhaustedError("the coordinator has too much to write: try again"));
  }
}

void UploadStream::End(const absl::Status& status) {
  absl::MutexLock lock(&mu_);
  if (finished_) return;
  finished_ = true;
  Finish(ToGrpc(status));
}

void UploadStream::OnCancel() { End(absl::CancelledError("the client is gone")); }

void UploadStream::OnDone() { const std::shared_ptr<UploadStream> keep = std::move(self_); }

}  // namespace tilewright
