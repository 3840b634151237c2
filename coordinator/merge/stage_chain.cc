#include "coordinator/merge/stage_chain.h"

#include <algorithm>
#include <cassert>

#include "coordinator/merge/padding.h"

namespace tilewright {

StageChain::StageChain(const StagePlan& before, MergeKind merge, const CanvasFormat& image,
                       const StagePlan& next)
    : before_(before),
      next_(next),
      image_(image.size),
      columns_(image.block_columns()),
      cells_x_(before.x(), before.part().horizontal(), merge, before.window()),
      cells_y_(before.y(), before.part().vertical(), merge, before.window()),
      x_(MakeSide(next.x(), image.size.width, next.model().pad_mode)),
      y_(MakeSide(next.y(), image.size.height, next.model().pad_mode)),
      missing_(static_cast<size_t>(next.tile_count())),
      readers_(static_cast<size_t>(image.block_columns() * image.block_rows())),
      dropped_(static_cast<size_t>(next.tile_count()), false) {
  assert(next.image() == image.size);
  for (int64_t tile = 0; tile < next.tile_count(); ++tile) {
    const GridPlace place = next.PlaceOf({tile});
    const Interval columns = x_.blocks_of_tile[static_cast<size_t>(place.column)];
    const Interval rows = y_.blocks_of_tile[static_cast<size_t>(place.row)];
    missing_[static_cast<size_t>(tile)] = static_cast<int32_t>(columns.length() * rows.length());
  }
  for (size_t row = 0; row < y_.tiles_of_block.size(); ++row) {
    for (size_t column = 0; column < x_.tiles_of_block.size(); ++column) {
      readers_[row * static_cast<size_t>(columns_) + column] =
          static_cast<int32_t>(x_.tiles_of_block[column].size() * y_.tiles_of_block[row].size());
    }
  }
}

StageChain::Side StageChain::MakeSide(const Axis& axis, int64_t pixels, PadMode pad) {
  Side side;
  side.tiles_of_block.resize(static_cast<size_t>((pixels + kBlockSide - 1) / kBlockSide));
  for (int64_t tile = 0; tile < axis.tile_count(); ++tile) {
    const Interval input = axis.Input(tile);
    const Rect taken = PixelsTaken({input.begin, 0, input.length(), 1}, {pixels, 1}, pad);
    const Interval blocks{taken.x / kBlockSide, (taken.right() - 1) / kBlockSide + 1};
    side.blocks_of_tile.push_back(blocks);
    for (int64_t block = blocks.begin; block < blocks.end; ++block) {
      side.tiles_of_block[static_cast<size_t>(block)].push_back(tile);
    }
  }
  return side;
}

void StageChain::AddBlock(int64_t column, int64_t row, Complete* complete) {
  for (const int64_t j : y_.tiles_of_block[static_cast<size_t>(row)]) {
    for (const int64_t i : x_.tiles_of_block[static_cast<size_t>(column)]) {
      const TileIndex tile = next_.IndexAt({i, j});
      if (--missing_[static_cast<size_t>(tile.value)] > 0 ||
          dropped_[static_cast<size_t>(tile.value)])
        continue;
      (TakesHole(tile) ? complete->left_out : complete->tiles).push_back(tile.value);
    }
  }
}

std::vector<int64_t> StageChain::DropTile(TileIndex tile) {
  assert(!dropped_[static_cast<size_t>(tile.value)]);
  dropped_[static_cast<size_t>(tile.value)] = true;
  const GridPlace place = next_.PlaceOf(tile);
  const Interval columns = x_.blocks_of_tile[static_cast<size_t>(place.column)];
  const Interval rows = y_.blocks_of_tile[static_cast<size_t>(place.row)];
  std::vector<int64_t> unneeded;
  for (int64_t row = rows.begin; row < rows.end; ++row) {
    for (int64_t column = columns.begin; column < columns.end; ++column) {
      const int64_t block = BlockIndex(column, row);
      if (--readers_[static_cast<size_t>(block)] == 0) unneeded.push_back(block);
    }
  }
  return unneeded;
}

Rect StageChain::Source(TileIndex tile) const {
  return PixelsTaken(next_.InputRect(tile), image_, next_.model().pad_mode);
}

int64_t StageChain::FirstReader(int64_t block) const {
  int64_t first = next_.tile_count();
  for (const int64_t j : y_.tiles_of_block[static_cast<size_t>(block / columns_)]) {
    for (const int64_t i : x_.tiles_of_block[static_cast<size_t>(block % columns_)]) {
      const int64_t tile = next_.IndexAt({i, j}).value;
      if (!dropped_[static_cast<size_t>(tile)]) first = std::min(first, tile);
    }
  }
  return first;
}

bool StageChain::TakesHole(TileIndex tile) const {
  if (holes_.empty()) return false;
  const Rect source = Source(tile);
  const auto hole = [this](int64_t column, int64_t row) {
    return holes_.contains(before_.IndexAt({column, row}).value);
  };
  const Interval columns = cells_x_.TilesUnder(source.horizontal());
  const Interval rows = cells_y_.TilesUnder(source.vertical());
  for (int64_t j = rows.begin; j < rows.end; ++j) {
    for (int64_t i = columns.begin; i < columns.end; ++i) {
      if (!hole(i, j)) continue;
      const Interval cells_x = cells_x_.CellsOfTile(i);
      const Interval cells_y = cells_y_.CellsOfTile(j);
      for (int64_t cy = cells_y.begin; cy < cells_y.end; ++cy) {
        for (int64_t cx = cells_x.begin; cx < cells_x.end; ++cx) {
          const AxisSpan& x = cells_x_.span(cx);
          const AxisSpan& y = cells_y_.span(cy);
          if (Intersect(Rect::FromIntervals(x.output, y.output), source).empty()) continue;
          bool all = true;
          for (int64_t b = y.first_tile; b <= y.first_tile + (y.blended ? 1 : 0); ++b) {
            for (int64_t a = x.first_tile; a <= x.first_tile + (x.blended ? 1 : 0); ++a) {
              all = all && hole(a, b);
            }
          }
          if (all) return true;
        }
      }
    }
  }
  return false;
}

}  // namespace tilewright
