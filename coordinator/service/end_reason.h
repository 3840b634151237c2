// Machine-readable reasons of what the scheduling core, which knows no protocol, refuses and ends.
// Pure functions; thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_SERVICE_END_REASON_H_
#define TILEWRIGHT_COORDINATOR_SERVICE_END_REASON_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "coordinator/schedule/decisions.h"

namespace tilewright {

// How jobs end when the coordinator shuts down, and what is said to new ones.
absl::Status ShuttingDown();

// How a job ended with its reason: TILE_FAILED, MAX_DURATION or NO_WORKER; none if it is done or
// was stopped.
absl::Status WithEndReason(const JobEnd& end);

// What Scheduler::Admit or AdmitPriority refused: QUOTA_EXCEEDED, with RetryInfo unless
// `retry_after` is zero (waiting does not help); for a number that is none, `bad`.
absl::Status Refused(const absl::Status& status, absl::Duration retry_after, absl::string_view bad);

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_SERVICE_END_REASON_H_
