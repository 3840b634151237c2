// What the header of an image file says: what the reader needs and what the output carries.
// Thread-safe: functions.

#ifndef TILEWRIGHT_COORDINATOR_IMAGE_IMAGE_HEADER_H_
#define TILEWRIGHT_COORDINATOR_IMAGE_IMAGE_HEADER_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "coordinator/image/file_watch.h"
#include "coordinator/image/image_library.h"
#include "coordinator/image/image_reader.h"

namespace tilewright {

struct ImageHeader {
  VipsOwned<VipsImage> image;   // its pixels must be read from top to bottom; grey or RGB
  ImageInfo info;               // access: kTopDown or kWhole
  uint64_t tiff_directory = 0;  // where that of the page lies in a TIFF
};

// Of a page; errors as of ImageReader::Open. No pixel is decoded.
absl::StatusOr<ImageHeader> ReadHeader(const FileWatch& file, const ImageLimits& limits,
                                       int64_t page);

// RESOURCE_EXHAUSTED, naming the path, for an image that is larger than the limits.
absl::Status CheckLimits(Size size, int64_t pixel_bytes, const ImageLimits& limits,
                         const std::string& path);

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_IMAGE_IMAGE_HEADER_H_
