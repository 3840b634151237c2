#include "coordinator/merge/next_tile.h"

#include <algorithm>

namespace tilewright {

int64_t NextTile::Lowest(Interval columns, Interval rows) const {
  int64_t next = plan_.tile_count();
  for (int64_t row = std::max<int64_t>(rows.begin, 0);
       row < std::min(rows.end, plan_.y().tile_count()); ++row) {
    for (int64_t column = std::max<int64_t>(columns.begin, 0);
         column < std::min(columns.end, plan_.x().tile_count()); ++column) {
      const int64_t tile = plan_.IndexAt({column, row}).value;
      if (!settled_[static_cast<size_t>(tile)]) next = std::min(next, tile);
    }
  }
  return next;
}

}  // namespace tilewright
