#include "coordinator/jobs/output_scale.h"

#include "proto/base/status_macros.h"
#include "proto/geometry/scale.h"

namespace tilewright {

absl::StatusOr<std::optional<Size>> ResampledSize(const v1::RenderRequest& request, Size input,
                                                  const CanvasFormat& canvas) {
  const v1::OutputOptions& options = request.output_options();
  if (options.scale_p() == 0 && options.scale_q() == 0) return std::nullopt;
  TW_ASSIGN_OR_RETURN(const Scale scale, Scale::Create(options.scale_p(), options.scale_q()));
  if (!request.mask().empty()) {
    return absl::InvalidArgumentError(
        "with a mask, pixels that it does not cover stay as they are: leave the scale away");
  }
  if (request.has_region()) {
    return absl::InvalidArgumentError(
        "a region has the pixels of the whole, and a resampled part has not at its border: leave "
        "the scale or the region away");
  }
  if (canvas.labels || canvas.array) {
    return absl::InvalidArgumentError(
        "this model's output is no picture but labels or an array, which are not resampled: leave "
        "the scale away");
  }
  const Size size{scale.OutputLength(input.width), scale.OutputLength(input.height)};
  if (size == canvas.size) return std::nullopt;
  if (canvas.sample == SampleType::kF16) {
    return absl::InvalidArgumentError(
        "an output of f16 samples cannot be resampled: choose f32, or leave the scale away");
  }
  return size;
}

}  // namespace tilewright
