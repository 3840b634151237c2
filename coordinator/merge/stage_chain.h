// Between two stages of a job: which tiles of the later one read which blocks that the earlier one
// finishes, which of them are complete, and which blocks nobody needs any more. Counts come from
// the plans, so every step costs what it touches. Not thread-safe; pure.

#ifndef TILEWRIGHT_COORDINATOR_MERGE_STAGE_CHAIN_H_
#define TILEWRIGHT_COORDINATOR_MERGE_STAGE_CHAIN_H_

#include <cstdint>
#include <set>
#include <vector>

#include "coordinator/merge/canvas.h"
#include "coordinator/merge/cell_grid.h"
#include "coordinator/plan/stage_plan.h"

namespace tilewright {

class StageChain {
 public:
  // Tiles whose input is complete: it is there, or it holds pixels that were left out.
  struct Complete {
    std::vector<int64_t> tiles;
    std::vector<int64_t> left_out;
  };

  // `image` is what the plan `before`, which is not clipped to a region, makes, merged by `merge`,
  // and `next` reads. Both plans must outlive the chain.
  StageChain(const StagePlan& before, MergeKind merge, const CanvasFormat& image,
             const StagePlan& next);

  int64_t BlockIndex(int64_t column, int64_t row) const { return row * columns_ + column; }

  // The earlier stage's tile is left out; before a block that it contributes to is added.
  void AddHole(TileIndex tile) { holes_.insert(tile.value); }
  // The block is final; once for each. Appends the tiles that waited for it alone and were not
  // dropped.
  void AddBlock(int64_t column, int64_t row, Complete* complete);
  // The later stage's tile needs its input no more, or never did; once for each. Returns the blocks
  // that nobody else needs, added or not.
  std::vector<int64_t> DropTile(TileIndex tile);

  // Of the image, what a tile of the later stage takes.
  Rect Source(TileIndex tile) const;
  // Whether all blocks under the tile were added.
  bool IsComplete(TileIndex tile) const { return missing_[static_cast<size_t>(tile.value)] == 0; }
  // Whether some tile that was not dropped reads the block.
  bool IsNeeded(int64_t block) const { return readers_[static_cast<size_t>(block)] > 0; }
  // The first of the tiles that read the block and were not dropped; tile_count() if there is none.
  int64_t FirstReader(int64_t block) const;

 private:
  // One axis: what each tile takes, in blocks, and the tiles that take of each block.
  struct Side {
    std::vector<Interval> blocks_of_tile;
    std::vector<std::vector<int64_t>> tiles_of_block;
  };
  // The same of the image's pixels along one axis.
  static Side MakeSide(const Axis& axis, int64_t pixels, PadMode pad);
  // Whether the tile takes a pixel that only holes contribute to.
  bool TakesHole(TileIndex tile) const;

  const StagePlan& before_;
  const StagePlan& next_;
  const Size image_;
  const int64_t columns_;  // of blocks
  const CellAxis cells_x_, cells_y_;
  const Side x_, y_;
  std::set<int64_t> holes_;
  std::vector<int32_t> missing_;  // blocks under each tile that were not added
  std::vector<int32_t> readers_;  // tiles over each block that were not dropped
  std::vector<bool> dropped_;     // by tile
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_MERGE_STAGE_CHAIN_H_
