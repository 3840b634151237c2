#include "coordinator/service/end_reason.h"

#include <algorithm>

#include "proto/wire/status_details.h"

namespace tilewright {

absl::Status WithEndReason(const JobEnd& end, const Decisions& decisions) {
  if (absl::IsDeadlineExceeded(end.status)) return WithReason(end.status, "MAX_DURATION");
  if (!absl::IsFailedPrecondition(end.status)) return end.status;
  const bool poisoned =
      std::any_of(decisions.notices.begin(), decisions.notices.end(), [&end](const Notice& notice) {
        return notice.job == end.job && notice.kind == "tile_poisoned";
      });
  return WithReason(end.status, poisoned ? "TILE_FAILED" : "NO_WORKER");
}

absl::Status Refused(const absl::Status& status, absl::Duration retry_after) {
  if (!absl::IsResourceExhausted(status)) return WithReason(status, "BAD_REQUEST");
  const absl::Status refused = WithReason(status, "QUOTA_EXCEEDED");
  return retry_after > absl::ZeroDuration() ? WithRetryAfter(refused, retry_after) : refused;
}

}  // namespace tilewright
