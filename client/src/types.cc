#include "tilewright/types.h"

#include "proto/wire/status_details.h"
#include "tilewright/error.h"

namespace tilewright {

absl::string_view JobStateName(JobState state) {
  switch (state) {
    case JobState::kUnknown:
      return "unknown";
    case JobState::kPlanned:
      return "planned";
    case JobState::kQueued:
      return "queued";
    case JobState::kRunning:
      return "running";
    case JobState::kMerging:
      return "merging";
    case JobState::kSucceeded:
      return "succeeded";
    case JobState::kFailed:
      return "failed";
    case JobState::kCancelled:
      return "cancelled";
  }
  return "unknown";
}

bool HasEnded(JobState state) {
  return state == JobState::kSucceeded || state == JobState::kFailed ||
         state == JobState::kCancelled;
}

std::string ErrorReason(const absl::Status& status) { return ReasonOf(status); }

std::optional<absl::Duration> ErrorRetryAfter(const absl::Status& status) {
  return RetryAfterOf(status);
}

}  // namespace tilewright
