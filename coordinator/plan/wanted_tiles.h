// Which tiles of a stage a job computes: all, or those that something is wanted of. Workers and
// scheduler count the wanted ones only, in the order of the plan, so that a job costs what it
// computes. Immutable after creation, so thread-safe; pure.

#ifndef TILEWRIGHT_COORDINATOR_PLAN_WANTED_TILES_H_
#define TILEWRIGHT_COORDINATOR_PLAN_WANTED_TILES_H_

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "coordinator/plan/stage_plan.h"

namespace tilewright {

class WantedTiles {
 public:
  // All of the plan's.
  explicit WantedTiles(const StagePlan& plan) : plan_tiles_(plan.tile_count()) {}
  // Those of the plan's tiles; `tiles` ascends.
  WantedTiles(const StagePlan& plan, std::vector<int64_t> tiles)
      : plan_tiles_(plan.tile_count()), tiles_(std::move(tiles)) {}

  int64_t count() const { return all() ? plan_tiles_ : static_cast<int64_t>(tiles_->size()); }
  int64_t skipped() const { return plan_tiles_ - count(); }
  // The wanted tile of that number, in [0, count()).
  TileIndex at(int64_t number) const {
    return {all() ? number : (*tiles_)[static_cast<size_t>(number)]};
  }
  // The inverse of at(); nullopt for a tile that is not wanted.
  std::optional<int64_t> NumberOf(TileIndex tile) const;

  // Calls `skip` with each tile that is not wanted, in order.
  template <typename Skip>
  void ForEachSkipped(const Skip& skip) const {
    if (skipped() == 0) return;
    int64_t number = 0;
    for (int64_t tile = 0; tile < plan_tiles_; ++tile) {
      if (number < count() && at(number).value == tile) {
        ++number;
      } else {
        skip(TileIndex{tile});
      }
    }
  }

 private:
  bool all() const { return !tiles_.has_value(); }

  int64_t plan_tiles_ = 0;
  std::optional<std::vector<int64_t>> tiles_;  // ascending; absent: all
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_PLAN_WANTED_TILES_H_
