// Canary tiles: seeded noise through a stage, so that workers whose bits agree are found. A
// function without state.

#ifndef TILEWRIGHT_WORKER_EXECUTOR_CANARY_H_
#define TILEWRIGHT_WORKER_EXECUTOR_CANARY_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "worker/engine/engine.h"
#include "worker/executor/convert.h"
#include "worker/executor/executor.h"

namespace tilewright {

// Tile t of `batch` is noise of seed + t in the stage's input type. The batch runs twice, the
// second time with every tile one slot on; the digest is XXH3-128 over the raw outputs of both, in
// the order of t.
absl::StatusOr<Executor::CanaryOutcome> DigestCanary(const StageNumbers& numbers, int batch,
                                                     uint64_t seed, Stage& stage);

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_EXECUTOR_CANARY_H_
