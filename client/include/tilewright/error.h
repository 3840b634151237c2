// Machine-readable reasons of errors. Pure; thread-safe.

#ifndef TILEWRIGHT_CLIENT_ERROR_H_
#define TILEWRIGHT_CLIENT_ERROR_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace tilewright {

// The UPPER_SNAKE reason that an error of this library or of a coordinator carries, for instance
// OUTPUT_EXISTS; empty if it carries none. Codes say what to do, reasons say why; neither changes
// with the wording of the message.
std::string ErrorReason(const absl::Status& status);

// How long to wait before the same is asked again; nullopt if the error does not say. A submission
// over a quota says it.
std::optional<absl::Duration> ErrorRetryAfter(const absl::Status& status);

}  // namespace tilewright

#endif  // TILEWRIGHT_CLIENT_ERROR_H_
