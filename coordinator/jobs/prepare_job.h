// What is left to do of a resolved job before it is scheduled, since it takes as long as reading
// its images: those that come in order are copied where they are read anywhere, and the mask says
// which tiles are computed. Thread-safe: functions.

#ifndef TILEWRIGHT_COORDINATOR_JOBS_PREPARE_JOB_H_
#define TILEWRIGHT_COORDINATOR_JOBS_PREPARE_JOB_H_

#include <string>

#include "absl/status/status.h"
#include "coordinator/jobs/resolve_job.h"
#include "coordinator/jobs/slow_work.h"

namespace tilewright {

struct PrepareContext {
  std::string scratch;  // folder of files that last as long as a job
  SlowWork work;
};

// Whether any of that is to be done.
bool NeedsPreparation(const ResolvedJob& job);

// Does it, once. Errors are those of the images, with the reasons that ResolveJob gives them, and
// what the interrupt asks for.
absl::Status PrepareJob(const PrepareContext& context, ResolvedJob* job);

// What a dry run needs of that: how many tiles the mask skips.
absl::Status PrepareFigures(const PrepareContext& context, ResolvedJob* job);

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_JOBS_PREPARE_JOB_H_
