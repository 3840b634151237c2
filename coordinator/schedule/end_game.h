// Policies for the end of a job: who leaves a tile to faster workers, who takes unstarted tiles
// over, who copies a running one. Stateless functions; thread-safe; pure.

#ifndef TILEWRIGHT_COORDINATOR_SCHEDULE_END_GAME_H_
#define TILEWRIGHT_COORDINATOR_SCHEDULE_END_GAME_H_

#include <cstdint>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "coordinator/schedule/types.h"

namespace tilewright::schedule {

// Time for `tiles` tiles; a short executed batch takes as long as a whole one.
absl::Duration TimeFor(int64_t tiles, absl::Duration tile_seconds, int executed_batch);

// What is left of work that was expected to take `expected` and has taken `elapsed`: what outlasts
// its estimate is expected to take as much longer as it is late already.
absl::Duration Remaining(absl::Duration expected, absl::Duration elapsed);

// A faster worker: when it is free for another tile, from now, and how long it takes for each.
struct FasterWorker {
  absl::Duration free_in;
  absl::Duration tile_seconds;
};
// Faster workers of about the same speed, if there are too many to look at one by one.
struct FasterCrowd {
  int64_t workers = 0;
  double tiles_per_second = 0;  // of all together
};
// Tiles that they finish within this time.
int64_t TilesWithin(absl::Duration time, absl::Span<const FasterWorker> faster);
// The same on the average: each is half-way through a tile now.
int64_t TilesWithin(absl::Duration time, absl::Span<const FasterCrowd> crowds);

// Whether a worker that would finish a tile in `own` had better leave `ready` tiles to faster
// workers, which finish so many within a given time: they would be done before own × factor. Never
// if there are no faster ones.
bool LeaveToFaster(int64_t ready, absl::Duration own, absl::Span<const FasterWorker> faster,
                   const SchedulerOptions& options);
bool LeaveToFaster(int64_t ready, absl::Duration own, absl::Span<const FasterCrowd> crowds,
                   const SchedulerOptions& options);

struct TakeOverQuery {
  int64_t unstarted = 0;      // tiles that the other worker holds and has not begun
  absl::Duration finish;      // of the last of them there, from now
  absl::Duration own_start;   // until this worker begins
  absl::Duration own_tile;    // of this worker
  absl::Duration other_tile;  // of the other
  int executed_batch = 1;
  int64_t free_credit = 0;
  double margin = 1;  // on top of the factor
};
// How many of them this worker takes over, so that both finish at about the same time; 0 unless it
// wins by factor and margin, and by more than a round trip costs.
int64_t TilesToTakeOver(const TakeOverQuery& query, const SchedulerOptions& options);

// Whether a copy that takes `own` beats an attempt expected to finish in `finish`, by the factor.
bool CopyWins(absl::Duration own, absl::Duration finish, const SchedulerOptions& options);
// Most copies at once.
int64_t CopiesMax(int64_t slots, const SchedulerOptions& options);
// How late an attempt must be for CopyWins to turn true of a worker that takes `own`.
absl::Duration LatenessToCopy(absl::Duration own, const SchedulerOptions& options);

}  // namespace tilewright::schedule

#endif  // TILEWRIGHT_COORDINATOR_SCHEDULE_END_GAME_H_
