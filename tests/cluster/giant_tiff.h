// Pictures of any size in small files: tiled deflate BigTIFFs, u8, whose tile table points equal
// tiles at one stored tile. Thread-safe: functions and values.

#ifndef TILEWRIGHT_TESTS_CLUSTER_GIANT_TIFF_H_
#define TILEWRIGHT_TESTS_CLUSTER_GIANT_TIFF_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace tilewright {

inline constexpr uint32_t kGiantTileSide = 512;

struct GiantTiff {
  uint32_t width = 0;              // pixels
  uint32_t height = 0;             // pixels
  uint32_t channels = 3;           // 1: grey, 3: RGB
  std::vector<std::string> tiles;  // samples of each stored tile, row by row
  // Which of them is the tile in that column and row of tiles.
  std::function<size_t(uint32_t column, uint32_t row)> tile_at;
};
absl::Status WriteGiantTiff(const std::string& path, const GiantTiff& tiff);

// Samples of an RGB tile: gradients, which pack into little.
std::string GradientTile();
// The same with noise in places, which pack into about 30 kB.
std::string TexturedTile();
// A picture whose tiles are all GradientTile.
absl::Status WriteGiantTiff(const std::string& path, uint32_t width, uint32_t height);

}  // namespace tilewright

#endif  // TILEWRIGHT_TESTS_CLUSTER_GIANT_TIFF_H_
