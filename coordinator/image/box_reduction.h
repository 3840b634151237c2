// Halves an image: what the reduced images of a TIFF are made by. Thread-safe: functions.

#ifndef TILEWRIGHT_COORDINATOR_IMAGE_BOX_REDUCTION_H_
#define TILEWRIGHT_COORDINATOR_IMAGE_BOX_REDUCTION_H_

#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"
#include "proto/blend/sample.h"
#include "proto/geometry/rect.h"

namespace tilewright {

// By the mean of each 2×2 pixels. `out` has half the size, rounded up: a pixel that would reach
// beyond the last column or row is the mean of those that are there. Channel by channel, alpha like
// the others. Integers: (sum + n/2) / n over n = 4, 2 or 1 samples. Floats: (top left + top right)
// + (bottom left + bottom right), times 1/n, in f32; f16 is rounded to nearest even. Both
// row-major, interleaved, without padding.
void BoxReduce(SampleType sample, int channels, Size size, absl::Span<const std::byte> in,
               absl::Span<std::byte> out);

// By the top left of each 2×2 pixels, of `pixel_bytes` each: for labels, whose mean would be the
// number of another class. Sizes as of BoxReduce.
void CornerReduce(int64_t pixel_bytes, Size size, absl::Span<const std::byte> in,
                  absl::Span<std::byte> out);

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_IMAGE_BOX_REDUCTION_H_
