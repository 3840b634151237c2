// The executor's core: samples to network values, engine, contribution cut out, network values to
// samples.

#ifndef TILEWRIGHT_WORKER_EXECUTOR_CORE_EXECUTOR_H_
#define TILEWRIGHT_WORKER_EXECUTOR_CORE_EXECUTOR_H_

#include <memory>
#include <vector>

#include "worker/engine/engine.h"
#include "worker/executor/executor.h"

namespace tilewright {

// A stage runs on the engine that its model's manifest names. Up to eight prepared stages are kept;
// beyond that the one unused for longest goes. Fills TileCost.engine_seconds (of the whole batch,
// divided by its tiles) and TileCost.batch.
std::unique_ptr<Executor> CreateCoreExecutor(std::vector<std::unique_ptr<Engine>> engines);

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_EXECUTOR_CORE_EXECUTOR_H_
