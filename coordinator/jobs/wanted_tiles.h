// Which tiles of a stage a job computes: all, or those that reach its region and hold a masked
// pixel. Workers and scheduler count the wanted ones only, in the order of the plan, so that a job
// costs what it computes. Immutable after creation, so thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_JOBS_WANTED_TILES_H_
#define TILEWRIGHT_COORDINATOR_JOBS_WANTED_TILES_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "coordinator/image/mask.h"
#include "coordinator/plan/stage_plan.h"

namespace tilewright {

class WantedTiles {
 public:
  // All of the plan's.
  explicit WantedTiles(const StagePlan& plan) : plan_tiles_(plan.tile_count()) {}
  // Those that contribute to the plan's part and, given a mask (of scale 1), whose contribution it
  // marks: no cell of another one holds a masked pixel. Reads the mask tile by tile; errors as of
  // ImageReader::Read.
  static absl::StatusOr<WantedTiles> Choose(const StagePlan& plan, const Mask* mask);

  int64_t count() const { return all() ? plan_tiles_ : static_cast<int64_t>(tiles_.size()); }
  int64_t skipped() const { return plan_tiles_ - count(); }
  // The wanted tile of that number, in [0, count()).
  TileIndex at(int64_t number) const {
    return {all() ? number : tiles_[static_cast<size_t>(number)]};
  }

 private:
  bool all() const { return !chosen_; }

  int64_t plan_tiles_ = 0;
  bool chosen_ = false;
  std::vector<int64_t> tiles_;  // ascending; empty unless chosen_
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_JOBS_WANTED_TILES_H_
