// Where finished blocks of an output image go. Implemented by files (coordinator/image) and by
// fakes in tests.

#ifndef TILEWRIGHT_COORDINATOR_MERGE_CANVAS_H_
#define TILEWRIGHT_COORDINATOR_MERGE_CANVAS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
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

// A block that is to be written.
struct MadeBlock {
  std::vector<std::byte> samples;     // as for BlockSink::WriteBlock
  std::optional<StoredBlock> stored;  // how the output would store them, if that is known
};

// Makes a block, once, in whatever thread comes to it.
using BlockMaker = std::function<absl::StatusOr<MadeBlock>()>;

// Takes every block exactly once, in any order. Calls come from one thread at a time.
class BlockSink {
 public:
  virtual ~BlockSink() = default;
  // `samples` holds BlockRect(column, row) row-major, interleaved, without padding; it is not kept.
  virtual absl::Status WriteBlock(int64_t column, int64_t row,
                                  absl::Span<const std::byte> samples) = 0;
  // The same for a block that is still to be made, here and now or, by a sink that says so, later:
  // its error is then one of a later call. What `make` needs outlives the sink; it holds, and takes
  // while it works, no more than `bytes_max`.
  virtual absl::Status MakeBlock(int64_t column, int64_t row, int64_t /*bytes_max*/,
                                 BlockMaker make) {
    const absl::StatusOr<MadeBlock> block = make();
    return block.ok() ? WriteBlock(column, row, block->samples) : block.status();
  }
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_MERGE_CANVAS_H_
