// The pixel hash of an image: XXH3-64 over the little-endian XXH3-64 values of its
// decoded 512×512 blocks, clipped at the border, in row order. Not thread-safe; pure.

#ifndef TILEWRIGHT_COORDINATOR_MERGE_PIXEL_HASH_H_
#define TILEWRIGHT_COORDINATOR_MERGE_PIXEL_HASH_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "coordinator/merge/canvas.h"

namespace tilewright {

class PixelHash {
 public:
  explicit PixelHash(const CanvasFormat& format);

  // Adds a block, in any order; repeating one changes nothing. Different blocks may be added at the
  // same time. `samples` as for BlockSink::WriteBlock.
  void AddBlock(int64_t column, int64_t row, absl::Span<const std::byte> samples);
  // XXH3-64 of each block by row * block_columns + column; 0 of one that was not added.
  // Precondition of set_blocks: as many as the format has.
  const std::vector<uint64_t>& blocks() const { return blocks_; }
  void set_blocks(std::vector<uint64_t> blocks);
  // Precondition: every block was added.
  uint64_t Finish() const;

 private:
  int64_t columns_;
  std::vector<uint64_t> blocks_;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_MERGE_PIXEL_HASH_H_
