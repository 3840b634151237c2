// Canary tiles: seeded noise through a stage, so that workers whose bits agree are found. A
// function without state.

#ifndef TILEWRIGHT_WORKER_EXECUTOR_CANARY_H_
#define TILEWRIGHT_WORKER_EXECUTOR_CANARY_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/statusor.h"
#include "worker/engine/engine.h"
#include "worker/executor/convert.h"
#include "worker/executor/executor.h"

namespace tilewright {

// Most values of an excerpt. A prime: with any other number the distance between places could be a
// multiple of a pixel's channels or of a row, and the excerpt would hold one channel or column.
inline constexpr size_t kExcerptValuesMax = 16'381;

// Tile t of `batch` is noise of seed + t in the stage's input type. The batch runs twice, the
// second time with every tile one slot on; the digest is XXH3-128 over the raw outputs of both, in
// the order of t. The excerpt is of the first run: of its N values, all tiles one after another in
// the order of t, those at floor(k N / n) for k < n = min(N, kExcerptValuesMax). So workers of one
// class send the same excerpt, and those of another one the same places.
absl::StatusOr<Executor::CanaryOutcome> DigestCanary(const StageNumbers& numbers, int batch,
                                                     uint64_t seed, Stage& stage);

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_EXECUTOR_CANARY_H_
