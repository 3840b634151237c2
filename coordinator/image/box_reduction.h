// Halves an image by the mean of each 2×2 pixels: what the reduced images of a TIFF are made by.
// Thread-safe: a function.

#ifndef TILEWRIGHT_COORDINATOR_IMAGE_BOX_REDUCTION_H_
#define TILEWRIGHT_COORDINATOR_IMAGE_BOX_REDUCTION_H_

#include <cstddef>

#include "absl/types/span.h"
#include "proto/blend/sample.h"
#include "proto/geometry/rect.h"

namespace tilewright {

// `out` has half the size, rounded up: a pixel that would reach beyond the last column or row is
// the mean of those that are there. Channel by channel, alpha like the others. Integers: (sum +
// n/2) / n over n = 4, 2 or 1 samples. Floats: (top left + top right) + (bottom left + bottom
// right), times 1/n, in f32; f16 is rounded to nearest even. Both row-major, interleaved, without
// padding.
void BoxReduce(SampleType sample, int channels, Size size, absl::Span<const std::byte> in,
               absl::Span<std::byte> out);

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_IMAGE_BOX_REDUCTION_H_
