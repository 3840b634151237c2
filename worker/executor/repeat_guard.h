// Notices an engine that hands out an output that it gave before: a buffer that was read before the
// device had written it, or that nobody wrote at all. A decorator; belongs to one thread, like any
// engine.

#ifndef TILEWRIGHT_WORKER_EXECUTOR_REPEAT_GUARD_H_
#define TILEWRIGHT_WORKER_EXECUTOR_REPEAT_GUARD_H_

#include <memory>

#include "worker/engine/engine.h"

namespace tilewright {

// Compares what each run of a stage gives with the other tiles of its batch and with the runs
// before, as many as may be in flight: so old is a buffer that they take by turns. Where two tiles
// differ and their outputs are the same to the bit without being constant, the batch is run once
// more. If that is no better, the tile may still be one of those whose differences the model does
// not see (a segmenter's labels): then its output must change with an input half the range away,
// and come back with its own; otherwise it is a BAD_RESULT. What this cannot see: a stale output of
// the very same tile, one that is older, and the first output of a stage; the canary sees those
// that come in every run.
std::unique_ptr<Engine> CreateRepeatGuard(std::unique_ptr<Engine> inner);

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_EXECUTOR_REPEAT_GUARD_H_
