#include "coordinator/merge/tile_merger.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "coordinator/merge/block_pool.h"
#include "coordinator/merge/cell_grid.h"
#include "proto/base/status_macros.h"
#include "proto/blend/cell.h"

namespace tilewright {
namespace {

// Free block buffers kept for the next block: 48 MiB for RGB u8.
constexpr size_t kFreeBlocksMax = 64;
// A waiting tile is cropped once what it still owes fits into this share of it: copying so little
// costs next to nothing, and keeps a row of the wavefront at the height of the blend zone instead
// of the tile's.
constexpr int64_t kCropShare = 8;

struct HeldTile {
  Rect rect;  // output pixels that `samples` holds
  std::vector<std::byte> samples;
  int64_t open_cells = 0;
};

struct OpenBlock {
  BlockPool::Buffer samples;
  int64_t missing = 0;  // pixels
};

// A cell: its place on the two axes.
struct Cell {
  int64_t column = 0;
  int64_t row = 0;
};

}  // namespace

class TileMerger::Impl {
 public:
  Impl(const StagePlan& plan, const CanvasFormat& format, MergeKind merge, BlockSink& sink)
      : plan_(plan),
        format_(format),
        sink_(sink),
        x_(plan.x(), format.size.width, merge, plan.window()),
        y_(plan.y(), format.size.height, merge, plan.window()),
        pool_(format.BlockRect(0, 0).area() * format.pixel_bytes(), kFreeBlocksMax),
        settled_(static_cast<size_t>(plan.tile_count()), false),
        tiles_left_(plan.tile_count()),
        blocks_left_(format.block_columns() * format.block_rows()) {
    assert(format.size == plan.output());
  }

  absl::Status AddTile(TileIndex tile, std::vector<std::byte> samples) {
    TW_RETURN_IF_ERROR(CheckOpen(tile));
    const Rect rect = plan_.Contribution(tile);
    const int64_t expected = rect.area() * format_.pixel_bytes();
    if (static_cast<int64_t>(samples.size()) != expected) {
      return absl::InvalidArgumentError(absl::StrCat("merging: tile ", tile.value, " has ",
                                                     samples.size(), " bytes where its ",
                                                     ToString(rect), " pixels need ", expected));
    }
    ++tiles_added_;
    held_bytes_ += expected;
    held_[tile.value] = {rect, std::move(samples), CellsOf(tile)};
    return Settle(tile);
  }

  absl::Status AddHole(TileIndex tile) {
    TW_RETURN_IF_ERROR(CheckOpen(tile));
    return Settle(tile);
  }

  bool done() const { return tiles_left_ == 0 && blocks_left_ == 0; }
  int64_t tiles_added() const { return tiles_added_; }
  int64_t bytes_held() const { return held_bytes_ + open_bytes_; }

 private:
  // OK if the tile was neither added nor left out yet.
  absl::Status CheckOpen(TileIndex tile) const {
    TW_RETURN_IF_ERROR(broken_);
    if (tile.value < 0 || tile.value >= plan_.tile_count()) {
      return absl::InvalidArgumentError(absl::StrCat("merging: there is no tile ", tile.value,
                                                     ": the plan has ", plan_.tile_count()));
    }
    if (settled_[static_cast<size_t>(tile.value)]) {
      return absl::AlreadyExistsError(
          absl::StrCat("merging: tile ", tile.value, " was merged or left out before"));
    }
    return absl::OkStatus();
  }

  int64_t CellsOf(TileIndex tile) const {
    const GridPlace place = plan_.PlaceOf(tile);
    return x_.CellsOfTile(place.column).length() * y_.CellsOfTile(place.row).length();
  }

  // Nothing more comes of this tile: merges the cells that waited for it alone.
  absl::Status Settle(TileIndex tile) {
    settled_[static_cast<size_t>(tile.value)] = true;
    --tiles_left_;
    const auto [x, y] = plan_.PlaceOf(tile);
    const Interval columns = x_.CellsOfTile(x);
    const Interval rows = y_.CellsOfTile(y);
    for (int64_t row = rows.begin; row < rows.end; ++row) {
      for (int64_t column = columns.begin; column < columns.end; ++column) {
        if (!Complete({column, row})) continue;
        broken_ = Merge({column, row});
        TW_RETURN_IF_ERROR(broken_);
      }
    }
    // Neighbours too: this tile may have closed all but a strip of them.
    for (int64_t j = std::max<int64_t>(y - 1, 0); j <= y + 1 && j < plan_.y().tile_count(); ++j) {
      for (int64_t i = std::max<int64_t>(x - 1, 0); i <= x + 1 && i < plan_.x().tile_count(); ++i) {
        Trim(i, j);
      }
    }
    return absl::OkStatus();
  }

  int64_t TileAt(int64_t column, int64_t row) const { return plan_.IndexAt({column, row}).value; }

  // Nothing more comes for the cell: its contributors have arrived or are left out.
  bool Complete(Cell cell) const {
    const AxisSpan& x = x_.span(cell.column);
    const AxisSpan& y = y_.span(cell.row);
    for (int64_t j = y.first_tile; j <= y.first_tile + (y.blended ? 1 : 0); ++j) {
      for (int64_t i = x.first_tile; i <= x.first_tile + (x.blended ? 1 : 0); ++i) {
        if (!settled_[static_cast<size_t>(TileAt(i, j))]) return false;
      }
    }
    return true;
  }

  // Where `rect` begins in the samples of a tile that contributes to it; null for a hole.
  CellSource Source(int64_t column, int64_t row, const Rect& rect) const {
    const auto found = held_.find(TileAt(column, row));
    if (found == held_.end()) return {};
    const HeldTile& tile = found->second;
    assert(tile.rect.Contains(rect));
    const int64_t row_bytes = tile.rect.width * format_.pixel_bytes();
    return {tile.samples.data() + (rect.y - tile.rect.y) * row_bytes +
                (rect.x - tile.rect.x) * format_.pixel_bytes(),
            row_bytes};
  }

  // Blends a complete cell into the blocks under it.
  absl::Status Merge(Cell cell) {
    const AxisSpan& x = x_.span(cell.column);
    const AxisSpan& y = y_.span(cell.row);
    for (int64_t row = y.output.begin / kBlockSide; row * kBlockSide < y.output.end; ++row) {
      for (int64_t column = x.output.begin / kBlockSide; column * kBlockSide < x.output.end;
           ++column) {
        TW_RETURN_IF_ERROR(MergeIntoBlock(cell, column, row));
      }
    }
    for (int64_t j = y.first_tile; j <= y.first_tile + (y.blended ? 1 : 0); ++j) {
      for (int64_t i = x.first_tile; i <= x.first_tile + (x.blended ? 1 : 0); ++i) {
        const auto held = held_.find(TileAt(i, j));
        if (held != held_.end()) --held->second.open_cells;
      }
    }
    return absl::OkStatus();
  }

  absl::Status MergeIntoBlock(Cell cell, int64_t column, int64_t row) {
    const AxisSpan& x = x_.span(cell.column);
    const AxisSpan& y = y_.span(cell.row);
    const Rect block_rect = format_.BlockRect(column, row);
    const Rect part = Intersect(Rect::FromIntervals(x.output, y.output), block_rect);
    const int64_t block_index = row * format_.block_columns() + column;
    const int64_t block_bytes = block_rect.area() * format_.pixel_bytes();
    OpenBlock& block = open_[block_index];
    if (block.samples == nullptr) {
      block = {pool_.Take(), block_rect.area()};
      open_bytes_ += block_bytes;
    }

    CellJob job;
    job.type = format_.sample;
    job.channels = format_.channels;
    job.size = part.size();
    job.wx = x_.Weights(cell.column, part.horizontal());
    job.wy = y_.Weights(cell.row, part.vertical());
    job.p00 = Source(x.first_tile, y.first_tile, part);
    if (x.blended) job.p10 = Source(x.first_tile + 1, y.first_tile, part);
    if (y.blended) job.p01 = Source(x.first_tile, y.first_tile + 1, part);
    if (x.blended && y.blended) job.p11 = Source(x.first_tile + 1, y.first_tile + 1, part);
    job.out_row_bytes = block_rect.width * format_.pixel_bytes();
    job.out = block.samples.get() + (part.y - block_rect.y) * job.out_row_bytes +
              (part.x - block_rect.x) * format_.pixel_bytes();
    const bool only_holes = job.p00.data == nullptr && job.p10.data == nullptr &&
                            job.p01.data == nullptr && job.p11.data == nullptr;
    if (only_holes) {
      Clear(job);
    } else {
      BlendCell(job);
    }

    block.missing -= part.area();
    assert(block.missing >= 0);
    if (block.missing > 0) return absl::OkStatus();
    BlockPool::Buffer samples = std::move(block.samples);
    open_.erase(block_index);
    open_bytes_ -= block_bytes;
    --blocks_left_;
    absl::Status written = sink_.WriteBlock(
        column, row, absl::MakeConstSpan(samples.get(), static_cast<size_t>(block_bytes)));
    pool_.Return(std::move(samples));
    return written;
  }

  static void Clear(const CellJob& job) {
    const auto row_bytes =
        static_cast<size_t>(job.size.width * job.channels * BytesPerSample(job.type));
    for (int64_t y = 0; y < job.size.height; ++y) {
      std::memset(job.out + y * job.out_row_bytes, 0, row_bytes);
    }
  }

  // Lets go of what no open cell needs of the tile at (column, row), if it is held.
  void Trim(int64_t column, int64_t row) {
    const auto held = held_.find(TileAt(column, row));
    if (held == held_.end()) return;
    HeldTile& tile = held->second;
    if (tile.open_cells == 0) {
      held_bytes_ -= static_cast<int64_t>(tile.samples.size());
      held_.erase(held);
      return;
    }
    const Rect needed = OpenPart(column, row);
    if (needed.area() * kCropShare > tile.rect.area()) return;
    const int64_t row_bytes = needed.width * format_.pixel_bytes();
    std::vector<std::byte> cropped;
    cropped.reserve(static_cast<size_t>(row_bytes * needed.height));
    for (int64_t y = 0; y < needed.height; ++y) {
      const std::byte* line = Source(column, row, {needed.x, needed.y + y, needed.width, 1}).data;
      cropped.insert(cropped.end(), line, line + row_bytes);
    }
    held_bytes_ += static_cast<int64_t>(cropped.size()) - static_cast<int64_t>(tile.samples.size());
    tile.rect = needed;
    tile.samples = std::move(cropped);
  }

  // The smallest rectangle around the open cells of a tile. Precondition: it has one.
  Rect OpenPart(int64_t column, int64_t row) const {
    const Interval columns = x_.CellsOfTile(column);
    const Interval rows = y_.CellsOfTile(row);
    Interval horizontal{format_.size.width, 0};
    Interval vertical{format_.size.height, 0};
    for (int64_t j = rows.begin; j < rows.end; ++j) {
      for (int64_t i = columns.begin; i < columns.end; ++i) {
        if (Complete({i, j})) continue;
        const Interval x = x_.span(i).output;
        const Interval y = y_.span(j).output;
        horizontal = {std::min(horizontal.begin, x.begin), std::max(horizontal.end, x.end)};
        vertical = {std::min(vertical.begin, y.begin), std::max(vertical.end, y.end)};
      }
    }
    return Rect::FromIntervals(horizontal, vertical);
  }

  const StagePlan& plan_;
  const CanvasFormat format_;
  BlockSink& sink_;
  const CellAxis x_;
  const CellAxis y_;
  BlockPool pool_;

  std::vector<bool> settled_;  // by tile: added, or left out
  int64_t tiles_left_;         // Invariant: those of settled_ that are false
  int64_t tiles_added_ = 0;
  // Tiles that open cells wait for. Invariant between calls: open_cells > 0.
  absl::flat_hash_map<int64_t, HeldTile> held_;
  int64_t held_bytes_ = 0;
  // By row * block_columns + column. Invariant between calls: 0 < missing < the block's pixels.
  absl::flat_hash_map<int64_t, OpenBlock> open_;
  int64_t open_bytes_ = 0;
  int64_t blocks_left_;
  absl::Status broken_;  // the first error of the sink
};

TileMerger::TileMerger(const StagePlan& plan, const CanvasFormat& format, MergeKind merge,
                       BlockSink& sink)
    : impl_(std::make_unique<Impl>(plan, format, merge, sink)) {}
TileMerger::~TileMerger() = default;

absl::Status TileMerger::AddTile(TileIndex tile, std::vector<std::byte> samples) {
  return impl_->AddTile(tile, std::move(samples));
}
absl::Status TileMerger::AddHole(TileIndex tile) { return impl_->AddHole(tile); }
bool TileMerger::done() const { return impl_->done(); }
int64_t TileMerger::tiles_added() const { return impl_->tiles_added(); }
int64_t TileMerger::bytes_held() const { return impl_->bytes_held(); }

}  // namespace tilewright
