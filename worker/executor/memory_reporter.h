// Tells how much memory a device has free while it works. A decorator: what it makes belongs to one
// thread at a time, like the engine inside.

#ifndef TILEWRIGHT_WORKER_EXECUTOR_MEMORY_REPORTER_H_
#define TILEWRIGHT_WORKER_EXECUTOR_MEMORY_REPORTER_H_

#include <functional>
#include <memory>

#include "absl/time/time.h"
#include "proto/base/instant.h"
#include "worker/engine/engine.h"
#include "worker/engine/measurements.h"

namespace tilewright {

// The device is asked at most so often.
inline constexpr absl::Duration kMemoryReportInterval = absl::Seconds(1);

// Wraps an engine that outlives its stages: after what is loaded and after runs, the free memory of
// its device, where the engine knows it, goes to `measurements`. The thread that computes asks, so
// a device that hangs silences nobody else; what other programs take while nothing runs is seen
// after the next run. Both outlive the result; `now` tells the time.
std::unique_ptr<Engine> CreateMemoryReporter(std::unique_ptr<Engine> engine,
                                             Measurements* measurements,
                                             std::function<Instant()> now);

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_EXECUTOR_MEMORY_REPORTER_H_
