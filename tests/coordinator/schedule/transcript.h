// Runs a scheduling story: lines that begin with "> " are commands, everything else that is not a
// comment is what the scheduler is expected to decide. The language is described in
// testdata/README.md.

#ifndef TILEWRIGHT_TESTS_COORDINATOR_SCHEDULE_TRANSCRIPT_H_
#define TILEWRIGHT_TESTS_COORDINATOR_SCHEDULE_TRANSCRIPT_H_

#include <string>

#include "absl/status/statusor.h"

namespace tilewright {

// The story with the scheduler's decisions in place of those in `text`; comments and commands stay.
// INVALID_ARGUMENT names a command that cannot be understood; INTERNAL an invariant that a command
// broke.
absl::StatusOr<std::string> RunTranscript(const std::string& text);

}  // namespace tilewright

#endif  // TILEWRIGHT_TESTS_COORDINATOR_SCHEDULE_TRANSCRIPT_H_
