// Which tiles of a job's last stage something is wanted of: those that reach its region and hold a
// masked pixel. A function; thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_JOBS_MARKED_TILES_H_
#define TILEWRIGHT_COORDINATOR_JOBS_MARKED_TILES_H_

#include "absl/status/statusor.h"
#include "coordinator/image/interrupt.h"
#include "coordinator/image/mask.h"
#include "coordinator/plan/stage_plan.h"
#include "coordinator/plan/wanted_tiles.h"

namespace tilewright {

// Those that contribute to the plan's part and, given a mask (which lies over the plan's output),
// whose contribution it marks: no cell of another one holds a masked pixel. Reads the mask tile by
// tile; errors as of ImageReader::Read, and what `interrupt` asks for.
absl::StatusOr<WantedTiles> MarkedTiles(const StagePlan& plan, const Mask* mask,
                                        const Interrupt* interrupt = nullptr);

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_JOBS_MARKED_TILES_H_
