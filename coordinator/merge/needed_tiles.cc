#include "coordinator/merge/needed_tiles.h"

#include <cassert>
#include <cstdint>
#include <utility>
#include <vector>

#include "coordinator/merge/cell_grid.h"
#include "coordinator/merge/padding.h"

namespace tilewright {
namespace {

// Along one axis, for each tile of the next stage: the tiles under what it takes of the image.
std::vector<Interval> TilesUnderEach(const Axis& next, Interval image, PadMode pad,
                                     const CellAxis& cells) {
  std::vector<Interval> under;
  for (int64_t tile = 0; tile < next.tile_count(); ++tile) {
    const Interval input = next.Input(tile);
    const Rect taken = PixelsTaken({input.begin, 0, input.length(), 1}, {image.length(), 1}, pad);
    under.push_back(cells.TilesUnder(taken.horizontal()));
  }
  return under;
}

}  // namespace

WantedTiles NeededTiles(const StagePlan& before, MergeKind merge, const StagePlan& next,
                        const WantedTiles& wanted) {
  assert(before.output() == next.image());
  if (wanted.skipped() == 0) return WantedTiles(before);  // together they read every cell
  const Rect& image = before.part();
  const PadMode pad = next.model().pad_mode;
  const std::vector<Interval> columns =
      TilesUnderEach(next.x(), image.horizontal(), pad,
                     CellAxis(before.x(), image.horizontal(), merge, before.window()));
  const std::vector<Interval> rows =
      TilesUnderEach(next.y(), image.vertical(), pad,
                     CellAxis(before.y(), image.vertical(), merge, before.window()));
  std::vector<bool> needed(static_cast<size_t>(before.tile_count()), false);
  for (int64_t number = 0; number < wanted.count(); ++number) {
    const GridPlace place = next.PlaceOf(wanted.at(number));
    const Interval under_x = columns[static_cast<size_t>(place.column)];
    const Interval under_y = rows[static_cast<size_t>(place.row)];
    for (int64_t row = under_y.begin; row < under_y.end; ++row) {
      for (int64_t column = under_x.begin; column < under_x.end; ++column) {
        needed[static_cast<size_t>(before.IndexAt({column, row}).value)] = true;
      }
    }
  }
  std::vector<int64_t> tiles;
  for (int64_t tile = 0; tile < before.tile_count(); ++tile) {
    if (needed[static_cast<size_t>(tile)]) tiles.push_back(tile);
  }
  return WantedTiles(before, std::move(tiles));
}

}  // namespace tilewright
