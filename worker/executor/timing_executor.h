// Fills TileCost.total_seconds: from the start of a batch, or the end of the one before it if that
// is later, to its end, conversions and checks included, shared by the batch. And measures how fast
// engines are.

#ifndef TILEWRIGHT_WORKER_EXECUTOR_TIMING_EXECUTOR_H_
#define TILEWRIGHT_WORKER_EXECUTOR_TIMING_EXECUTOR_H_

#include <memory>

#include "worker/engine/measurements.h"
#include "worker/executor/executor.h"

namespace tilewright {

// `measurements`, if not null, outlives the executor and is told the speed that engines reach in
// batches without a failure, of models whose FLOPs are worth the count: kFlopsPerPixelMin and more.
inline constexpr double kFlopsPerPixelMin = 10'000;
std::unique_ptr<Executor> CreateTimingExecutor(std::unique_ptr<Executor> inner,
                                               Measurements* measurements = nullptr);

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_EXECUTOR_TIMING_EXECUTOR_H_
