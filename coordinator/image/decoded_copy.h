// An uncompressed tiled TIFF with the pixels of an image that can only be decoded in order, so that
// they can be read anywhere. Thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_IMAGE_DECODED_COPY_H_
#define TILEWRIGHT_COORDINATOR_IMAGE_DECODED_COPY_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "coordinator/image/image_reader.h"

namespace tilewright {

// Writes all pixels and the metadata to `to`, which must not exist and ends in ".tif". Memory is
// that of the reader and of one row of blocks. Errors of the reader; RESOURCE_EXHAUSTED if the disk
// is full. Nothing is left behind on error.
absl::Status WriteDecodedCopy(ImageReader& reader, const std::string& to);

// What ReadAnywhere's reader of such an image says of it: what the image itself does, but for its
// access and, where a copy has to be made, the tiles that are then decoded.
ImageInfo InfoOfCopy(const ImageInfo& image);

// A reader that can read anywhere: `reader` itself if it can, else one of a decoded copy in the
// folder `scratch`, which is removed with it.
absl::StatusOr<std::unique_ptr<ImageReader>> ReadAnywhere(std::unique_ptr<ImageReader> reader,
                                                          const std::string& scratch);

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_IMAGE_DECODED_COPY_H_
