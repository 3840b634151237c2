// Several stages of a job as one. A pure function; thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_SERVICE_STAGE_VIEWS_H_
#define TILEWRIGHT_COORDINATOR_SERVICE_STAGE_VIEWS_H_

#include <vector>

#include "coordinator/schedule/scheduler.h"

namespace tilewright {

// Sums of two or more stages, in order. Tiles are numbered through: those of a stage follow those
// of the one before it.
JobView Together(const std::vector<JobView>& stages);

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_SERVICE_STAGE_VIEWS_H_
