// A stage computed in pieces that need less memory: the same interface, tiles, shape and phase. Not
// thread-safe, like any stage.

#ifndef TILEWRIGHT_WORKER_EXECUTOR_SMALLER_STAGE_H_
#define TILEWRIGHT_WORKER_EXECUTOR_SMALLER_STAGE_H_

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "proto/geometry/axis.h"
#include "proto/geometry/rect.h"
#include "proto/geometry/scale.h"
#include "worker/engine/engine.h"

namespace tilewright {

// Runs batches of `key` through `smaller`, which was loaded for the same key with a batch of
// `batch`.
std::unique_ptr<Stage> InSmallerBatches(StageKey key, int batch, std::unique_ptr<Stage> smaller);

// What sub-tiles of a tile must keep to. Input pixels.
struct SubTileRules {
  int64_t halo = 0;       // context on each side that is not the tile's own
  int64_t alignment = 1;  // of sides and origins
  int64_t minimum = 1;    // of a side
  Scale scale;
};

// A tile cut into sub-tiles of one shape by the axis rule without overlap: each keeps the halo on
// the sides where it has neighbours, and sees the tile's border where the tile ends.
struct SubTiling {
  Axis columns;
  Axis rows;
  Size shape() const { return {columns.options().tile, rows.options().tile}; }
  int64_t count() const { return columns.tile_count() * rows.tile_count(); }
};

// About `parts` sub-tiles along each side that is long enough. FAILED_PRECONDITION with the numbers
// if no sub-tile smaller than the tile holds the halo on both sides and something between.
absl::StatusOr<SubTiling> PlanSubTiles(Size tile, int parts, const SubTileRules& rules);

// Runs each tile of `key` through `smaller`, which was loaded for the shape of the sub-tiles and a
// batch of 1, part by part.
std::unique_ptr<Stage> InSubTiles(StageKey key, SubTiling tiling, std::unique_ptr<Stage> smaller);

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_EXECUTOR_SMALLER_STAGE_H_
