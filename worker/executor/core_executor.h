// The executor's core: samples to network values, engine, contribution cut out, network values to
// samples.

#ifndef TILEWRIGHT_WORKER_EXECUTOR_CORE_EXECUTOR_H_
#define TILEWRIGHT_WORKER_EXECUTOR_CORE_EXECUTOR_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "worker/engine/engine.h"
#include "worker/executor/executor.h"

namespace tilewright {

struct CoreOptions {
  // Prepared stages are kept while their state and the largest run fit; beyond that the ones unused
  // for longest go.
  uint64_t stage_bytes_max = uint64_t{4} << 30;
};

// A stage runs on the engine that its model's manifest names. Fills TileCost.engine_seconds (of the
// whole batch, divided by its tiles) and TileCost.batch.
std::unique_ptr<Executor> CreateCoreExecutor(std::vector<std::unique_ptr<Engine>> engines,
                                             const CoreOptions& options = {});

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_EXECUTOR_CORE_EXECUTOR_H_
