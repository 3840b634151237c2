#include "coordinator/jobs/wanted_tiles.h"

#include "proto/base/status_macros.h"

namespace tilewright {

absl::StatusOr<WantedTiles> WantedTiles::Choose(const StagePlan& plan, const Mask* mask) {
  WantedTiles wanted(plan);
  wanted.chosen_ = true;
  std::vector<std::byte> samples;  // of the mask
  for (int64_t tile = 0; tile < plan.tile_count(); ++tile) {
    const Rect rect = plan.Contribution(TileIndex{tile});
    if (rect.empty()) continue;
    if (mask != nullptr) {
      TW_ASSIGN_OR_RETURN(const bool marked, mask->Marks(rect, samples));
      if (!marked) continue;
    }
    wanted.tiles_.push_back(tile);
  }
  return wanted;
}

}  // namespace tilewright
