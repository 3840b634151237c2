#include "coordinator/merge/tile_merger.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

#include "absl/container/node_hash_map.h"
#include "absl/strings/str_cat.h"
#include "coordinator/merge/block_pool.h"
#include "coordinator/merge/cell_grid.h"
#include "coordinator/merge/cell_states.h"
#include "coordinator/merge/next_tile.h"
#include "coordinator/merge/part_store.h"
#include "proto/base/status_macros.h"
#include "proto/blend/cell.h"

namespace tilewright {
namespace {

// Free block buffers kept for the next block: 3 MiB for RGB u8.
constexpr size_t kFreeBlocksMax = 4;
// A waiting tile is cropped once what it still owes fits into this share of it: copying so little
// costs next to nothing, and keeps a row of the wavefront at the height of the blend zone instead
// of the tile's.
constexpr int64_t kCropShare = 8;

struct HeldTile {
  Rect rect;  // output pixels that `part` holds
  Part part;
  int64_t open_cells = 0;
};

struct OpenBlock {
  Part part;
  int64_t missing = 0;  // pixels
};

}  // namespace

class TileMerger::Impl {
 public:
  Impl(const StagePlan& plan, const CanvasFormat& format, MergeKind merge, BlockSink& sink,
       Scratch* scratch, const WantedTiles* wanted)
      : plan_(plan),
        format_(format),
        sink_(sink),
        x_(plan.x(), plan.part().horizontal(), merge, plan.window()),
        y_(plan.y(), plan.part().vertical(), merge, plan.window()),
        pool_(kFreeBlocksMax),
        cells_(plan, x_, y_, wanted),
        next_(plan, x_, y_, cells_.settled()),
        parts_(scratch, [this] { return Candidates(); }) {
    assert(format.size == plan.output());
    for (int64_t index = 0; index < format.block_columns() * format.block_rows(); ++index) {
      blocks_left_ += cells_.WantedPixels(BlockRect(index)) > 0;
    }
  }

  absl::Status AddTile(TileIndex tile, std::vector<std::byte> samples) {
    TW_RETURN_IF_ERROR(CheckOpen(tile));
    const Rect rect = PlaceOnCanvas(tile);
    const int64_t expected = rect.area() * format_.pixel_bytes();
    if (static_cast<int64_t>(samples.size()) != expected) {
      return absl::InvalidArgumentError(absl::StrCat("merging: tile ", tile.value, " has ",
                                                     samples.size(), " bytes where its ",
                                                     ToString(rect), " pixels need ", expected));
    }
    ++tiles_added_;
    // Before it is counted: it is not yet one of those that may be put away.
    broken_ = parts_.MakeRoom(expected);
    TW_RETURN_IF_ERROR(broken_);
    HeldTile& held = held_[tile.value];
    held.rect = rect;
    held.part.samples = std::move(samples);
    held.open_cells = cells_.OpenCellsOf(tile);
    parts_.Add(held.part);
    return Settle(tile);
  }

  absl::Status AddHole(TileIndex tile) {
    TW_RETURN_IF_ERROR(CheckOpen(tile));
    return Settle(tile);
  }

  absl::Status WriteUnfinished(bool all) {
    TW_RETURN_IF_ERROR(broken_);
    absl::Status status;
    const int64_t count = format_.block_columns() * format_.block_rows();
    for (int64_t index = 0; status.ok() && index < count; ++index) {
      if (all || open_.contains(index)) status = WriteUnfinishedBlock(index);
    }
    broken_ = absl::FailedPreconditionError("merging: it was ended before all tiles came");
    return status;
  }

  absl::StatusOr<MergerState> Save() {
    TW_RETURN_IF_ERROR(broken_);
    MergerState state{cells_.settled(), tiles_added_, blocks_left_, {}, {}};
    for (auto& [tile, held] : held_) {
      TW_ASSIGN_OR_RETURN(const Scratch::Slot slot, parts_.Save(held.part));
      state.tiles.push_back({tile, held.rect, slot});
    }
    for (auto& [index, block] : open_) {
      TW_ASSIGN_OR_RETURN(const Scratch::Slot slot, parts_.Save(block.part));
      state.blocks.push_back({index, block.missing, slot});
    }
    return state;
  }

  absl::Status Restore(const MergerState& state) {
    assert(held_.empty() && open_.empty());
    TW_RETURN_IF_ERROR(CheckMergerState(state, plan_, format_));
    cells_.Restore(state.settled);
    tiles_added_ = state.tiles_added;
    blocks_left_ = state.blocks_left;
    for (const MergerState::Tile& tile : state.tiles) {
      HeldTile& held = held_[tile.tile];
      held.rect = tile.rect;
      held.open_cells = cells_.OpenCellsOf({tile.tile});
      parts_.Adopt(held.part, tile.slot);
    }
    for (const MergerState::Block& block : state.blocks) {
      OpenBlock& open = open_[block.index];
      open.missing = block.missing;
      parts_.Adopt(open.part, block.slot);
    }
    return absl::OkStatus();
  }

  bool settled(TileIndex tile) const { return cells_.settled(tile); }
  bool done() const { return cells_.tiles_left() == 0 && blocks_left_ == 0; }
  int64_t tiles_added() const { return tiles_added_; }
  void set_bytes_max(int64_t bytes_max) {
    parts_.set_bytes_max(std::max(bytes_max, BytesNeeded(plan_, format_)));
  }
  absl::Status FindRoom() {
    TW_RETURN_IF_ERROR(broken_);
    broken_ = parts_.MakeRoom(0);
    TW_RETURN_IF_ERROR(broken_);
    return parts_.no_room();
  }
  const PartStore& parts() const { return parts_; }

 private:
  // What the tile contributes to the canvas, whose first pixel is that of the plan's part.
  Rect PlaceOnCanvas(TileIndex tile) const {
    Rect rect = plan_.Contribution(tile);
    rect.x -= plan_.part().x;
    rect.y -= plan_.part().y;
    return rect;
  }

  // OK if the tile was neither added nor left out yet.
  absl::Status CheckOpen(TileIndex tile) const {
    TW_RETURN_IF_ERROR(broken_);
    if (tile.value < 0 || tile.value >= plan_.tile_count()) {
      return absl::InvalidArgumentError(absl::StrCat("merging: there is no tile ", tile.value,
                                                     ": the plan has ", plan_.tile_count()));
    }
    if (cells_.settled(tile)) {
      return absl::AlreadyExistsError(
          absl::StrCat("merging: tile ", tile.value, " was merged or left out before"));
    }
    return absl::OkStatus();
  }

  // Nothing more comes of this tile: merges the cells that waited for it alone.
  absl::Status Settle(TileIndex tile) {
    cells_.Settle(tile);
    const auto [x, y] = plan_.PlaceOf(tile);
    const Interval columns = x_.CellsOfTile(x);
    const Interval rows = y_.CellsOfTile(y);
    for (int64_t row = rows.begin; row < rows.end; ++row) {
      for (int64_t column = columns.begin; column < columns.end; ++column) {
        if (cells_.Of({column, row}) != CellState::kComplete) continue;
        broken_ = Merge({column, row});
        TW_RETURN_IF_ERROR(broken_);
      }
    }
    // Neighbours too: this tile may have closed all but a strip of them.
    for (int64_t j = std::max<int64_t>(y - 1, 0); j <= y + 1 && j < plan_.y().tile_count(); ++j) {
      for (int64_t i = std::max<int64_t>(x - 1, 0); i <= x + 1 && i < plan_.x().tile_count(); ++i) {
        broken_ = Trim(i, j);
        TW_RETURN_IF_ERROR(broken_);
      }
    }
    broken_ = PutSeamAway({x, y});
    if (broken_.ok()) broken_ = parts_.MakeRoom(0);
    return broken_;
  }

  int64_t TileAt(int64_t column, int64_t row) const { return plan_.IndexAt({column, row}).value; }

  HeldTile* FindHeld(int64_t column, int64_t row) {
    const auto found = held_.find(TileAt(column, row));
    return found == held_.end() ? nullptr : &found->second;
  }

  // Where `rect` begins in the samples of a tile in memory that contributes to it; null for a hole.
  CellSource Source(int64_t column, int64_t row, const Rect& rect) const {
    const auto found = held_.find(TileAt(column, row));
    if (found == held_.end()) return {};
    const HeldTile& tile = found->second;
    assert(tile.rect.Contains(rect) && !tile.part.slot.has_value());
    const int64_t row_bytes = tile.rect.width * format_.pixel_bytes();
    return {tile.part.samples.data() + (rect.y - tile.rect.y) * row_bytes +
                (rect.x - tile.rect.x) * format_.pixel_bytes(),
            row_bytes};
  }

  // Blends a complete cell into the blocks under it.
  absl::Status Merge(Cell cell) {
    const AxisSpan& x = x_.span(cell.column);
    const AxisSpan& y = y_.span(cell.row);
    std::vector<HeldTile*> contributors;
    std::vector<Pin> pins;
    for (int64_t j = y.first_tile; j <= y.first_tile + (y.blended ? 1 : 0); ++j) {
      for (int64_t i = x.first_tile; i <= x.first_tile + (x.blended ? 1 : 0); ++i) {
        HeldTile* const held = FindHeld(i, j);
        if (held == nullptr) continue;
        contributors.push_back(held);
        pins.emplace_back(&held->part);
      }
    }
    for (HeldTile* held : contributors) TW_RETURN_IF_ERROR(parts_.Load(held->part));
    for (int64_t row = y.output.begin / kBlockSide; row * kBlockSide < y.output.end; ++row) {
      for (int64_t column = x.output.begin / kBlockSide; column * kBlockSide < x.output.end;
           ++column) {
        TW_RETURN_IF_ERROR(MergeIntoBlock(cell, column, row));
      }
    }
    for (HeldTile* held : contributors) --held->open_cells;
    return absl::OkStatus();
  }

  absl::Status MergeIntoBlock(Cell cell, int64_t column, int64_t row) {
    const AxisSpan& x = x_.span(cell.column);
    const AxisSpan& y = y_.span(cell.row);
    const Rect block_rect = format_.BlockRect(column, row);
    const Rect part = Intersect(Rect::FromIntervals(x.output, y.output), block_rect);
    const int64_t block_index = row * format_.block_columns() + column;
    const int64_t block_bytes = block_rect.area() * format_.pixel_bytes();
    const auto [found, is_new] = open_.try_emplace(block_index);
    OpenBlock& block = found->second;
    if (is_new) {
      block.missing = cells_.WantedPixels(block_rect);
      TW_RETURN_IF_ERROR(parts_.MakeRoom(block_bytes));
      block.part.samples = pool_.Take(static_cast<size_t>(block_bytes));
      parts_.Add(block.part);
    }
    TW_RETURN_IF_ERROR(parts_.Load(block.part));
    parts_.Change(block.part);

    CellJob job = JobInBlock(part, block_rect, block.part.samples);
    job.wx = x_.Weights(cell.column, part.horizontal());
    job.wy = y_.Weights(cell.row, part.vertical());
    job.p00 = Source(x.first_tile, y.first_tile, part);
    if (x.blended) job.p10 = Source(x.first_tile + 1, y.first_tile, part);
    if (y.blended) job.p01 = Source(x.first_tile, y.first_tile + 1, part);
    if (x.blended && y.blended) job.p11 = Source(x.first_tile + 1, y.first_tile + 1, part);
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
    --blocks_left_;
    absl::Status written = sink_.WriteBlock(column, row, block.part.samples);
    pool_.Return(parts_.Remove(block.part));
    open_.erase(found);
    return written;
  }

  // A job that fills `part` of the pixels `block`; it has no sources yet.
  CellJob JobInBlock(const Rect& part, const Rect& block, std::vector<std::byte>& samples) const {
    CellJob job;
    job.type = format_.sample;
    job.channels = format_.channels;
    job.size = part.size();
    job.out_row_bytes = block.width * format_.pixel_bytes();
    job.out = samples.data() + (part.y - block.y) * job.out_row_bytes +
              (part.x - block.x) * format_.pixel_bytes();
    return job;
  }

  // Does nothing about a block that is complete.
  absl::Status WriteUnfinishedBlock(int64_t index) {
    const int64_t column = index % format_.block_columns();
    const int64_t row = index / format_.block_columns();
    const Rect rect = format_.BlockRect(column, row);
    std::vector<std::byte> samples(static_cast<size_t>(rect.area() * format_.pixel_bytes()));
    if (const auto open = open_.find(index); open != open_.end()) {
      TW_RETURN_IF_ERROR(parts_.Load(open->second.part));
      samples = parts_.Remove(open->second.part);
      open_.erase(open);
    }
    bool complete = true;
    const Interval columns = x_.CellsUnder(rect.horizontal());
    const Interval rows = y_.CellsUnder(rect.vertical());
    for (int64_t j = rows.begin; j < rows.end; ++j) {
      for (int64_t i = columns.begin; i < columns.end; ++i) {
        if (cells_.Of({i, j}) == CellState::kComplete) continue;
        complete = false;
        const Rect part =
            Intersect(Rect::FromIntervals(x_.span(i).output, y_.span(j).output), rect);
        Clear(JobInBlock(part, rect, samples));
      }
    }
    return complete ? absl::OkStatus() : sink_.WriteBlock(column, row, samples);
  }

  static void Clear(const CellJob& job) {
    const auto row_bytes =
        static_cast<size_t>(job.size.width * job.channels * BytesPerSample(job.type));
    for (int64_t y = 0; y < job.size.height; ++y) {
      std::memset(job.out + y * job.out_row_bytes, 0, row_bytes);
    }
  }

  // Lets go of what no open cell needs of the tile at (column, row), if it is held.
  absl::Status Trim(int64_t column, int64_t row) {
    HeldTile* const held = FindHeld(column, row);
    if (held == nullptr) return absl::OkStatus();
    HeldTile& tile = *held;
    if (tile.open_cells == 0) {
      parts_.Remove(tile.part);
      held_.erase(TileAt(column, row));
      return absl::OkStatus();
    }
    const Rect needed = cells_.OpenPart(plan_.IndexAt({column, row}));
    if (tile.part.slot.has_value() || needed.area() * kCropShare > tile.rect.area()) {
      return absl::OkStatus();
    }
    const Pin pin(&tile.part);
    TW_RETURN_IF_ERROR(parts_.MakeRoom(needed.area() * format_.pixel_bytes()));
    const int64_t row_bytes = needed.width * format_.pixel_bytes();
    std::vector<std::byte> cropped;
    cropped.reserve(static_cast<size_t>(row_bytes * needed.height));
    for (int64_t y = 0; y < needed.height; ++y) {
      const std::byte* line = Source(column, row, {needed.x, needed.y + y, needed.width, 1}).data;
      cropped.insert(cropped.end(), line, line + row_bytes);
    }
    parts_.Replace(tile.part, std::move(cropped));
    tile.rect = needed;
    return absl::OkStatus();
  }

  // For PartStore: a tile is wanted by its neighbours, a block by the tiles over it.
  std::vector<PartStore::Candidate> Candidates() {
    std::vector<PartStore::Candidate> candidates;
    candidates.reserve(held_.size() + open_.size());
    const auto add = [&candidates](Part& part, int64_t wanted) {
      if (!part.pinned && !part.samples.empty()) candidates.push_back({&part, wanted});
    };
    for (auto& [tile, held] : held_) add(held.part, next_.OfTile(plan_.PlaceOf({tile})));
    for (auto& [index, block] : open_) add(block.part, NextOfBlock(index));
    return candidates;
  }

  Rect BlockRect(int64_t index) const {
    return format_.BlockRect(index % format_.block_columns(), index / format_.block_columns());
  }
  int64_t NextOfBlock(int64_t index) const { return next_.OfBlock(BlockRect(index)); }

  // What lies along the right side of a stripe waits for the whole stripe: so that this does not
  // grow with the height of the image, it is put away at once, around the tile at `place`.
  absl::Status PutSeamAway(GridPlace place) {
    const int64_t next_stripe =
        (place.column / plan_.stripe_columns() + 1) * plan_.stripe_columns();
    if (place.column + 1 != next_stripe || next_stripe >= plan_.x().tile_count()) {
      return absl::OkStatus();
    }
    const int64_t first_late = plan_.IndexAt({next_stripe, 0}).value;
    const Interval rows = {std::max<int64_t>(place.row - 1, 0),
                           std::min(place.row + 2, plan_.y().tile_count())};
    for (int64_t row = rows.begin; row < rows.end; ++row) {
      HeldTile* const held = FindHeld(place.column, row);
      if (held == nullptr || next_.OfTile({place.column, row}) < first_late) continue;
      TW_RETURN_IF_ERROR(parts_.PutAway(held->part));
    }
    const Rect around = PlaceOnCanvas(plan_.IndexAt(place));
    const Rect next = PlaceOnCanvas(plan_.IndexAt({next_stripe, place.row}));
    if (around.empty() || next.empty()) return absl::OkStatus();
    for (int64_t row = std::max<int64_t>(around.y / kBlockSide - 1, 0);
         row * kBlockSide < around.bottom(); ++row) {
      // The blend zone may lie in two columns of blocks.
      for (int64_t column = next.x / kBlockSide; column * kBlockSide < around.right(); ++column) {
        const int64_t index = row * format_.block_columns() + column;
        const auto block = open_.find(index);
        if (block == open_.end() || NextOfBlock(index) < first_late) continue;
        TW_RETURN_IF_ERROR(parts_.PutAway(block->second.part));
      }
    }
    return absl::OkStatus();
  }

  const StagePlan& plan_;
  const CanvasFormat format_;
  BlockSink& sink_;
  const CellAxis x_;
  const CellAxis y_;
  BlockPool pool_;

  CellStates cells_;
  const NextTile next_;  // by cells_.settled()
  int64_t tiles_added_ = 0;
  // Tiles that open cells wait for. Invariant between calls: open_cells > 0.
  absl::node_hash_map<int64_t, HeldTile> held_;
  // By row * block_columns + column. Invariant between calls: 0 < missing < the block's pixels.
  absl::node_hash_map<int64_t, OpenBlock> open_;
  PartStore parts_;  // counts those of held_ and open_
  int64_t blocks_left_ = 0;
  absl::Status broken_;  // the first error of the sink
};

TileMerger::TileMerger(const StagePlan& plan, const CanvasFormat& format, MergeKind merge,
                       BlockSink& sink, Scratch* scratch, const WantedTiles* wanted)
    : impl_(std::make_unique<Impl>(plan, format, merge, sink, scratch, wanted)) {}
TileMerger::~TileMerger() = default;

absl::Status TileMerger::AddTile(TileIndex tile, std::vector<std::byte> samples) {
  return impl_->AddTile(tile, std::move(samples));
}
absl::Status TileMerger::AddHole(TileIndex tile) { return impl_->AddHole(tile); }
absl::StatusOr<MergerState> TileMerger::Save() { return impl_->Save(); }
absl::Status TileMerger::Restore(const MergerState& state) { return impl_->Restore(state); }
bool TileMerger::settled(TileIndex tile) const { return impl_->settled(tile); }
int64_t TileMerger::BytesNeeded(const StagePlan& plan, const CanvasFormat& format) {
  int64_t width = 0, height = 0;
  for (int64_t i = 0; i < plan.x().tile_count(); ++i) {
    width = std::max(width, plan.x().Contribution(i).length());
  }
  for (int64_t i = 0; i < plan.y().tile_count(); ++i) {
    height = std::max(height, plan.y().Contribution(i).length());
  }
  return (4 * width * height + format.BlockRect(0, 0).area()) * format.pixel_bytes();
}

bool TileMerger::done() const { return impl_->done(); }
int64_t TileMerger::tiles_added() const { return impl_->tiles_added(); }
absl::Status TileMerger::WriteUnfinished(bool all) { return impl_->WriteUnfinished(all); }
absl::Status TileMerger::FindRoom() { return impl_->FindRoom(); }
void TileMerger::set_bytes_max(int64_t bytes_max) { impl_->set_bytes_max(bytes_max); }
int64_t TileMerger::bytes_held() const { return impl_->parts().memory_bytes(); }
int64_t TileMerger::bytes_held_peak() const { return impl_->parts().memory_bytes_peak(); }
int64_t TileMerger::bytes_spilled() const { return impl_->parts().scratch_bytes(); }

}  // namespace tilewright
