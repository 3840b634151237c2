#include "coordinator/service/watch_stream.h"

#include <utility>

#include "proto/wire/status_details.h"

namespace tilewright {

WatchStream::Reactor* WatchStream::Start(WatchPump& pump,
                                         absl::StatusOr<std::shared_ptr<JobRecord>> job) {
  const std::shared_ptr<WatchStream> stream(new WatchStream(pump));
  stream->self_ = stream;
  stream->StartSendInitialMetadata();
  const absl::Status added = job.ok() ? pump.Add(*job, stream) : job.status();
  if (!added.ok()) stream->Abandon(added);
  return stream.get();
}

bool WatchStream::ready() const {
  absl::MutexLock lock(&mu_);
  return !writing_ && !finished_;
}

void WatchStream::Update(const v1::Job& job, bool last) {
  absl::MutexLock lock(&mu_);
  if (finished_) return;
  *response_.mutable_job() = job;
  last_ = last;
  writing_ = true;
  StartWrite(&response_);
}

void WatchStream::End(const absl::Status& status) {
  if (finished_) return;
  finished_ = true;
  Finish(ToGrpc(status));
}

void WatchStream::Abandon(const absl::Status& status) {
  absl::MutexLock lock(&mu_);
  End(status);
}

void WatchStream::OnWriteDone(bool ok) {
  absl::MutexLock lock(&mu_);
  writing_ = false;
  if (!ok) return End(absl::CancelledError("the stream broke"));
  if (last_) End(absl::OkStatus());
}

void WatchStream::OnCancel() { Abandon(absl::CancelledError("the client is gone")); }

void WatchStream::OnDone() {
  const std::shared_ptr<WatchStream> keep = std::move(self_);
  pump_.Remove(this);
}

grpc::ServerUnaryReactor* CancelReply::Start(WatchPump& pump,
                                             absl::StatusOr<std::shared_ptr<JobRecord>> job,
                                             v1::CancelJobResponse* response) {
  const std::shared_ptr<CancelReply> reply(new CancelReply(pump, response));
  reply->self_ = reply;
  const absl::Status added = job.ok() ? pump.Add(*job, reply) : job.status();
  if (!added.ok()) reply->Abandon(added);
  return reply.get();
}

void CancelReply::Update(const v1::Job& job, bool last) {
  absl::MutexLock lock(&mu_);
  if (!last || finished_) return;
  *response_->mutable_job() = job;
  finished_ = true;
  Finish(grpc::Status::OK);
}

void CancelReply::Abandon(const absl::Status& status) {
  absl::MutexLock lock(&mu_);
  if (finished_) return;
  finished_ = true;
  Finish(ToGrpc(status));
}

void CancelReply::OnCancel() { Abandon(absl::CancelledError("the client is gone")); }

void CancelReply::OnDone() {
  const std::shared_ptr<CancelReply> keep = std::move(self_);
  pump_.Remove(this);
}

}  // namespace tilewright
