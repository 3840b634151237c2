// The pixel hash of an image file, whatever its format: what two renders of one job must have in
// common. Thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_IMAGE_FILE_HASH_H_
#define TILEWRIGHT_COORDINATOR_IMAGE_FILE_HASH_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace tilewright {

// Decodes the whole image, pixels as stored, and gives the PixelHash of its blocks. Errors as of
// ImageReader.
absl::StatusOr<uint64_t> PixelHashOfFile(const std::string& path);

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_IMAGE_FILE_HASH_H_
