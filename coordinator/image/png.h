// PNG files in memory, for small pictures. Thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_IMAGE_PNG_H_
#define TILEWRIGHT_COORDINATOR_IMAGE_PNG_H_

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "proto/geometry/rect.h"

namespace tilewright {

// `rgba` holds four bytes a pixel, row-major. INTERNAL with libvips' reason if it fails.
absl::StatusOr<std::string> EncodePng(Size size, absl::Span<const std::byte> rgba);

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_IMAGE_PNG_H_
