// Checks what goes into and comes out of an executor, so that neither a wrong task nor a wrong
// result passes on.

#ifndef TILEWRIGHT_WORKER_EXECUTOR_CHECKING_EXECUTOR_H_
#define TILEWRIGHT_WORKER_EXECUTOR_CHECKING_EXECUTOR_H_

#include <memory>

#include "worker/executor/executor.h"

namespace tilewright {

// A task that does not fit its stage (index twice, wrong shape, samples missing, contribution
// outside the tile's output) is REFUSED and never reaches `inner`; a result that is not exactly the
// contribution becomes a BAD_RESULT.
std::unique_ptr<Executor> CreateCheckingExecutor(std::unique_ptr<Executor> inner);

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_EXECUTOR_CHECKING_EXECUTOR_H_
