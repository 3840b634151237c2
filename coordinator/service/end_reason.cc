#include "coordinator/service/end_reason.h"

#include <string>

#include "coordinator/jobs/job_host.h"
#include "proto/wire/status_details.h"

namespace tilewright {

absl::Status ShuttingDown() {
  return WithReason(absl::UnavailableError("the coordinator is shutting down: submit again when it "
                                           "is back"),
                    std::string(kShuttingDown));
}

absl::Status WithEndReason(const JobEnd& end) {
  switch (end.reason) {
    case EndReason::kDone:
    case EndReason::kStopped:
      return end.status;
    case EndReason::kTileFailed:
      return WithReason(end.status, "TILE_FAILED");
    case EndReason::kTooLong:
      return WithReason(end.status, "MAX_DURATION");
    case EndReason::kNoWorker:
      return WithReason(end.status, "NO_WORKER");
  }
  return end.status;
}

absl::Status Refused(const absl::Status& status, absl::Duration retry_after,
                     absl::string_view bad) {
  if (!absl::IsResourceExhausted(status)) return WithReason(status, std::string(bad));
  const absl::Status refused = WithReason(status, "QUOTA_EXCEEDED");
  return retry_after > absl::ZeroDuration() ? WithRetryAfter(refused, retry_after) : refused;
}

}  // namespace tilewright
