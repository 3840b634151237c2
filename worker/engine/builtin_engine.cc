// Operators that need no library.

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/base/status_macros.h"
#include "proto/wire/noise.h"
#include "worker/engine/engine.h"
#include "worker/engine/resample.h"

namespace tilewright {
namespace {

using Operator = std::function<std::vector<float>(const NetworkTile&)>;

std::vector<float> Disagree(const NetworkTile& tile) {
  // 0 … 63 of 255 steps: visible in u8, and different for most neighbours.
  const auto step = static_cast<float>(SplitMix64(tile.index).Next() % 64) / 255.0f;
  std::vector<float> values = tile.values;
  for (float& value : values) value += step;
  return values;
}

Operator Filter(PhaseFilter filter) {
  return [filter = std::move(filter)](const NetworkTile& tile) {
    return FilterImage(filter, tile.size, tile.channels, tile.values);
  };
}

struct NamedOperator {
  int scale = 1;
  Operator run;
};

absl::StatusOr<NamedOperator> OperatorNamed(const std::string& name) {
  if (name == "identity") {
    return NamedOperator{1, [](const NetworkTile& tile) { return tile.values; }};
  }
  if (name == "disagree") return NamedOperator{1, Disagree};
  if (name == "gaussian-blur") return NamedOperator{1, Filter(GaussianFilter(2.0, 6))};
  for (int s : {2, 3, 4}) {
    if (name == absl::StrCat("lanczos", s, "x")) return NamedOperator{s, Filter(LanczosFilter(s))};
  }
  return EngineError(v1::FAILURE_CAUSE_MODEL_ERROR,
                     absl::StrCat("the builtin engine has no operator '", name,
                                  "'; it has identity, lanczos2x, lanczos3x, lanczos4x, "
                                  "gaussian-blur, disagree"));
}

class BuiltinStage : public Stage {
 public:
  BuiltinStage(StageKey key, NamedOperator op) : key_(std::move(key)), operator_(std::move(op)) {}

  absl::StatusOr<std::vector<NetworkTile>> Run(absl::Span<const NetworkTile> inputs) override {
    TW_RETURN_IF_ERROR(CheckInputs(key_, inputs));
    std::vector<NetworkTile> outputs;
    for (const NetworkTile& input : inputs) {
      const Size size{input.size.width * operator_.scale, input.size.height * operator_.scale};
      outputs.push_back({input.index, size, input.channels, operator_.run(input)});
    }
    return outputs;
  }

  uint64_t MemoryEstimate() const override {
    const auto samples = static_cast<uint64_t>(key_.shape.area() * key_.channels);
    const auto s = static_cast<uint64_t>(operator_.scale);
    // Input, horizontally filtered, output; outputs of the whole batch are held together.
    return sizeof(float) * samples * (1 + s + s * s * static_cast<uint64_t>(key_.batch));
  }
  uint64_t StateBytes() const override { return 0; }

 private:
  const StageKey key_;
  const NamedOperator operator_;
};

class BuiltinEngine : public Engine {
 public:
  std::string name() const override { return "builtin"; }
  // The sums are written out one by one and never contracted, so every processor gives the same
  // bits.
  std::string environment_key() const override { return "builtin/1 float32 strict"; }
  EngineDevice ExamineDevice() override { return {"cpu", "", 0, 0, 0, {"fp32"}}; }

  absl::StatusOr<std::unique_ptr<Stage>> Load(
      const LocalModel& model, const StageKey& key,
      const std::function<void(std::string)>& progress) override {
    TW_ASSIGN_OR_RETURN(NamedOperator op, OperatorNamed(model.manifest.entry()));
    TW_ASSIGN_OR_RETURN(const Scale scale, ScaleOf(model.manifest));
    if (scale.p() != op.scale || scale.q() != 1) {
      return EngineError(v1::FAILURE_CAUSE_MODEL_ERROR,
                         absl::StrCat("operator ", model.manifest.entry(), " scales by ", op.scale,
                                      ", its manifest says ", scale.p(), "/", scale.q()));
    }
    if (key.dtype != "fp32") {
      return EngineError(v1::FAILURE_CAUSE_MODEL_ERROR,
                         absl::StrCat("builtin operators run in fp32, not in ", key.dtype));
    }
    if (model.manifest.inputs_size() > 1) {
      return EngineError(v1::FAILURE_CAUSE_MODEL_ERROR, "builtin operators take the image alone");
    }
    if (key.channels < 1 || key.channels > 4) {
      return EngineError(
          v1::FAILURE_CAUSE_MODEL_ERROR,
          absl::StrCat("builtin operators take 1 to 4 channels, not ", key.channels));
    }
    if (progress) progress(absl::StrCat("operator ", model.manifest.entry(), " is ready"));
    return std::make_unique<BuiltinStage>(key, std::move(op));
  }
};

}  // namespace

std::unique_ptr<Engine> CreateBuiltinEngine() { return std::make_unique<BuiltinEngine>(); }

}  // namespace tilewright
