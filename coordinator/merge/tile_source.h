// Where the inputs of one stage's tiles come from: a file, or what the stage before it made.
// Implementations are thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_MERGE_TILE_SOURCE_H_
#define TILEWRIGHT_COORDINATOR_MERGE_TILE_SOURCE_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "coordinator/plan/stage_plan.h"

namespace tilewright {

class TileSource {
 public:
  virtual ~TileSource() = default;
  // The input of a tile, padded, in the stage's input layout, `samples` of its size. CANCELLED if
  // the tile was dropped.
  virtual absl::Status Read(TileIndex tile, absl::Span<std::byte> samples) = 0;
  // The tile is not needed any more: it was merged, left out, or never wanted. Further calls for it
  // do nothing.
  virtual void Drop(TileIndex tile) = 0;
  // Bytes of inputs that may be needed again and are in memory for want of room elsewhere.
  virtual int64_t memory_bytes() const { return 0; }
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_MERGE_TILE_SOURCE_H_
