#include "worker/engine/torch_stage.h"

#include <ATen/Functions.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/base/status_macros.h"
#include "worker/engine/torch_guard.h"
#include "worker/engine/torch_memory.h"

namespace tilewright {
namespace {

// The padded batch as a contiguous NCHW tensor; a short batch repeats its last tile.
at::Tensor BatchTensor(const StageKey& key, absl::Span<const NetworkTile> inputs) {
  const int64_t height = key.shape.height;
  const int64_t width = key.shape.width;
  at::Tensor batch = at::empty({key.batch, key.channels, height, width});
  for (int i = 0; i < key.batch; ++i) {
    const NetworkTile& tile = inputs[std::min<size_t>(static_cast<size_t>(i), inputs.size() - 1)];
    const at::Tensor pixels = at::from_blob(const_cast<float*>(tile.values.data()),
                                            {height, width, int64_t{key.channels}});
    batch.select(0, i).copy_(pixels.permute({2, 0, 1}));
  }
  return batch;
}

class TorchStage : public Stage {
 public:
  TorchStage(StageKey key, StageOutput output, TorchNetwork network,
             std::optional<MemoryModel> memory)
      : key_(std::move(key)), output_(output), network_(std::move(network)), memory_(memory) {}

  absl::StatusOr<std::vector<NetworkTile>> Run(absl::Span<const NetworkTile> inputs) override {
    TW_RETURN_IF_ERROR(CheckInputs(key_, inputs));
    const TorchMemoryWatch watch(network_.device);
    std::vector<NetworkTile> outputs;
    const absl::Status status = TryRun(inputs, &outputs);
    if (status.ok()) {
      measured_bytes_ = watch.Taken();
      return outputs;
    }
    const v1::FailureCause cause = CauseOf(status);
    if (cause == v1::FAILURE_CAUSE_OUT_OF_MEMORY ||
        (cause == v1::FAILURE_CAUSE_MODEL_ERROR && watch.RanOut())) {
      return EngineError(v1::FAILURE_CAUSE_OUT_OF_MEMORY, std::string(status.message()),
                         watch.Peak());
    }
    return status;
  }

  uint64_t MemoryEstimate() const override {
    if (measured_bytes_ > 0) return measured_bytes_;
    const auto pixels = static_cast<uint64_t>(key_.batch * key_.shape.area());
    return memory_.has_value() ? memory_->BytesAt(pixels) : AssumedRunBytes(key_, output_);
  }
  uint64_t StateBytes() const override { return network_.weight_bytes; }

 private:
  absl::Status TryRun(absl::Span<const NetworkTile> inputs, std::vector<NetworkTile>* outputs) {
    outputs->clear();
    absl::Status shape_status;
    const absl::Status status = Guarded(absl::StrCat("running ", network_.name), [&] {
      const c10::InferenceMode inference;
      const at::Tensor batch = BatchTensor(key_, inputs).to(network_.device, network_.type);
      const c10::IValue result = network_.forward(batch);
      shape_status = CheckResult(result);
      if (!shape_status.ok()) return;
      CopyOut(result.toTensor(), inputs, outputs);
    });
    TW_RETURN_IF_ERROR(status);
    return shape_status;
  }

  absl::Status CheckResult(const c10::IValue& result) const {
    if (!result.isTensor()) {
      return EngineError(
          v1::FAILURE_CAUSE_BAD_RESULT,
          absl::StrCat(network_.name, " returned ", result.tagKind(), ", not a tensor"));
    }
    const at::Tensor& tensor = result.toTensor();
    const std::vector<int64_t> wanted = {key_.batch, output_.channels, output_.size.height,
                                         output_.size.width};
    if (tensor.sizes() == c10::IntArrayRef(wanted) && tensor.scalar_type() == network_.type) {
      return absl::OkStatus();
    }
    std::string got = c10::toString(tensor.scalar_type());
    for (int64_t side : tensor.sizes()) absl::StrAppend(&got, " ", side);
    return EngineError(
        v1::FAILURE_CAUSE_BAD_RESULT,
        absl::StrCat(network_.name, " returned the shape [", got, "] for a batch of ", key_.batch,
                     "; its manifest promises ", output_.channels, " channels of ",
                     ToString(output_.size), " in ", c10::toString(network_.type)));
  }

  void CopyOut(const at::Tensor& result, absl::Span<const NetworkTile> inputs,
               std::vector<NetworkTile>* outputs) const {
    // The copy from a device waits for its work; errors of kernels surface here.
    const at::Tensor pixels =
        result.to(c10::kCPU).permute({0, 2, 3, 1}).to(c10::kFloat).contiguous();
    const auto samples = static_cast<size_t>(output_.size.area() * output_.channels);
    const float* data = pixels.const_data_ptr<float>();
    for (const NetworkTile& input : inputs) {
      NetworkTile tile{input.index, output_.size, static_cast<int>(output_.channels), {}};
      tile.values.assign(data, data + samples);
      data += samples;
      outputs->push_back(std::move(tile));
    }
  }

  const StageKey key_;
  const StageOutput output_;
  const TorchNetwork network_;
  const std::optional<MemoryModel> memory_;
  uint64_t measured_bytes_ = 0;  // of the latest run; 0: none yet
};

}  // namespace

std::unique_ptr<Stage> CreateTorchStage(StageKey key, StageOutput output, TorchNetwork network,
                                        std::optional<MemoryModel> memory) {
  return std::make_unique<TorchStage>(std::move(key), output, std::move(network), memory);
}

absl::StatusOr<c10::ScalarType> TorchTypeOf(const std::string& dtype) {
  if (dtype == "fp32") return c10::kFloat;
  if (dtype == "fp16") return c10::kHalf;
  if (dtype == "bf16") return c10::kBFloat16;
  return EngineError(v1::FAILURE_CAUSE_MODEL_ERROR,
                     absl::StrCat("the torch engine runs in fp32, fp16 or bf16, not in ", dtype));
}

}  // namespace tilewright
