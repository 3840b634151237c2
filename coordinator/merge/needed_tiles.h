// Which tiles of a stage the next one cannot do without. A pure function; thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_MERGE_NEEDED_TILES_H_
#define TILEWRIGHT_COORDINATOR_MERGE_NEEDED_TILES_H_

#include "coordinator/plan/stage_plan.h"
#include "coordinator/plan/wanted_tiles.h"

namespace tilewright {

// The tiles of `before`, merged by `merge`, that contribute to a cell of which a tile in `wanted`,
// of the plan `next`, reads a pixel. So every pixel that those read has all its contributors, and
// the bits are those of the whole image. `next` reads all that `before` makes.
WantedTiles NeededTiles(const StagePlan& before, MergeKind merge, const StagePlan& next,
                        const WantedTiles& wanted);

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_MERGE_NEEDED_TILES_H_
