// Policies: how many tiles a lease gets, and whether a busy worker gets one in advance. Stateless
// functions; thread-safe; pure.

#ifndef TILEWRIGHT_COORDINATOR_SCHEDULE_BATCH_SIZE_H_
#define TILEWRIGHT_COORDINATOR_SCHEDULE_BATCH_SIZE_H_

#include <cstdint>
#include <optional>

#include "absl/time/time.h"
#include "coordinator/schedule/types.h"

namespace tilewright::schedule {

// A worker's level and what counts against it: held, or on the way to it.
struct CreditQuery {
  int level_tiles = 0;
  int64_t level_bytes = 0;  // 0: the worker does not bound bytes
  int64_t held_tiles = 0;
  int64_t held_bytes = 0;
  int64_t tile_bytes = 0;
};
// Tiles that still fit; 0 if the level fell below what is held.
int64_t FreeCredit(const CreditQuery& query);

struct BatchQuery {
  int64_t ready = 0;                           // tiles of the job
  double part = 1;                             // of this worker in the speed of all eligible ones
  std::optional<absl::Duration> tile_seconds;  // mean of this worker; absent: not measured
  int executed_batch = 1;
  int64_t free_credit = 0;
  bool single = false;  // after a lapse or a crash
};
// Tiles for the next lease; 0 only if nothing is ready or no credit is free. An unmeasured worker
// gets one tile; others lease_work of tiles, but near the end of the job no more than half of its
// share by speed, so that none hoards. Whole executed batches while there are enough tiles for
// everybody.
int64_t BatchSize(const BatchQuery& query, const SchedulerOptions& options);

struct PrefetchQuery {
  int64_t ready = 0;       // tiles of the job
  int64_t idle_slots = 0;  // eligible workers without work
  std::optional<absl::Duration> tile_seconds;
  std::optional<absl::Duration> remaining;  // of the job
  int64_t held = 0;                         // tiles of the job at this worker
  double share = 0;         // unaccepted tiles × this worker's part of the summed speed
  bool recovering = false;  // its last lease lapsed or crashed
};
// Most tiles that may be granted behind a running lease; 0 for none. Prefetching must not take a
// tile from an idle worker, nor keep one waiting behind a slow worker at the end.
int64_t PrefetchLimit(const PrefetchQuery& query);

}  // namespace tilewright::schedule

#endif  // TILEWRIGHT_COORDINATOR_SCHEDULE_BATCH_SIZE_H_
