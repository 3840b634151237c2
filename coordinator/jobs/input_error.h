// Reasons of errors about a job's inputs. Thread-safe: functions.

#ifndef TILEWRIGHT_COORDINATOR_JOBS_INPUT_ERROR_H_
#define TILEWRIGHT_COORDINATOR_JOBS_INPUT_ERROR_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "proto/wire/status_details.h"

namespace tilewright {

// With the reason, unless the error came with one.
inline absl::Status OrReason(const absl::Status& status, absl::string_view reason) {
  return status.ok() || !ReasonOf(status).empty() ? status : WithReason(status, reason);
}

// What an image reader says, with its reason: INPUT_NOT_FOUND, LIMIT_EXCEEDED, NOT_AN_IMAGE,
// INPUT_CHANGED, else INPUT_NOT_READABLE.
inline absl::Status WithInputReason(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kNotFound:
      return OrReason(status, "INPUT_NOT_FOUND");
    case absl::StatusCode::kResourceExhausted:
      return OrReason(status, "LIMIT_EXCEEDED");
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kDataLoss:
      return OrReason(status, "NOT_AN_IMAGE");
    case absl::StatusCode::kFailedPrecondition:
      return OrReason(status, "INPUT_CHANGED");
    case absl::StatusCode::kOutOfRange:
      return WithReason(absl::InvalidArgumentError(status.message()), "NO_SUCH_PAGE");
    default:
      return OrReason(status, "INPUT_NOT_READABLE");
  }
}

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_JOBS_INPUT_ERROR_H_
