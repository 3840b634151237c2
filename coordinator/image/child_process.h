// Runs a child of this program that works on one image, so that a library that crashes on it takes
// nothing else with it. Thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_IMAGE_CHILD_PROCESS_H_
#define TILEWRIGHT_COORDINATOR_IMAGE_CHILD_PROCESS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace tilewright {

struct ChildOutcome {
  bool timed_out = false;     // it was killed after the limit
  bool status_known = false;  // false: someone else waited for it, or SIGCHLD is ignored
  int wait_status = 0;        // of waitpid
  std::string text;           // the first lines of its stderr, in one
  std::string output;         // the first lines of its stdout, in one
};

// Starts `arguments`, the program first, with nothing on stdin, and waits for its end. `doing`
// opens the errors: FAILED_PRECONDITION if it cannot be started, else what the system says.
absl::StatusOr<ChildOutcome> RunChild(const std::vector<std::string>& arguments,
                                      absl::Duration limit, const std::string& doing);

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_IMAGE_CHILD_PROCESS_H_
