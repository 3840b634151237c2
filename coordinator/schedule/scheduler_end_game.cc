// The end of a job: who may still begin a tile, what is taken back for a faster worker, what is
// computed twice.

#include "coordinator/schedule/scheduler_impl.h"

namespace tilewright {}  // namespace tilewright
