// The worker program but for its `main`: the shipped one serves with the engines as they are, the
// test-only one puts a decorator around each that makes faults.

#ifndef TILEWRIGHT_WORKER_SERVE_H_
#define TILEWRIGHT_WORKER_SERVE_H_

#include <functional>
#include <memory>

#include "worker/engine/engine.h"
#include "worker/executor/watchdog.h"

namespace tilewright {

struct ServeOptions {
  // Called with each engine before it is used; what it returns is used instead. Empty: as they are.
  std::function<std::unique_ptr<Engine>(std::unique_ptr<Engine>)> wrap_engine;
  WatchdogLimits watchdog;
};

// Parses the command line, composes the worker and serves its coordinator until a signal ends it.
// Returns the exit code of the process (worker/exit_code.h). Call it once, from main, before any
// thread exists: it tunes the allocator and blocks the signals that it waits for.
int RunWorker(int argc, char** argv, const ServeOptions& options);

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_SERVE_H_
