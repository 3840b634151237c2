// Runs an engine over a picture, whole and tile by tile, as a job does: tiles by the axis rule,
// contributions pasted.

#ifndef TILEWRIGHT_TESTS_WORKER_ENGINE_TILING_H_
#define TILEWRIGHT_TESTS_WORKER_ENGINE_TILING_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/geometry/rect.h"
#include "worker/engine/engine.h"

namespace tilewright {

// Network values, row-major and interleaved.
struct Picture {
  Size size;
  int channels = 0;
  std::vector<float> values;
};

// A picture of k / 255: broad waves of random direction and a little noise, as photographs are.
Picture SmoothPicture(Size size, int channels, uint64_t seed);
// Independent noise k / 255.
Picture NoisePicture(Size size, int channels, uint64_t seed);

// Tiles of three channels of independent noise, with the indices 0, 1, ...
std::vector<NetworkTile> NoiseTiles(int count, Size size);

// In fp32.
StageKey KeyFor(const LocalModel& model, Size shape, int batch = 1, int channels = 3);

// The whole picture as one tile.
absl::StatusOr<Picture> RunWhole(Engine& engine, const LocalModel& model, const Picture& picture);
// Tile by tile at tile side `tile` and halo `halo`, hard cuts. The model's scale comes from its
// manifest.
absl::StatusOr<Picture> RunTiled(Engine& engine, const LocalModel& model, const Picture& picture,
                                 int64_t tile, int64_t halo);

// How two pictures of one size differ after quantising to u8, and before.
struct Difference {
  bool same_bits = false;
  int64_t samples = 0;
  int64_t off = 0;     // samples whose u8 values differ
  int max_lsb = 0;     // the largest difference of u8 values
  double max_raw = 0;  // the largest difference of network values
  std::string Text() const;
};
Difference Compare(const Picture& a, const Picture& b);

}  // namespace tilewright

#endif  // TILEWRIGHT_TESTS_WORKER_ENGINE_TILING_H_
