// Machine-readable reasons of what the scheduling core, which knows no protocol, refuses and ends.
// Pure functions; thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_SERVICE_END_REASON_H_
#define TILEWRIGHT_COORDINATOR_SERVICE_END_REASON_H_

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "coordinator/schedule/decisions.h"

namespace tilewright {

// A job's end with its reason: TILE_FAILED (a tile is poison), MAX_DURATION, NO_WORKER. `decisions`
// is what the end came with. OK and CANCELLED stay as they are.
absl::Status WithEndReason(const JobEnd& end, const Decisions& decisions);

// A submission that Scheduler::Admit refused: QUOTA_EXCEEDED, with RetryInfo unless
// `retry_after` is zero: it would never fit; or BAD_REQUEST.
absl::Status Refused(const absl::Status& status, absl::Duration retry_after);

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_SERVICE_END_REASON_H_
