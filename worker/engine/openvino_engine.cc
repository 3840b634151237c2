// OpenVINO as an engine: IR packages, on a CPU, GPU or NPU. The library itself is behind a module
// that is opened here (openvino_backend.h).

#include <dlfcn.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "proto/base/status_macros.h"
#include "worker/device/process_memory.h"
#include "worker/engine/cpu_environment.h"
#include "worker/engine/dtype_probe.h"
#include "worker/engine/engine.h"
#include "worker/engine/memory_book.h"
#include "worker/engine/memory_model.h"
#include "worker/engine/memory_trial.h"
#include "worker/engine/openvino_backend.h"
#include "worker/engine/program_module.h"
#include "worker/engine/stage_output.h"

namespace tilewright {
namespace {

absl::Status StatusOf(const OpenVinoFailure& failure) {
  switch (failure.kind) {
    case OpenVinoFailure::Kind::kNone:
      return absl::OkStatus();
    case OpenVinoFailure::Kind::kDeviceAbsent:
      return absl::UnavailableError(failure.text);
    case OpenVinoFailure::Kind::kOutOfMemory:
      return EngineError(v1::FAILURE_CAUSE_OUT_OF_MEMORY, failure.text);
    case OpenVinoFailure::Kind::kModel:
      return EngineError(v1::FAILURE_CAUSE_MODEL_ERROR, failure.text);
  }
  return absl::InternalError("an OpenVINO failure of no kind");
}

class OpenVinoStage : public Stage {
 public:
  OpenVinoStage(StageKey key, StageOutput output, std::string model,
                std::unique_ptr<OpenVinoNetwork> network, std::optional<MemoryModel> memory)
      : key_(std::move(key)),
        output_(output),
        model_(std::move(model)),
        network_(std::move(network)),
        memory_(memory) {}

  absl::StatusOr<std::vector<NetworkTile>> Run(absl::Span<const NetworkTile> inputs) override {
    TW_RETURN_IF_ERROR(CheckInputs(key_, inputs));
    TW_RETURN_IF_ERROR(CheckShape());
    // A short batch repeats its last tile.
    std::vector<float> batch;
    batch.reserve(static_cast<size_t>(key_.batch) * inputs[0].values.size());
    for (size_t i = 0; i < static_cast<size_t>(key_.batch); ++i) {
      const std::vector<float>& tile = inputs[std::min(i, inputs.size() - 1)].values;
      batch.insert(batch.end(), tile.begin(), tile.end());
    }
    OpenVinoFailure failure;
    const float* result = network_->Run(batch.data(), &failure);
    TW_RETURN_IF_ERROR(StatusOf(failure));
    std::vector<NetworkTile> outputs;
    const auto samples = static_cast<size_t>(output_.size.area() * output_.channels);
    for (const NetworkTile& input : inputs) {
      NetworkTile tile{input.index, output_.size, static_cast<int>(output_.channels), {}};
      tile.values.assign(result, result + samples);
      result += samples;
      outputs.push_back(std::move(tile));
    }
    return outputs;
  }

  // Tiles in and out: what the network itself takes for a run it keeps.
  uint64_t MemoryEstimate() const override {
    const auto in = static_cast<uint64_t>(key_.shape.area() * key_.channels);
    const auto out = static_cast<uint64_t>(output_.size.area() * output_.channels);
    return static_cast<uint64_t>(key_.batch) * sizeof(float) * (in + out);
  }
  uint64_t weight_bytes() const { return network_->weight_bytes(); }
  uint64_t StateBytes() const override {
    return network_->weight_bytes() +
           (memory_.has_value() ? MeasuredBytes() : network_->activation_bytes());
  }

 private:
  absl::Status CheckShape() const {
    const std::vector<size_t> wanted = {
        static_cast<size_t>(key_.batch), static_cast<size_t>(output_.size.height),
        static_cast<size_t>(output_.size.width), static_cast<size_t>(output_.channels)};
    if (network_->output_shape() == wanted) return absl::OkStatus();
    return EngineError(
        v1::FAILURE_CAUSE_BAD_RESULT,
        absl::StrCat(model_, " gives the shape [", absl::StrJoin(network_->output_shape(), " "),
                     "] for a batch of ", key_.batch, "; its manifest promises ", output_.channels,
                     " channels of ", ToString(output_.size)));
  }

  // What was measured includes the tiles.
  uint64_t MeasuredBytes() const {
    const uint64_t all = memory_->BytesAt(static_cast<uint64_t>(key_.batch) *
                                          static_cast<uint64_t>(key_.shape.area()));
    return all - std::min(all, MemoryEstimate());
  }

  const StageKey key_;
  const StageOutput output_;
  const std::string model_;
  const std::unique_ptr<OpenVinoNetwork> network_;
  const std::optional<MemoryModel> memory_;
};

class OpenVinoEngine : public Engine {
 public:
  OpenVinoEngine(std::unique_ptr<OpenVinoRuntime> runtime, const OpenVinoOptions& options)
      : runtime_(std::move(runtime)),
        device_(options.device),
        process_memory_(device_ == "CPU" ? options.memory : nullptr),
        memory_(options.measurements) {}

  std::string name() const override { return "openvino"; }

  // Not in it: the number of threads, which was measured not to change bits.
  std::string environment_key() const override {
    return absl::StrCat(
        "openvino/", runtime_->version(), " ", device_, " ",
        device_ == "CPU" ? CpuEnvironment() : absl::StrCat("[", runtime_->device_name(), "]"),
        " latency");
  }

  EngineDevice ExamineDevice() override {
    EngineDevice device;
    device.kind = device_ == "CPU" ? "cpu" : "openvino";
    device.name = runtime_->device_name();
    device.dtypes =
        DtypesThatWork([this, &device](const std::string& dtype) -> absl::StatusOr<DtypeTrial> {
          OpenVinoFailure failure;
          double flops = 0;
          std::vector<float> values = runtime_->TryConvolution(dtype, &flops, &failure);
          TW_RETURN_IF_ERROR(StatusOf(failure));
          if (dtype == "fp32") device.flops = flops;
          return DtypeTrial{std::move(values), 1 / flops};
        });
    return device;
  }

  absl::StatusOr<std::unique_ptr<Stage>> Load(
      const LocalModel& model, const StageKey& key,
      const std::function<void(std::string)>& progress) override {
    TW_RETURN_IF_ERROR(CheckDtypeAllowed(model.manifest, key));
    const std::string& entry = model.manifest.entry();
    if (!absl::EndsWith(entry, ".xml")) {
      return EngineError(v1::FAILURE_CAUSE_MODEL_ERROR,
                         absl::StrCat("the openvino engine runs IR, a model.xml with its "
                                      "model.bin, not ",
                                      entry));
    }
    const std::optional<MemoryModel> memory = memory_.Of(
        key, entry, [&] { return MeasureMemory(model, key); }, progress);
    if (progress) progress(absl::StrCat("compiling ", entry, " for ", ToString(key.shape)));
    return Compile(model, key, memory);
  }

 private:
  // Differences of less have been seen where nothing differed: huge pages, and what the C library
  // cannot give back because it lies between pieces in use.
  static constexpr uint64_t kNoiseBytes = 1 << 20;

  absl::StatusOr<std::unique_ptr<OpenVinoStage>> Compile(const LocalModel& model,
                                                         const StageKey& key,
                                                         const std::optional<MemoryModel>& memory) {
    TW_ASSIGN_OR_RETURN(const StageOutput output, OutputOf(model.manifest, key, name()));
    OpenVinoLoad load;
    load.path = absl::StrCat(model.folder, "/", model.manifest.entry());
    load.batch = static_cast<size_t>(key.batch);
    for (const int64_t channels : InputChannelsOf(model.manifest, key)) {
      load.channels.push_back(static_cast<size_t>(channels));
    }
    load.height = static_cast<size_t>(key.shape.height);
    load.width = static_cast<size_t>(key.shape.width);
    load.dtype = key.dtype;
    OpenVinoFailure failure;
    std::unique_ptr<OpenVinoNetwork> network = runtime_->Load(load, &failure);
    TW_RETURN_IF_ERROR(StatusOf(failure));
    return std::make_unique<OpenVinoStage>(key, output, model.manifest.entry(), std::move(network),
                                           memory);
  }

  // OpenVINO has no count of its memory and takes no allocator of ours, so the process is watched
  // while a small shape is compiled and run.
  absl::StatusOr<MemoryModel> MeasureMemory(const LocalModel& model, const StageKey& key) {
    if (process_memory_ == nullptr) {
      return absl::UnavailableError("nothing here counts the memory that OpenVINO takes");
    }
    return TryMemory(TrialOf(model.manifest, kNoiseBytes),
                     [&](int64_t side) { return TakenAtSide(model, key, side); });
  }

  // What stays of compiling, weights aside, and what one run takes beside that; not what compiling
  // takes in between, which is soon over.
  absl::StatusOr<uint64_t> TakenAtSide(const LocalModel& model, StageKey key, int64_t side) {
    key.shape = {side, side};
    key.batch = 1;
    NetworkTile tile{0, key.shape, key.channels, {}};
    tile.values.resize(static_cast<size_t>(key.shape.area() * key.channels));
    TW_ASSIGN_OR_RETURN(const uint64_t before, process_memory_->Begin());
    TW_ASSIGN_OR_RETURN(const auto stage, Compile(model, key, std::nullopt));
    TW_RETURN_IF_ERROR(process_memory_->Begin().status());
    TW_RETURN_IF_ERROR(stage->Run({&tile, 1}).status());
    TW_ASSIGN_OR_RETURN(const uint64_t peak, process_memory_->Peak());
    const uint64_t without = before + stage->weight_bytes();
    return peak - std::min(peak, without);
  }

  const std::unique_ptr<OpenVinoRuntime> runtime_;
  const std::string device_;
  ProcessMemory* const process_memory_;  // null: none, or not the device's
  MemoryBook memory_;
};

absl::StatusOr<OpenVinoOpen> OpenModule() {
  const absl::StatusOr<void*> module = OpenProgramModule(kOpenVinoModule, RTLD_NOW | RTLD_LOCAL);
  std::string why = std::string(module.status().message());
  if (module.ok()) {
    if (void* const symbol = dlsym(*module, kOpenVinoSymbol)) {
      return reinterpret_cast<OpenVinoOpen>(symbol);
    }
    why = absl::StrCat("it has no ", kOpenVinoSymbol);
  }
  return absl::UnavailableError(absl::StrCat("OpenVINO's module does not load (", why, ")"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Engine>> CreateOpenVinoEngine(const OpenVinoOptions& options) {
  TW_ASSIGN_OR_RETURN(const OpenVinoOpen open, OpenModule());
  OpenVinoFailure failure;
  std::unique_ptr<OpenVinoRuntime> runtime(open(options.device.c_str(), options.threads, &failure));
  if (runtime == nullptr) return absl::UnavailableError(failure.text);
  return std::make_unique<OpenVinoEngine>(std::move(runtime), options);
}

}  // namespace tilewright
