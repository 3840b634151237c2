// Which tile that is still to come wants something that merging holds: what is wanted last is put
// away first. Reads what it refers to at every call; pure, not thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_MERGE_NEXT_TILE_H_
#define TILEWRIGHT_COORDINATOR_MERGE_NEXT_TILE_H_

#include <cstdint>
#include <vector>

#include "coordinator/merge/cell_grid.h"
#include "coordinator/plan/stage_plan.h"
#include "proto/geometry/rect.h"

namespace tilewright {

class NextTile {
 public:
  // All must outlive it. `settled`, by tile: whether it came or was left out.
  NextTile(const StagePlan& plan, const CellAxis& x, const CellAxis& y,
           const std::vector<bool>& settled)
      : plan_(plan), x_(x), y_(y), settled_(settled) {}

  // The lowest of the tile's neighbours that is not settled; tile_count() if there is none.
  int64_t OfTile(GridPlace place) const {
    return Lowest({place.column - 1, place.column + 2}, {place.row - 1, place.row + 2});
  }
  // The same of the tiles over a part of the output.
  int64_t OfBlock(const Rect& rect) const {
    return Lowest(x_.TilesUnder(rect.horizontal()), y_.TilesUnder(rect.vertical()));
  }

 private:
  int64_t Lowest(Interval columns, Interval rows) const;

  const StagePlan& plan_;
  const CellAxis& x_;
  const CellAxis& y_;
  const std::vector<bool>& settled_;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_MERGE_NEXT_TILE_H_
