#include "coordinator/merge/pixel_hash.h"

#include <xxhash.h>

#include <cassert>
#include <utility>

namespace tilewright {

PixelHash::PixelHash(const CanvasFormat& format)
    : columns_(format.block_columns()),
      blocks_(static_cast<size_t>(format.block_columns() * format.block_rows()), 0) {}

void PixelHash::AddBlock(int64_t column, int64_t row, absl::Span<const std::byte> samples) {
  assert(0 <= column && column < columns_ && 0 <= row);
  blocks_.at(static_cast<size_t>(row * columns_ + column)) =
      XXH3_64bits(samples.data(), samples.size());
}

void PixelHash::set_blocks(std::vector<uint64_t> blocks) {
  assert(blocks.size() == blocks_.size());
  blocks_ = std::move(blocks);
}

uint64_t PixelHash::Finish() const {
  std::vector<uint8_t> bytes;
  bytes.reserve(blocks_.size() * sizeof(uint64_t));
  for (uint64_t hash : blocks_) {
    for (int shift = 0; shift < 64; shift += 8)
      bytes.push_back(static_cast<uint8_t>(hash >> shift));
  }
  return XXH3_64bits(bytes.data(), bytes.size());
}

}  // namespace tilewright
