#include "coordinator/plan/wanted_tiles.h"

#include <algorithm>

namespace tilewright {

std::optional<int64_t> WantedTiles::NumberOf(TileIndex tile) const {
  if (all()) return tile.value;
  const auto found = std::lower_bound(tiles_->begin(), tiles_->end(), tile.value);
  if (found == tiles_->end() || *found != tile.value) return std::nullopt;
  return found - tiles_->begin();
}

}  // namespace tilewright
