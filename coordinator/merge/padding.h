// Rectangles that reach beyond the right and bottom border of an image: which of its pixels they
// take, and how they are put together. Stateless functions; thread-safe; pure.

#ifndef TILEWRIGHT_COORDINATOR_MERGE_PADDING_H_
#define TILEWRIGHT_COORDINATOR_MERGE_PADDING_H_

#include <cstddef>
#include <functional>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "proto/geometry/rect.h"
#include "proto/geometry/scale.h"

namespace tilewright {

// The smallest rectangle of the image that holds all its pixels which `rect` takes. `rect` is not
// empty and starts inside the image.
Rect PixelsTaken(const Rect& rect, Size image, PadMode pad);

// Fills `samples` with `rect`, row-major; what lies beyond the image is made by `pad`. `read` gets
// rectangles inside the image; its errors pass through.
absl::Status ReadPadded(
    const Rect& rect, Size image, PadMode pad, int64_t pixel_bytes, absl::Span<std::byte> samples,
    const std::function<absl::Status(const Rect&, absl::Span<std::byte>)>& read);

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_MERGE_PADDING_H_
