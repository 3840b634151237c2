// How large the output of a request is that asks for another scale than its models have. Pure;
// thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_JOBS_OUTPUT_SCALE_H_
#define TILEWRIGHT_COORDINATOR_JOBS_OUTPUT_SCALE_H_

#include <optional>

#include "absl/status/statusor.h"
#include "coordinator/merge/canvas.h"
#include "proto/geometry/rect.h"
#include "tilewright/v1/render_service.pb.h"

namespace tilewright {

// ceil(input * scale) on each axis, output pixels as stored; absent if the request asks for no
// scale, or for one that gives the canvas its own size. `input` and `canvas` are what the models
// take and make. INVALID_ARGUMENT for a scale outside 1/32 … 32, with a mask, a region or labels,
// which resampling would change or mix, and for f16, which the library that resamples cannot read.
absl::StatusOr<std::optional<Size>> ResampledSize(const v1::RenderRequest& request, Size input,
                                                  const CanvasFormat& canvas);

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_JOBS_OUTPUT_SCALE_H_
