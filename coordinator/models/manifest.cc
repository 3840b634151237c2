#include "coordinator/models/manifest.h"

#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>

#include <cmath>

#include "absl/strings/str_cat.h"
#include "proto/base/status_macros.h"
#include "proto/blend/channel_count.h"
#include "proto/blend/window.h"
#include "proto/geometry/scale.h"
#include "proto/wire/model_digest.h"

namespace tilewright {
namespace {

constexpr int64_t kSideMax = 65536;  // input pixels; of tiles, halos and alignments

class FirstError : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int line, int column, const std::string& message) override {
    if (!text_.empty()) return;
    text_ = absl::StrCat(line + 1, ":", column + 1, ": ", message);
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

template <typename... Parts>
absl::Status Wrong(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

absl::Status CheckTensor(absl::string_view field, const v1::TensorManifest& tensor) {
  if (tensor.name().empty()) return Wrong(field, ".name: is empty; say for instance \"image\"");
  if (tensor.channels() > kChannelsMax) {
    return Wrong(field, ".channels: ", tensor.channels(), " is not 0 (any) to ", kChannelsMax);
  }
  const float lo = tensor.range().lo();
  const float hi = tensor.range().hi();
  if (!std::isfinite(lo) || !std::isfinite(hi) || !(hi > lo)) {
    return Wrong(field, ".range: ", lo, " to ", hi, " is not a range; hi must be above lo");
  }
  return absl::OkStatus();
}

// The image, then at most one mask and one previous frame.
absl::Status CheckInputs(const v1::ModelManifest& manifest) {
  if (manifest.inputs_size() == 0) return Wrong("inputs: 0 given; the first is the image");
  int64_t channels = 0;
  for (int i = 0; i < manifest.inputs_size(); ++i) {
    const v1::TensorManifest& input = manifest.inputs(i);
    TW_RETURN_IF_ERROR(CheckTensor("inputs", input));
    channels += input.channels();
    const bool beside = input.name() == kMaskInput || input.name() == kPreviousInput;
    if (beside != (i > 0)) {
      return Wrong("inputs.name: '", input.name(), "' is number ", i + 1,
                   "; the first is the image, the others are \"mask\" and \"previous\"");
    }
    for (int j = 0; j < i; ++j) {
      if (manifest.inputs(j).name() != input.name()) continue;
      return Wrong("inputs.name: '", input.name(), "' is given twice");
    }
    if (manifest.inputs_size() > 1 && input.channels() == 0) {
      return Wrong("inputs.channels: '", input.name(),
                   "' takes any number (0), but where a model has several inputs, each must say "
                   "its number");
    }
    if (input.name() == kMaskInput && input.channels() != 1) {
      return Wrong("inputs.channels: a mask has 1, not ", input.channels());
    }
  }
  if (channels > kChannelsMax) {
    return Wrong("inputs.channels: ", channels, " together are above ", kChannelsMax);
  }
  if (manifest.inputs_size() > 1 && manifest.engine() == "builtin") {
    return Wrong("inputs: builtin operators take the image alone");
  }
  if (FindInput(manifest, kMaskInput) != nullptr && manifest.scale_p() != manifest.scale_q()) {
    return Wrong("scale_p, scale_q: a model that takes a mask keeps the size of the image");
  }
  return absl::OkStatus();
}

absl::Status CheckDecision(const v1::TensorManifest& output) {
  if (output.decision() == v1::DECISION_KIND_UNSPECIFIED) return absl::OkStatus();
  if (output.decision() != v1::DECISION_KIND_GREATEST) {
    return Wrong("outputs.decision: ", static_cast<int>(output.decision()),
                 " is unknown to this coordinator; it knows DECISION_KIND_GREATEST");
  }
  if (output.merge() == v1::MERGE_KIND_CUT) {
    return Wrong(
        "outputs.decision: values that are decided are blended before, and merge is "
        "MERGE_KIND_CUT; leave one of the two away");
  }
  if (output.channels() < 2) {
    return Wrong("outputs.decision: is made among 2 to ", kChannelsMax, " channels, not ",
                 output.channels());
  }
  return absl::OkStatus();
}

absl::Status CheckTensors(const v1::ModelManifest& manifest) {
  TW_RETURN_IF_ERROR(CheckInputs(manifest));
  if (manifest.outputs_size() != 1) {
    return Wrong("outputs: ", manifest.outputs_size(), " given; exactly one is supported");
  }
  TW_RETURN_IF_ERROR(CheckTensor("outputs", manifest.outputs(0)));
  TW_RETURN_IF_ERROR(CheckDecision(manifest.outputs(0)));
  if ((manifest.inputs(0).channels() == 0) != (manifest.outputs(0).channels() == 0)) {
    return Wrong(
        "outputs.channels: a model that takes any number of channels (0) gives as many, "
        "so inputs and outputs must both say 0");
  }
  return absl::OkStatus();
}

absl::Status CheckWords(const v1::ModelManifest& manifest) {
  if (manifest.engine() != "builtin" && manifest.engine() != "torch" &&
      manifest.engine() != "openvino") {
    return Wrong("engine: '", manifest.engine(), "' is not one of builtin, torch, openvino");
  }
  if (manifest.entry().empty()) {
    return Wrong("entry: is empty; name the operator (builtin) or the TorchScript file (torch)");
  }
  if (manifest.cuda_graph() && manifest.engine() != "torch") {
    return Wrong("cuda_graph: engine '", manifest.engine(), "' records none, only torch does");
  }
  if (!IsModelFileName(manifest.entry())) {
    return Wrong("entry: '", manifest.entry(), "' must be a plain name beside the manifest");
  }
  for (const std::string& dtype : manifest.dtypes()) {
    if (dtype != "fp32" && dtype != "fp16" && dtype != "bf16") {
      return Wrong("dtypes: '", dtype, "' is not one of fp32, fp16, bf16");
    }
  }
  switch (manifest.exactness()) {
    case v1::EXACTNESS_KIND_EXACT:
    case v1::EXACTNESS_KIND_APPROXIMATE:
      break;
    case v1::EXACTNESS_KIND_BOUNDED:
      if (!(manifest.epsilon() > 0) || !std::isfinite(manifest.epsilon())) {
        return Wrong("epsilon: a bounded model must say its bound, in LSB of an 8-bit sample");
      }
      break;
    default:
      return Wrong(
          "exactness: must be EXACTNESS_KIND_EXACT, EXACTNESS_KIND_BOUNDED or "
          "EXACTNESS_KIND_APPROXIMATE");
  }
  if (!(manifest.flops_per_pixel() >= 0) || !std::isfinite(manifest.flops_per_pixel())) {
    return Wrong("flops_per_pixel: ", manifest.flops_per_pixel(), " is not a count");
  }
  return absl::OkStatus();
}

absl::Status CheckMultiples(const v1::ModelManifest& manifest, int64_t q) {
  const int64_t alignment = manifest.alignment();
  const int64_t minimum = manifest.minimum();
  const int64_t halo = manifest.halo();
  const int64_t overlap = manifest.default_overlap();
  for (const auto& [field, value] :
       {std::pair("alignment", alignment), std::pair("minimum", minimum), std::pair("halo", halo),
        std::pair("default_overlap", overlap),
        std::pair("default_tile", int64_t{manifest.default_tile()})}) {
    if (value > kSideMax) return Wrong(field, ": ", value, " is above ", kSideMax);
  }
  if (alignment % q != 0) {
    return Wrong("alignment: ", alignment, " is not a multiple of scale_q ", q);
  }
  if (minimum % alignment != 0) {
    return Wrong("minimum: ", minimum, " is not a multiple of the alignment ", alignment);
  }
  if (halo % q != 0) return Wrong("halo: ", halo, " is not a multiple of scale_q ", q);
  if (overlap % (2 * q) != 0) {
    return Wrong("default_overlap: ", overlap, " is not a multiple of ", 2 * q, " (twice scale_q)");
  }
  const int64_t tile = manifest.default_tile() / alignment * alignment;
  if (tile < minimum) {
    return Wrong("default_tile: ", manifest.default_tile(), " is below the minimum ", minimum);
  }
  const int64_t needed = 2 * halo + 3 * overlap + 2 * alignment;
  if (tile < needed) {
    return Wrong("default_tile: ", tile, " is too small for halo ", halo, ", overlap ", overlap,
                 " and alignment ", alignment, "; at least ", needed, " is needed");
  }
  return absl::OkStatus();
}

PadMode PadModeOf(v1::PadKind kind) {
  switch (kind) {
    case v1::PAD_KIND_REPLICATE:
      return PadMode::kReplicate;
    case v1::PAD_KIND_ZERO:
      return PadMode::kZero;
    default:
      return PadMode::kReflect;
  }
}

}  // namespace

const v1::TensorManifest* FindInput(const v1::ModelManifest& manifest, absl::string_view name) {
  for (const v1::TensorManifest& input : manifest.inputs()) {
    if (input.name() == name) return &input;
  }
  return nullptr;
}

bool GivesLogits(const v1::ModelManifest& manifest) {
  return manifest.outputs_size() > 0 &&
         manifest.outputs(0).decision() == v1::DECISION_KIND_GREATEST;
}

absl::StatusOr<v1::ModelManifest> ParseManifest(absl::string_view path, const std::string& text) {
  FirstError errors;
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&errors);
  v1::ModelManifest manifest;
  if (!parser.ParseFromString(text, &manifest)) {
    return absl::InvalidArgumentError(absl::StrCat(path, ":", errors.text()));
  }
  return manifest;
}

void FillManifestDefaults(v1::ModelManifest* manifest) {
  if (manifest->scale_p() == 0) manifest->set_scale_p(1);
  if (manifest->scale_q() == 0) manifest->set_scale_q(1);
  if (manifest->alignment() == 0) manifest->set_alignment(1);
  if (manifest->minimum() == 0) manifest->set_minimum(manifest->alignment());
  if (manifest->pad() == v1::PAD_KIND_UNSPECIFIED) manifest->set_pad(v1::PAD_KIND_REFLECT);
  if (manifest->default_tile() == 0) manifest->set_default_tile(512);
  if (manifest->default_window().empty()) manifest->set_default_window("cosine");
  if (manifest->dtypes().empty()) manifest->add_dtypes("fp32");
  for (v1::TensorManifest& input : *manifest->mutable_inputs()) {
    if (!input.has_range()) input.mutable_range()->set_hi(1.0f);
  }
  for (v1::TensorManifest& output : *manifest->mutable_outputs()) {
    if (!output.has_range()) output.mutable_range()->set_hi(1.0f);
    if (output.merge() == v1::MERGE_KIND_UNSPECIFIED) output.set_merge(v1::MERGE_KIND_BLEND);
  }
}

absl::StatusOr<ModelGeometry> CheckManifest(const v1::ModelManifest& manifest) {
  TW_RETURN_IF_ERROR(CheckWords(manifest));
  TW_RETURN_IF_ERROR(CheckTensors(manifest));
  ModelGeometry geometry;
  const auto scale = Scale::Create(manifest.scale_p(), manifest.scale_q());
  if (!scale.ok()) return Annotate(scale.status(), "scale_p, scale_q");
  geometry.scale = *scale;
  TW_RETURN_IF_ERROR(CheckMultiples(manifest, geometry.scale.q()));
  const auto window = ParseWindow(manifest.default_window());
  if (!window.ok()) return Annotate(window.status(), "default_window");
  geometry.default_window = *window;
  geometry.halo = manifest.halo();
  geometry.alignment = manifest.alignment();
  geometry.minimum = manifest.minimum();
  geometry.pad_mode = PadModeOf(manifest.pad());
  geometry.default_tile = manifest.default_tile();
  geometry.default_overlap = manifest.default_overlap();
  return geometry;
}

}  // namespace tilewright
