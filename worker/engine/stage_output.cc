#include "worker/engine/stage_output.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "proto/base/status_macros.h"

namespace tilewright {

absl::StatusOr<StageOutput> OutputOf(const v1::ModelManifest& manifest, const StageKey& key,
                                     absl::string_view engine) {
  TW_ASSIGN_OR_RETURN(const Scale scale, ScaleOf(manifest));
  if (manifest.inputs_size() < 1 || manifest.outputs_size() != 1) {
    return EngineError(
        v1::FAILURE_CAUSE_MODEL_ERROR,
        absl::StrCat("the ", engine, " engine runs models of one or more inputs and one output"));
  }
  int64_t in = 0;
  for (const int64_t channels : InputChannelsOf(manifest, key)) in += channels;
  const auto out = static_cast<int>(manifest.outputs(0).channels());
  if (in != key.channels) {
    return EngineError(v1::FAILURE_CAUSE_MODEL_ERROR,
                       absl::StrCat("the model takes ", in, " channels, not ", key.channels));
  }
  if (key.shape.width % scale.q() != 0 || key.shape.height % scale.q() != 0) {
    return EngineError(v1::FAILURE_CAUSE_MODEL_ERROR,
                       absl::StrCat("tiles of ", ToString(key.shape),
                                    " are no multiple of the scale's ", scale.q()));
  }
  return StageOutput{{scale.Exact(key.shape.width), scale.Exact(key.shape.height)},
                     out == 0 ? key.channels : out};
}

std::vector<int64_t> InputChannelsOf(const v1::ModelManifest& manifest, const StageKey& key) {
  if (manifest.inputs_size() == 1 && manifest.inputs(0).channels() == 0) return {key.channels};
  std::vector<int64_t> channels;
  for (const v1::TensorManifest& input : manifest.inputs()) channels.push_back(input.channels());
  return channels;
}

absl::Status CheckDtypeAllowed(const v1::ModelManifest& manifest, const StageKey& key) {
  const auto& allowed = manifest.dtypes();
  const bool found = allowed.empty()
                         ? key.dtype == "fp32"
                         : std::find(allowed.begin(), allowed.end(), key.dtype) != allowed.end();
  if (found) return absl::OkStatus();
  return EngineError(
      v1::FAILURE_CAUSE_MODEL_ERROR,
      absl::StrCat("the model's manifest allows ",
                   allowed.empty() ? "fp32" : absl::StrJoin(allowed, ", "), ", not ", key.dtype));
}

uint64_t AssumedRunBytes(const StageKey& key, const StageOutput& output) {
  const auto batch = static_cast<uint64_t>(key.batch);
  const auto in = static_cast<uint64_t>(key.shape.area());
  const auto out = static_cast<uint64_t>(output.size.area() * output.channels);
  return batch * sizeof(float) * (in * 4 * 64 + out * 3);
}

}  // namespace tilewright
