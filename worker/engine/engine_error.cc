#include <utility>

#include "absl/status/status.h"
#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "worker/engine/engine.h"

namespace tilewright {
namespace {

constexpr char kCauseUrl[] = "tilewright.v1/failure_cause";
constexpr char kPeakUrl[] = "tilewright.v1/peak_bytes";

absl::StatusCode CodeOf(v1::FailureCause cause) {
  switch (cause) {
    case v1::FAILURE_CAUSE_OUT_OF_MEMORY:
      return absl::StatusCode::kResourceExhausted;
    case v1::FAILURE_CAUSE_LAUNCH_TIMEOUT:
      return absl::StatusCode::kDeadlineExceeded;
    case v1::FAILURE_CAUSE_DEVICE_LOST:
      return absl::StatusCode::kUnavailable;
    case v1::FAILURE_CAUSE_BAD_RESULT:
      return absl::StatusCode::kDataLoss;
    case v1::FAILURE_CAUSE_REFUSED:
      return absl::StatusCode::kFailedPrecondition;
    default:
      return absl::StatusCode::kInternal;
  }
}

// The decimal payload at `url`; 0 without one.
uint64_t NumberAt(const absl::Status& status, const char* url) {
  const auto payload = status.GetPayload(url);
  uint64_t number = 0;
  if (!payload.has_value() || !absl::SimpleAtoi(std::string(*payload), &number)) return 0;
  return number;
}

}  // namespace

absl::Status EngineError(v1::FailureCause cause, std::string text, uint64_t peak_bytes) {
  absl::Status status(CodeOf(cause), std::move(text));
  status.SetPayload(kCauseUrl, absl::Cord(absl::StrCat(static_cast<int>(cause))));
  if (peak_bytes > 0) status.SetPayload(kPeakUrl, absl::Cord(absl::StrCat(peak_bytes)));
  return status;
}

v1::FailureCause CauseOf(const absl::Status& status) {
  const auto cause = static_cast<int>(NumberAt(status, kCauseUrl));
  if (cause == 0 || !v1::FailureCause_IsValid(cause)) return v1::FAILURE_CAUSE_MODEL_ERROR;
  return static_cast<v1::FailureCause>(cause);
}

uint64_t PeakBytesOf(const absl::Status& status) { return NumberAt(status, kPeakUrl); }

absl::Status CheckInputs(const StageKey& key, absl::Span<const NetworkTile> inputs) {
  if (inputs.empty() || inputs.size() > static_cast<size_t>(key.batch)) {
    return EngineError(v1::FAILURE_CAUSE_REFUSED,
                       absl::StrCat(inputs.size(), " tiles given to a stage of batch ", key.batch));
  }
  for (const NetworkTile& tile : inputs) {
    const auto samples = static_cast<size_t>(key.shape.area() * key.channels);
    if (tile.size == key.shape && tile.channels == key.channels && tile.values.size() == samples) {
      continue;
    }
    return EngineError(
        v1::FAILURE_CAUSE_REFUSED,
        absl::StrCat("tile ", tile.index, " is ", ToString(tile.size), " with ", tile.channels,
                     " channels and ", tile.values.size(), " samples; the stage was prepared for ",
                     ToString(key.shape), " with ", key.channels));
  }
  return absl::OkStatus();
}

absl::StatusOr<Scale> ScaleOf(const v1::ModelManifest& manifest) {
  const auto scale = Scale::Create(manifest.scale_p() == 0 ? 1 : manifest.scale_p(),
                                   manifest.scale_q() == 0 ? 1 : manifest.scale_q());
  if (scale.ok()) return scale;
  return EngineError(v1::FAILURE_CAUSE_MODEL_ERROR,
                     absl::StrCat("manifest: ", scale.status().message()));
}

}  // namespace tilewright
