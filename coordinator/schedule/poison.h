// Policies: what a failure is charged to, when a tile is poison, and who may try a tile again.
// Stateless functions; thread-safe; pure.

#ifndef TILEWRIGHT_COORDINATOR_SCHEDULE_POISON_H_
#define TILEWRIGHT_COORDINATOR_SCHEDULE_POISON_H_

#include <cstdint>

#include "coordinator/schedule/types.h"

namespace tilewright::schedule {

struct FailureCharge {
  bool worker = false;  // counts against the worker
  bool tile = false;    // counts towards poison
  bool alone = false;   // the tile is to be retried in a lease of its own
};
// Of a failed tile that was executed together with `executed` tiles (itself included). Running out
// of memory is charged to nobody; a cause that may have come from any tile of the executed batch is
// charged to the tile only if it ran alone.
FailureCharge ChargeFor(TileFailureCause cause, int executed);

// Whether a worker that reports the cause ends its process over it.
bool EndsTheProcess(TileFailureCause cause);

// 3 charged failures on at least min(3, max(1, eligible)) workers, or 5 in all.
bool IsPoison(int charged, int charged_workers, int64_t connected_eligible);

// Whether a worker with `own` troubles with a tile may try it: not while another usable worker had
// fewer, a try that runs counted.
bool MayRetry(int own, int fewest_elsewhere);

// The memory floor after a tile ran out of memory: above this worker, whatever the peak says,
// because it failed here.
int64_t RaisedMemoryFloor(int64_t floor, int64_t peak_bytes, int64_t worker_bytes);

}  // namespace tilewright::schedule

#endif  // TILEWRIGHT_COORDINATOR_SCHEDULE_POISON_H_
