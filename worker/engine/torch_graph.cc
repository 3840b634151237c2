#include "worker/engine/torch_graph.h"

#include <ATen/Functions.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/base/status_macros.h"
#include "worker/engine/engine.h"
#include "worker/engine/torch_guard.h"

namespace tilewright {
namespace {

// NaN is equal to itself here, and zero differs from minus zero.
bool SameBits(const at::Tensor& a, const at::Tensor& b) {
  return a.scalar_type() == b.scalar_type() && a.sizes() == b.sizes() &&
         at::equal(a.contiguous().view(at::kByte), b.contiguous().view(at::kByte));
}

}  // namespace

GraphRunner::GraphRunner(Network network, absl::StatusOr<GraphRecorder*> recorder)
    : network_(std::move(network)), recorder_(std::move(recorder)) {
  if (recorder_.ok()) return;
  state_ = State::kPlain;
  why_plain_ = std::string(recorder_.status().message());
}

absl::StatusOr<at::Tensor> GraphRunner::Run(const at::Tensor& batch) {
  if (state_ == State::kRecorded) return Replay(batch);
  TW_ASSIGN_OR_RETURN(at::Tensor result, network_(batch));
  if (state_ == State::kPlain) return result;
  if (warm_ups_left_ > 0) {
    --warm_ups_left_;
    return result;
  }
  TW_RETURN_IF_ERROR(Record(batch, result));
  return result;
}

absl::Status GraphRunner::Record(const at::Tensor& batch, const at::Tensor& plain) {
  bool same = false;
  const absl::Status status = Guarded("recording", [&] {
    input_ = batch.clone();
    graph_ = (*recorder_)->Record([this] {
      const absl::StatusOr<at::Tensor> result = network_(input_);
      return result.ok() ? *result : at::Tensor();
    });
    same = graph_->output().defined() && SameBits(Replay(batch), plain);
  });
  if (same) {
    state_ = State::kRecorded;
    return absl::OkStatus();
  }
  graph_.reset();
  input_.reset();
  state_ = State::kPlain;
  const v1::FailureCause cause = CauseOf(status);
  if (!status.ok() &&
      (cause == v1::FAILURE_CAUSE_DEVICE_LOST || cause == v1::FAILURE_CAUSE_LAUNCH_TIMEOUT)) {
    return status;
  }
  why_plain_ = status.ok() ? "a replay gave other bits than a plain run"
                           : absl::StrCat("no graph could be recorded: ", status.message());
  return absl::OkStatus();
}

at::Tensor GraphRunner::Replay(const at::Tensor& batch) {
  input_.copy_(batch, /*non_blocking=*/true);
  graph_->Replay();
  // The stream does it before the next replay, which overwrites the output.
  return graph_->output().clone();
}

}  // namespace tilewright
