// Reads regions of an input image through libvips. Thread-safe: calls are serialised where the
// format needs it.

#ifndef TILEWRIGHT_COORDINATOR_IMAGE_IMAGE_READER_H_
#define TILEWRIGHT_COORDINATOR_IMAGE_IMAGE_READER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "proto/blend/sample.h"
#include "proto/geometry/rect.h"
#include "proto/geometry/scale.h"

namespace tilewright {

// Carried from input to output unchanged.
struct ImageMetadata {
  std::vector<std::byte> icc_profile;  // empty: none
  double x_pixels_per_mm = 0;          // 0: not said
  double y_pixels_per_mm = 0;
  int orientation = 1;  // EXIF, 1 … 8; pixels stay as stored
};

struct ImageInfo {
  Size size;         // pixels as stored
  int channels = 0;  // 1 grey, 2 grey+alpha, 3 RGB, 4 RGB+alpha
  bool has_alpha = false;
  SampleType sample = SampleType::kU8;
  bool random_access = false;  // any region can be read alone; else rows from top to bottom
  ImageMetadata metadata;
  std::string format;  // libvips loader, for messages
};

// Checked on the header, before the first pixel.
struct ImageLimits {
  int64_t side_max = 1'000'000;  // pixels
  int64_t decoded_bytes_max = int64_t{1} << 40;
};

// Call once first thing in main (of programs that read or export images): starts libvips, bounds
// its cache and threads, and silences its log. Returns INTERNAL if libvips cannot start.
absl::Status StartImageLibrary(const char* program);

class ImageReader {
 public:
  // NOT_FOUND (missing), INVALID_ARGUMENT (empty, not an image, unsupported bands),
  // RESOURCE_EXHAUSTED (over a limit), PERMISSION_DENIED: each names the path.
  static absl::StatusOr<std::unique_ptr<ImageReader>> Open(const std::string& path,
                                                           const ImageLimits& limits);
  virtual ~ImageReader() = default;

  virtual const ImageInfo& info() const = 0;
  // The pixels of `rect`, row-major and interleaved. `rect` starts inside the image and may reach
  // beyond its right and bottom border, which is then padded by `pad`. DATA_LOSS if the file is
  // truncated or damaged there.
  virtual absl::Status Read(const Rect& rect, PadMode pad, absl::Span<std::byte> samples) = 0;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_IMAGE_IMAGE_READER_H_
