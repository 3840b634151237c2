// Fills TileCost.total_seconds: from the start of Execute to its end, conversions and checks
// included, shared by the batch.

#ifndef TILEWRIGHT_WORKER_EXECUTOR_TIMING_EXECUTOR_H_
#define TILEWRIGHT_WORKER_EXECUTOR_TIMING_EXECUTOR_H_

#include <memory>

#include "worker/executor/executor.h"

namespace tilewright {

std::unique_ptr<Executor> CreateTimingExecutor(std::unique_ptr<Executor> inner);

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_EXECUTOR_TIMING_EXECUTOR_H_
