#include "coordinator/jobs/marked_tiles.h"

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "proto/base/status_macros.h"

namespace tilewright {

absl::StatusOr<WantedTiles> MarkedTiles(const StagePlan& plan, const Mask* mask,
                                        const Interrupt* interrupt) {
  std::vector<int64_t> tiles;
  std::vector<std::byte> samples;  // of the mask
  for (int64_t tile = 0; tile < plan.tile_count(); ++tile) {
    const Rect rect = plan.Contribution(TileIndex{tile});
    if (rect.empty()) continue;
    if (mask != nullptr) {
      TW_RETURN_IF_ERROR(CheckInterrupt(interrupt));
      TW_ASSIGN_OR_RETURN(const bool marked, mask->Marks(rect, samples));
      if (!marked) continue;
    }
    tiles.push_back(tile);
  }
  return WantedTiles(plan, std::move(tiles));
}

}  // namespace tilewright
