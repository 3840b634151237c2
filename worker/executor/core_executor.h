// The executor's core: samples to network values, engine, contribution cut out, network values to
// samples.

#ifndef TILEWRIGHT_WORKER_EXECUTOR_CORE_EXECUTOR_H_
#define TILEWRIGHT_WORKER_EXECUTOR_CORE_EXECUTOR_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "worker/engine/engine.h"
#include "worker/executor/executor.h"
#include "worker/executor/ladder.h"

namespace tilewright {

struct CoreOptions {
  // Prepared stages are kept while their state and the largest run fit; beyond that the ones unused
  // for longest go.
  uint64_t stage_bytes_max = uint64_t{4} << 30;
  Rung first_rung = Rung::kWholeBatch;
  // Where jobs that allow it fall back to when the device's memory does not suffice, by the name of
  // the device's engine. They outlive the executor.
  std::vector<Engine*> cpu_engines = {};
};

// A stage runs on the engine that its model's manifest names. Fills TileCost.engine_seconds (of the
// whole batch, divided by its tiles), TileCost.batch, and what the failure ladder did (ladder.h).
std::unique_ptr<Executor> CreateCoreExecutor(std::vector<std::unique_ptr<Engine>> engines,
                                             const CoreOptions& options = {});

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_EXECUTOR_CORE_EXECUTOR_H_
