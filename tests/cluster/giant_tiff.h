// Pictures of any size in files of a few kilobytes: tiled deflate BigTIFFs whose tile table points
// all tiles at one stored tile. Thread-safe: a function.

#ifndef TILEWRIGHT_TESTS_CLUSTER_GIANT_TIFF_H_
#define TILEWRIGHT_TESTS_CLUSTER_GIANT_TIFF_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace tilewright {

// Writes a picture of RGB u8 whose 512 x 512 tiles are all the same gradient.
absl::Status WriteGiantTiff(const std::string& path, uint32_t width, uint32_t height);

}  // namespace tilewright

#endif  // TILEWRIGHT_TESTS_CLUSTER_GIANT_TIFF_H_
