#include "worker/link/model_fetch.h"

#include "absl/strings/str_cat.h"
#include "proto/wire/status_details.h"

namespace tilewright {

ModelFetch::ModelFetch(v1::WorkerService::StubInterface& stub, const std::string& digest,
                       absl::Duration stall)
    : stall_(stall) {
  request_.set_model_digest(digest);
  stub.async()->FetchModel(&context_, &request_, this);
  AddHold();  // reads begin outside reactions
  StartRead(&response_);
  StartCall();
}

ModelFetch::~ModelFetch() {
  context_.TryCancel();
  Close();
}

const v1::FetchModelResponse* ModelFetch::Next() {
  if (closed_) return nullptr;
  if (handed_out_) {
    {
      absl::MutexLock lock(&mutex_);
      arrived_ = false;
    }
    StartRead(&response_);
    handed_out_ = false;
  }
  bool ended = false;
  {
    absl::MutexLock lock(&mutex_);
    const absl::Condition arrived(this, &ModelFetch::ArrivedOrEnded);
    if (!mutex_.AwaitWithTimeout(arrived, stall_)) {
      stalled_ = true;
      context_.TryCancel();
      mutex_.Await(arrived);
    }
    ended = ended_ || stalled_;
  }
  if (ended) {
    Close();
    return nullptr;
  }
  handed_out_ = true;
  return &response_;
}

absl::Status ModelFetch::status() {
  absl::MutexLock lock(&mutex_);
  if (stalled_) {
    return absl::UnavailableError(
        absl::StrCat("no piece of the model came for ", absl::FormatDuration(stall_)));
  }
  return status_;
}

void ModelFetch::Close() {
  if (!closed_) RemoveHold();
  closed_ = true;
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(this, &ModelFetch::Done));
}

void ModelFetch::OnReadDone(bool ok) {
  absl::MutexLock lock(&mutex_);
  (ok ? arrived_ : ended_) = true;
}

void ModelFetch::OnDone(const grpc::Status& status) {
  absl::MutexLock lock(&mutex_);
  status_ = FromGrpc(status);
  done_ = true;
}

}  // namespace tilewright
