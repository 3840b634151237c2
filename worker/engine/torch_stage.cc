#include "worker/engine/torch_stage.h"

#include <ATen/Functions.h>
#include <c10/core/Event.h>
#include <c10/core/InferenceMode.h>
#include <c10/core/StreamGuard.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/base/status_macros.h"
#include "worker/engine/torch_guard.h"
#include "worker/engine/torch_memory.h"

namespace tilewright {
namespace {

// Seconds that a device counts between two points of a stream; without a stream it counts none.
class DeviceClock {
 public:
  void Start(const std::optional<c10::Stream>& stream) { Record(stream, &begin_); }
  void Stop(const std::optional<c10::Stream>& stream) { Record(stream, &end_); }
  // Waits until everything given to the stream before Stop is done; its errors surface here.
  double Wait() const {
    if (!begin_.has_value() || !end_.has_value()) return 0;
    end_->synchronize();
    constexpr double kMilli = 1e-3;
    return begin_->elapsedTime(*end_) * kMilli;
  }

 private:
  static void Record(const std::optional<c10::Stream>& stream, std::optional<c10::Event>* event) {
    if (!stream.has_value()) return;
    event->emplace(stream->device_type(), c10::EventFlag::BACKEND_DEFAULT);
    (*event)->record(*stream);
  }

  std::optional<c10::Event> begin_;
  std::optional<c10::Event> end_;
};

// A batch that the device was given, in memory that is this batch's alone until it is read: nothing
// that begins later can overwrite it.
struct DeviceRun {
  at::Tensor input;   // in the host's memory, pinned where there is a device to copy it to
  at::Tensor result;  // likewise; as InterleavedFloats, once the clock has been waited for
  DeviceClock clock;
};

class TorchStage : public Stage {
 public:
  TorchStage(StageKey key, StageOutput output, TorchNetwork network,
             std::optional<MemoryModel> memory, GraphChoice graphs)
      : key_(std::move(key)), output_(output), network_(std::move(network)), memory_(memory) {
    if (!graphs.has_value()) return;
    graphs_.emplace([this](const at::Tensor& batch) { return Compute(batch); }, *std::move(graphs));
  }

  Outputs Run(absl::Span<const NetworkTile> inputs) override {
    TW_RETURN_IF_ERROR(CheckInputs(key_, inputs));
    DeviceRun run;
    std::vector<NetworkTile> outputs;
    const absl::Status status = Measured([&] {
      const absl::Status begun = Enqueue(inputs, &run);
      return begun.ok() ? Fetch(run, inputs, &outputs) : begun;
    });
    TW_RETURN_IF_ERROR(status);
    return outputs;
  }

  InFlight<Outputs> Begin(absl::Span<const NetworkTile> inputs) override {
    if (!network_.stream.has_value()) return Stage::Begin(inputs);
    auto run = std::make_unique<DeviceRun>();
    absl::Status begun = CheckInputs(key_, inputs);
    // All of the device's memory that a run needs is taken here and free again for the next one,
    // because the stream does one after the other.
    if (begun.ok()) begun = Measured([&] { return Enqueue(inputs, run.get()); });
    return InFlight<Outputs>(
        [this, inputs, run = std::move(run), begun = std::move(begun)]() -> Outputs {
          TW_RETURN_IF_ERROR(begun);
          std::vector<NetworkTile> outputs;
          TW_RETURN_IF_ERROR(Fetch(*run, inputs, &outputs));
          return outputs;
        },
        /*overlaps=*/true);
  }

  RunNotes Notes() const override {
    return {device_seconds_, graphs_.has_value() ? graphs_->why_plain() : ""};
  }
  uint64_t MemoryEstimate() const override {
    if (measured_bytes_ > 0) return measured_bytes_;
    const auto pixels = static_cast<uint64_t>(key_.batch * key_.shape.area());
    return memory_.has_value() ? memory_->BytesAt(pixels) : AssumedRunBytes(key_, output_);
  }
  uint64_t StateBytes() const override { return network_.weight_bytes + graph_bytes_; }

 private:
  bool Recorded() const { return graphs_.has_value() && graphs_->recorded(); }

  // Calls `work`, which gives the device a run, and keeps what that took of its memory.
  absl::Status Measured(const std::function<absl::Status()>& work) {
    const TorchMemoryWatch watch(network_.device);
    const bool recorded_before = Recorded();
    absl::Status status = work();
    if (status.ok()) {
      measured_bytes_ = watch.Taken();
      // What a run took while it was recorded is about what the graph keeps from then on.
      if (Recorded() && !recorded_before) graph_bytes_ = measured_bytes_;
      return status;
    }
    const v1::FailureCause cause = CauseOf(status);
    if (cause == v1::FAILURE_CAUSE_OUT_OF_MEMORY ||
        (cause == v1::FAILURE_CAUSE_MODEL_ERROR && watch.RanOut())) {
      return EngineError(v1::FAILURE_CAUSE_OUT_OF_MEMORY, std::string(status.message()),
                         watch.Peak());
    }
    return status;
  }

  // Gives the run to the device; a CPU does it here.
  absl::Status Enqueue(absl::Span<const NetworkTile> inputs, DeviceRun* run) {
    absl::Status shape_status;
    TW_RETURN_IF_ERROR(Guarded(absl::StrCat("running ", network_.name), [&] {
      const c10::InferenceMode inference;
      const c10::OptionalStreamGuard on_stream(network_.stream);
      shape_status = EnqueueBatch(inputs, run);
    }));
    return shape_status;
  }

  // Copies to and from a device pass through pinned memory, so that they run by themselves;
  // LibTorch keeps what was pinned and uses it again, once the device is done with it.
  absl::Status EnqueueBatch(absl::Span<const NetworkTile> inputs, DeviceRun* run) {
    run->input = BatchTensor(inputs);
    run->clock.Start(network_.stream);
    const at::Tensor batch = run->input.to(network_.device, /*non_blocking=*/true);
    TW_ASSIGN_OR_RETURN(run->result, graphs_.has_value() ? graphs_->Run(batch) : Compute(batch));
    if (!network_.device.is_cpu()) {
      at::Tensor landed = HostTensor(run->result.sizes());
      landed.copy_(run->result, /*non_blocking=*/true);
      run->result = std::move(landed);
    }
    run->clock.Stop(network_.stream);
    return absl::OkStatus();
  }

  // Waits for the run and copies out what came of it.
  absl::Status Fetch(const DeviceRun& run, absl::Span<const NetworkTile> inputs,
                     std::vector<NetworkTile>* outputs) {
    return Guarded(absl::StrCat("running ", network_.name), [&] {
      device_seconds_ = run.clock.Wait();
      CopyOut(run.result, inputs, outputs);
    });
  }

  // In pinned memory, where there is a device to copy it to or from.
  at::Tensor HostTensor(c10::IntArrayRef sizes) const {
    return at::empty(sizes,
                     at::TensorOptions(c10::kFloat).pinned_memory(!network_.device.is_cpu()));
  }

  // The padded batch as a contiguous NCHW tensor; a short batch repeats its last tile.
  at::Tensor BatchTensor(absl::Span<const NetworkTile> inputs) const {
    const int64_t height = key_.shape.height;
    const int64_t width = key_.shape.width;
    at::Tensor batch = HostTensor({key_.batch, key_.channels, height, width});
    for (int i = 0; i < key_.batch; ++i) {
      const NetworkTile& tile = inputs[std::min<size_t>(static_cast<size_t>(i), inputs.size() - 1)];
      const at::Tensor pixels = at::from_blob(const_cast<float*>(tile.values.data()),
                                              {height, width, int64_t{key_.channels}});
      batch.select(0, i).copy_(pixels.permute({2, 0, 1}));
    }
    return batch;
  }

  // On the device: fp32 NCHW to fp32 NHWC.
  absl::StatusOr<at::Tensor> Compute(const at::Tensor& batch) {
    const c10::IValue result = RunNetwork(network_, batch.to(network_.type));
    TW_RETURN_IF_ERROR(CheckResult(result));
    return InterleavedFloats(result.toTensor());
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

  void CopyOut(const at::Tensor& pixels, absl::Span<const NetworkTile> inputs,
               std::vector<NetworkTile>* outputs) const {
    outputs->clear();
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
  std::optional<GraphRunner> graphs_;  // absent: none is wanted
  double device_seconds_ = 0;          // of the run that landed last
  uint64_t measured_bytes_ = 0;        // of the run that began last; 0: none yet
  uint64_t graph_bytes_ = 0;           // that graphs_ keeps
};

}  // namespace

std::unique_ptr<Stage> CreateTorchStage(StageKey key, StageOutput output, TorchNetwork network,
                                        std::optional<MemoryModel> memory, GraphChoice graphs) {
  return std::make_unique<TorchStage>(std::move(key), output, std::move(network), memory,
                                      std::move(graphs));
}

c10::IValue RunNetwork(const TorchNetwork& network, const at::Tensor& tiles) {
  if (network.input_channels.size() == 1) return network.forward({tiles});
  std::vector<at::Tensor> inputs;
  int64_t first = 0;
  for (const int64_t channels : network.input_channels) {
    inputs.push_back(tiles.narrow(1, first, channels).contiguous());
    first += channels;
  }
  return network.forward(inputs);
}

at::Tensor InterleavedFloats(const at::Tensor& result) {
  return result.permute({0, 2, 3, 1}).to(c10::kFloat).contiguous();
}

absl::StatusOr<c10::ScalarType> TorchTypeOf(const std::string& dtype) {
  if (dtype == "fp32") return c10::kFloat;
  if (dtype == "fp16") return c10::kHalf;
  if (dtype == "bf16") return c10::kBFloat16;
  return EngineError(v1::FAILURE_CAUSE_MODEL_ERROR,
                     absl::StrCat("the torch engine runs in fp32, fp16 or bf16, not in ", dtype));
}

}  // namespace tilewright
