// The cells of one output axis, and which of them a row or column of tiles contributes to: the
// plan's spans, clipped to the output and, for a cut merge, divided at the cuts. Immutable after
// creation, so thread-safe; pure.

#ifndef TILEWRIGHT_COORDINATOR_MERGE_CELL_GRID_H_
#define TILEWRIGHT_COORDINATOR_MERGE_CELL_GRID_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "coordinator/plan/stage_plan.h"
#include "proto/blend/window.h"
#include "proto/geometry/axis.h"
#include "proto/geometry/rect.h"

namespace tilewright {

// A cell: its place on the two axes.
struct Cell {
  int64_t column = 0;
  int64_t row = 0;
};

class CellAxis {
 public:
  // Only the output pixels `kept` are; cells count from the first of them. What the plan covers
  // beyond is padding, or no part of what is rendered.
  CellAxis(const Axis& axis, Interval kept, MergeKind merge, Window window);

  const AxisSpan& span(int64_t cell) const { return spans_[static_cast<size_t>(cell)]; }
  // Indices of the cells that tile i contributes to; empty if it only reaches what is not kept.
  Interval CellsOfTile(int64_t i) const { return tiles_[static_cast<size_t>(i)]; }
  // The cells that hold some of the output pixels `part`, which must not be empty.
  Interval CellsUnder(Interval part) const;
  // The tiles that contribute to some of the output pixels `part`, which must not be empty.
  Interval TilesUnder(Interval part) const;
  // Weights of the later tile for the pixels `part` of a blended cell, which holds them; empty for
  // one with one tile.
  absl::Span<const uint16_t> Weights(int64_t cell, Interval part) const;

 private:
  std::vector<AxisSpan> spans_;
  std::vector<Interval> tiles_;
  int64_t first_weight_ = 0;       // of the first cell's first pixel, if that cell is blended
  std::vector<uint16_t> weights_;  // of every blended cell: all are equally wide before clipping
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_MERGE_CELL_GRID_H_
