// Notices a device that makes no progress any more. What hangs in a driver cannot be called back:
// whoever asks ends the process. Thread-safe; its clock is injected.

#ifndef TILEWRIGHT_WORKER_EXECUTOR_WATCHDOG_H_
#define TILEWRIGHT_WORKER_EXECUTOR_WATCHDOG_H_

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "proto/base/instant.h"
#include "worker/engine/engine.h"
#include "worker/executor/executor.h"

namespace tilewright {

struct WatchdogLimits {
  // A run of the engine may take the larger of both.
  double deadlines = 10;  // times what the coordinator's work clock gives
  absl::Duration least = absl::Seconds(60);
  // Loading may take so long without a word of progress. The coordinator gives the lease to others
  // much earlier; this ends a process that would never do anything again.
  absl::Duration loading = absl::Minutes(10);
};

class Watchdog {
 public:
  Watchdog(const WatchdogLimits& limits, std::function<Instant()> now)
      : limits_(limits), now_(std::move(now)) {}

  // Runs that begin from now on have this deadline; zero: it is not known, they are not watched.
  // `what` is computed, for people.
  void Expect(absl::Duration deadline, std::string what);
  // A run of the engine begins. Several may be in flight; a device does one after the other.
  void Begin();
  // The run that began first ends, or loading.
  void End();
  // A model is being loaded, or moves on; until End. `what` is loaded, for people. No run is in
  // flight.
  void Loading(std::string what);
  // A sentence if the present run, or loading, has lasted too long. A run lasts from its begin, but
  // not from before the end of the one before it.
  std::optional<std::string> Blown() const;

 private:
  const WatchdogLimits limits_;
  const std::function<Instant()> now_;
  struct Expected {
    absl::Duration deadline;
    std::string what;
  };
  mutable absl::Mutex mutex_;
  Expected expected_ ABSL_GUARDED_BY(mutex_);          // of runs that begin now
  std::deque<Expected> runs_ ABSL_GUARDED_BY(mutex_);  // in flight, the first one first
  std::string loading_ ABSL_GUARDED_BY(mutex_);        // what is loaded; empty: nothing
  Instant moved_ ABSL_GUARDED_BY(mutex_);              // when the present run, or loading, began
};

// Tells the watchdog of all loading and of every run of the engine's stages; whatever the failure
// ladder makes of a tile, each attempt counts for itself. `watchdog` outlives both decorators.
std::unique_ptr<Engine> CreateWatchedEngine(std::unique_ptr<Engine> inner, Watchdog* watchdog);
// Tells it the deadline of what is executed.
std::unique_ptr<Executor> CreateWatchedExecutor(std::unique_ptr<Executor> inner,
                                                Watchdog* watchdog);

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_EXECUTOR_WATCHDOG_H_
