// How far the cells of a plan's output are while its tiles come: which tiles are settled, and what
// follows for cells. Not thread-safe; pure.

#ifndef TILEWRIGHT_COORDINATOR_MERGE_CELL_STATES_H_
#define TILEWRIGHT_COORDINATOR_MERGE_CELL_STATES_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "coordinator/merge/cell_grid.h"
#include "coordinator/plan/stage_plan.h"
#include "coordinator/plan/wanted_tiles.h"
#include "proto/geometry/rect.h"

namespace tilewright {

//            the last of its contributors is settled
//   kOpen -------------------------------------------> kComplete
//
//   kUnwanted
enum class CellState : uint8_t {
  kOpen,      // waits for a tile that contributes to it
  kComplete,  // all of them came or were left out
  kUnwanted,  // one of them is not wanted: nobody reads the cell, it is never filled
};

class CellStates {
 public:
  // All references but `wanted` (null: all tiles) must outlive it. What is not wanted is settled
  // from the beginning.
  CellStates(const StagePlan& plan, const CellAxis& x, const CellAxis& y,
             const WantedTiles* wanted);

  // By tile: it came or was left out, or is not wanted.
  const std::vector<bool>& settled() const { return settled_; }
  bool settled(TileIndex tile) const { return settled_[static_cast<size_t>(tile.value)]; }
  // Those that are not.
  int64_t tiles_left() const { return tiles_left_; }
  // Precondition: it is not settled.
  void Settle(TileIndex tile);
  void Restore(std::vector<bool> settled);

  CellState Of(Cell cell) const;
  // Cells of the tile that are open.
  int64_t OpenCellsOf(TileIndex tile) const;
  // The smallest rectangle around them. Precondition: there is one.
  Rect OpenPart(TileIndex tile) const;
  // Pixels of a part of the output that are filled sooner or later.
  int64_t WantedPixels(const Rect& part) const;

 private:
  // Calls visit(cell) for each cell that the tile contributes to.
  template <typename Visit>
  void ForEachCell(TileIndex tile, const Visit& visit) const;

  const StagePlan& plan_;
  const CellAxis& x_;
  const CellAxis& y_;
  std::vector<bool> unwanted_;  // by tile; empty: none is
  std::vector<bool> settled_;
  int64_t tiles_left_ = 0;  // Invariant: those of settled_ that are false
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_MERGE_CELL_STATES_H_
