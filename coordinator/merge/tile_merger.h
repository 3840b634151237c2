// Merges accepted tiles into blocks: a cell is blended once, in canonical tile order,
// when all its contributors have arrived, so the bits do not depend on the order of arrival and
// memory is that of the wavefront. What exceeds a bound, and is wanted last, waits in a scratch
// instead. Not thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_MERGE_TILE_MERGER_H_
#define TILEWRIGHT_COORDINATOR_MERGE_TILE_MERGER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "coordinator/merge/canvas.h"
#include "coordinator/merge/merger_state.h"
#include "coordinator/merge/scratch.h"
#include "coordinator/plan/stage_plan.h"
#include "coordinator/plan/wanted_tiles.h"

namespace tilewright {

class TileMerger {
 public:
  // `plan`, `sink` and `scratch` (null: none) must outlive the merger. format.size is
  // plan.output(). `merge` kCut takes each output pixel from the tile whose side of the cut it lies
  // on. Tiles that are not in `wanted` (null: all are) count as left out from the beginning; cells
  // that they contribute to are never filled, so a block's samples there may be anything, and a
  // block without another cell is not written.
  TileMerger(const StagePlan& plan, const CanvasFormat& format, MergeKind merge, BlockSink& sink,
             Scratch* scratch = nullptr, const WantedTiles* wanted = nullptr);
  ~TileMerger();
  TileMerger(const TileMerger&) = delete;
  TileMerger& operator=(const TileMerger&) = delete;

  // Takes a tile: `samples` is exactly plan.Contribution(tile) in format's layout. ALREADY_EXISTS
  // if the tile was added before, INVALID_ARGUMENT if there is no such tile or the byte count is
  // wrong: nothing changes. Errors of the sink and the scratch, but a full one, pass through;
  // something is lost, so every later call returns the same error.
  absl::Status AddTile(TileIndex tile, std::vector<std::byte> samples);

  // Leaves a tile out. Where it would have been blended, the other tile of its row stands in with
  // the whole weight, then the other row; what it alone covers is zero. The bits depend on which
  // tiles are left out, not on when that is said. Errors as of AddTile.
  absl::Status AddHole(TileIndex tile);

  // What there is of it, with a copy in the scratch of all that lies in memory alone. An error of
  // the scratch loses nothing. Precondition: there is a scratch.
  absl::StatusOr<MergerState> Save();
  // Goes on from such a state of a merger of the same plan, format and merge kind, on a scratch
  // that still has the slots; all lies there at first. INVALID_ARGUMENT if it is of another one:
  // nothing changes. Precondition: nothing was added or left out yet.
  absl::Status Restore(const MergerState& state);
  // Whether the tile was added or left out.
  bool settled(TileIndex tile) const;
  // Instead of the tiles that are still to come: writes the blocks that are not complete but have
  // begun, and with `all` those that have not too. A pixel that waits for a tile is zero in them,
  // every other one is as it would be. Errors as of AddTile; nothing may be added after it.
  absl::Status WriteUnfinished(bool all);

  // All wanted tiles were added or left out, and every block that they reach was written.
  bool done() const;
  int64_t tiles_added() const;  // holes are not counted
  // Bytes of tiles and unfinished blocks held now.
  int64_t bytes_held() const;
  int64_t bytes_held_peak() const;  // the most it ever was, within calls too
  // Bytes of them in the scratch now.
  int64_t bytes_spilled() const;
  // From the next call on bytes_held() stays within this or BytesNeeded(), whichever is more, if
  // there is a scratch that has room; until then it is unbounded.
  void set_bytes_max(int64_t bytes_max);
  // Puts away what exceeds that. RESOURCE_EXHAUSTED, in the scratch's words, if it is full: nothing
  // is lost, but each further tile would exceed the bound by more. Its other errors as of AddTile.
  absl::Status FindRoom();
  // What merging one tile takes: the four tiles of a corner and a block.
  static int64_t BytesNeeded(const StagePlan& plan, const CanvasFormat& format);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_MERGE_TILE_MERGER_H_
