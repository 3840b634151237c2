#include "coordinator/merge/merger_state.h"

#include <algorithm>

#include "absl/container/flat_hash_set.h"

namespace tilewright {
namespace {

bool FitsTile(const MergerState::Tile& tile, const MergerState& state, const StagePlan& plan,
              const CanvasFormat& format) {
  if (tile.tile < 0 || tile.tile >= plan.tile_count()) return false;
  Rect contribution = plan.Contribution({tile.tile});
  contribution.x -= plan.part().x;
  contribution.y -= plan.part().y;
  return state.settled[static_cast<size_t>(tile.tile)] && !tile.rect.empty() &&
         contribution.Contains(tile.rect) &&
         tile.slot.bytes == tile.rect.area() * format.pixel_bytes();
}

bool FitsBlock(const MergerState::Block& block, const CanvasFormat& format) {
  const int64_t columns = format.block_columns();
  if (block.index < 0 || block.index >= columns * format.block_rows()) return false;
  const int64_t pixels = format.BlockRect(block.index % columns, block.index / columns).area();
  return block.missing > 0 && block.missing < pixels &&
         block.slot.bytes == pixels * format.pixel_bytes();
}

}  // namespace

absl::Status CheckMergerState(const MergerState& state, const StagePlan& plan,
                              const CanvasFormat& format) {
  const auto settled = std::count(state.settled.begin(), state.settled.end(), true);
  bool fits = static_cast<int64_t>(state.settled.size()) == plan.tile_count() &&
              state.tiles_added >= 0 && state.tiles_added <= settled &&
              state.blocks_left >= static_cast<int64_t>(state.blocks.size()) &&
              state.blocks_left <= format.block_columns() * format.block_rows();
  absl::flat_hash_set<int64_t> tiles, blocks;
  for (const MergerState::Tile& tile : state.tiles) {
    fits = fits && FitsTile(tile, state, plan, format) && tiles.insert(tile.tile).second;
  }
  for (const MergerState::Block& block : state.blocks) {
    fits = fits && FitsBlock(block, format) && blocks.insert(block.index).second;
  }
  if (fits) return absl::OkStatus();
  return absl::InvalidArgumentError("what was merged before belongs to another plan or picture");
}

}  // namespace tilewright
