// Policy: what a tile costs, and what weighs how much when jobs compete. Stateless functions;
// thread-safe; pure.
//
// Work is counted in reference seconds: device-seconds × the device's speed relative to the
// reference device. Every tile of a stage costs the same, whoever computes it: the summed relative
// speed of the workers measured at the stage, divided by the tiles per second they do together. A
// fast worker's second is worth more, and exactly as much more as it does more tiles.

#ifndef TILEWRIGHT_COORDINATOR_SCHEDULE_JOB_ORDER_H_
#define TILEWRIGHT_COORDINATOR_SCHEDULE_JOB_ORDER_H_

#include <optional>

#include "absl/time/time.h"

namespace tilewright::schedule {

// Relative to a device of 1 GFLOP/s; the unit cancels out. 1 for a device that was not probed.
double RelativeSpeed(double probe_flops);

struct TileWorkQuery {
  std::optional<absl::Duration> measured;  // reference seconds, of the stage
  double flops_per_tile = 0;               // 0: unknown
  double relative_speed = 1;               // of the worker that gets the tile
};
// Reference seconds of one tile: as measured; else by its FLOPs; else a second of this worker.
// More than zero.
absl::Duration TileWork(const TileWorkQuery& query);

// Each step of priority doubles a job's weight among the jobs of its tenant.
double WeightOf(int priority);

}  // namespace tilewright::schedule

#endif  // TILEWRIGHT_COORDINATOR_SCHEDULE_JOB_ORDER_H_
