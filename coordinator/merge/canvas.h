// Where finished blocks of an output image go. Implemented by files (coordinator/image) and by
// fakes in tests.

#ifndef TILEWRIGHT_COORDINATOR_MERGE_CANVAS_H_
#define TILEWRIGHT_COORDINATOR_MERGE_CANVAS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "proto/blend/sample.h"
#include "proto/geometry/rect.h"

namespace tilewright {

// Side of a block in output pixels; also the tile side of the BigTIFF and of the pixel hash.
inline constexpr int64_t kBlockSide = 512;

struct CanvasFormat {
  Size size;  // output pixels
  int channels = 3;
  SampleType sample = SampleType::kU8;
  bool array = false;   // 2, 4 or more channels are values, not colours: none is alpha
  bool labels = false;  // samples are numbers of classes: there is no mean of them

  int64_t pixel_bytes() const { return channels * BytesPerSample(sample); }
  int64_t block_columns() const { return (size.width + kBlockSide - 1) / kBlockSide; }
  int64_t block_rows() const { return (size.height + kBlockSide - 1) / kBlockSide; }
  // Output pixels of a block, clipped at the right and bottom border.
  Rect BlockRect(int64_t column, int64_t row) const {
    return Intersect({column * kBlockSide, row * kBlockSide, kBlockSide, kBlockSide},
                     {0, 0, size.width, size.height});
  }
};

// A block as a file stores it: its tiles, row by row, one after the other.
struct StoredBlock {
  std::vector<std::byte> bytes;
  std::vector<int64_t> tile_bytes;  // of each tile
};

// Takes every block exactly once, in any order. Calls come from one thread at a time.
class BlockSink {
 public:
  virtual ~BlockSink() = default;
  // `samples` holds BlockRect(column, row) row-major, interleaved, without padding; it is not kept.
  virtual absl::Status WriteBlock(int64_t column, int64_t row,
                                  absl::Span<const std::byte> samples) = 0;
  // The same for a block of which it is known how the output would store it: what `stored` holds is
  // `samples`.
  virtual absl::Status CopyBlock(int64_t column, int64_t row, absl::Span<const std::byte> samples,
                                 StoredBlock /*stored*/) {
    return WriteBlock(column, row, samples);
  }
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_MERGE_CANVAS_H_
