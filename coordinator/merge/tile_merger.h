// Merges accepted tiles into blocks: a cell is blended once, in canonical tile order,
// when all its contributors have arrived, so the bits do not depend on the order of arrival and
// memory is that of the wavefront. Not thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_MERGE_TILE_MERGER_H_
#define TILEWRIGHT_COORDINATOR_MERGE_TILE_MERGER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "coordinator/merge/canvas.h"
#include "coordinator/plan/stage_plan.h"

namespace tilewright {

class TileMerger {
 public:
  // `plan` and `sink` must outlive the merger. format.size is plan.output(). `merge` kCut takes
  // each output pixel from the tile whose side of the cut it lies on.
  TileMerger(const StagePlan& plan, const CanvasFormat& format, MergeKind merge, BlockSink& sink);
  ~TileMerger();
  TileMerger(const TileMerger&) = delete;
  TileMerger& operator=(const TileMerger&) = delete;

  // Takes a tile: `samples` is exactly plan.Contribution(tile) in format's layout. ALREADY_EXISTS
  // if the tile was added before, INVALID_ARGUMENT if there is no such tile or the byte count is
  // wrong: nothing changes. Errors of the sink pass through; its block is lost, so every later call
  // returns the same error.
  absl::Status AddTile(TileIndex tile, std::vector<std::byte> samples);

  // Leaves a tile out. Where it would have been blended, the other tile of its row stands in with
  // the whole weight, then the other row; what it alone covers is zero. The bits depend on which
  // tiles are left out, not on when that is said. Errors as of AddTile.
  absl::Status AddHole(TileIndex tile);

  // All tiles were added or left out, and every block was written.
  bool done() const;
  int64_t tiles_added() const;  // holes are not counted
  // Bytes of tiles and unfinished blocks held now.
  int64_t bytes_held() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_MERGE_TILE_MERGER_H_
