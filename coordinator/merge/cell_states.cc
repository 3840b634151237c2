#include "coordinator/merge/cell_states.h"

#include <algorithm>
#include <cassert>

namespace tilewright {

CellStates::CellStates(const StagePlan& plan, const CellAxis& x, const CellAxis& y,
                       const WantedTiles* wanted)
    : plan_(plan),
      x_(x),
      y_(y),
      settled_(static_cast<size_t>(plan.tile_count()), false),
      tiles_left_(plan.tile_count()) {
  if (wanted == nullptr || wanted->skipped() == 0) return;
  unwanted_.resize(settled_.size(), false);
  wanted->ForEachSkipped([this](TileIndex tile) {
    unwanted_[static_cast<size_t>(tile.value)] = true;
    Settle(tile);
  });
}

void CellStates::Settle(TileIndex tile) {
  assert(!settled(tile));
  settled_[static_cast<size_t>(tile.value)] = true;
  --tiles_left_;
}

void CellStates::Restore(std::vector<bool> settled) {
  assert(settled.size() == settled_.size());
  settled_ = std::move(settled);
  tiles_left_ = std::count(settled_.begin(), settled_.end(), false);
}

CellState CellStates::Of(Cell cell) const {
  const AxisSpan& x = x_.span(cell.column);
  const AxisSpan& y = y_.span(cell.row);
  CellState state = CellState::kComplete;
  for (int64_t j = y.first_tile; j <= y.first_tile + (y.blended ? 1 : 0); ++j) {
    for (int64_t i = x.first_tile; i <= x.first_tile + (x.blended ? 1 : 0); ++i) {
      const auto tile = static_cast<size_t>(plan_.IndexAt({i, j}).value);
      if (!unwanted_.empty() && unwanted_[tile]) return CellState::kUnwanted;
      if (!settled_[tile]) state = CellState::kOpen;
    }
  }
  return state;
}

template <typename Visit>
void CellStates::ForEachCell(TileIndex tile, const Visit& visit) const {
  const GridPlace place = plan_.PlaceOf(tile);
  const Interval columns = x_.CellsOfTile(place.column);
  const Interval rows = y_.CellsOfTile(place.row);
  for (int64_t row = rows.begin; row < rows.end; ++row) {
    for (int64_t column = columns.begin; column < columns.end; ++column) visit(Cell{column, row});
  }
}

int64_t CellStates::OpenCellsOf(TileIndex tile) const {
  int64_t open = 0;
  ForEachCell(tile, [&](Cell cell) { open += Of(cell) == CellState::kOpen; });
  return open;
}

Rect CellStates::OpenPart(TileIndex tile) const {
  Interval horizontal{plan_.output().width, 0};
  Interval vertical{plan_.output().height, 0};
  ForEachCell(tile, [&](Cell cell) {
    if (Of(cell) != CellState::kOpen) return;
    const Interval x = x_.span(cell.column).output;
    const Interval y = y_.span(cell.row).output;
    horizontal = {std::min(horizontal.begin, x.begin), std::max(horizontal.end, x.end)};
    vertical = {std::min(vertical.begin, y.begin), std::max(vertical.end, y.end)};
  });
  return Rect::FromIntervals(horizontal, vertical);
}

int64_t CellStates::WantedPixels(const Rect& part) const {
  if (unwanted_.empty()) return part.area();
  const Interval columns = x_.CellsUnder(part.horizontal());
  const Interval rows = y_.CellsUnder(part.vertical());
  int64_t pixels = 0;
  for (int64_t row = rows.begin; row < rows.end; ++row) {
    for (int64_t column = columns.begin; column < columns.end; ++column) {
      if (Of({column, row}) == CellState::kUnwanted) continue;
      const Rect cell = Rect::FromIntervals(x_.span(column).output, y_.span(row).output);
      pixels += Intersect(cell, part).area();
    }
  }
  return pixels;
}

}  // namespace tilewright
