// Starts a worker as a child process that cannot outlive its parent unnoticed. Functions without
// state; to be called from the thread that lives as long as the program does, because the kernel
// takes the end of the starting thread for the end of the parent.

#ifndef TILEWRIGHT_WORKER_SUPERVISOR_CHILD_H_
#define TILEWRIGHT_WORKER_SUPERVISOR_CHILD_H_

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace tilewright {

struct ChildOptions {
  std::vector<std::string> argv;         // argv[0]: path of the program
  std::vector<std::string> environment;  // NAME=value, each wins over this program's own
  int nice = 0;                          // added to the niceness of this program
};

// Runs it in a process group of its own (a Ctrl-C is for the supervisor to pass on), with no signal
// blocked, stdin from /dev/null, stdout and stderr as this program's. The kernel sends it SIGTERM
// when this program dies, however early that is. UNAVAILABLE if the program cannot be executed.
absl::StatusOr<pid_t> StartChild(const ChildOptions& options);

// How many processes the kernel has killed since it booted because memory ran out; 0 where it does
// not say.
uint64_t KernelMemoryKills();

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_SUPERVISOR_CHILD_H_
