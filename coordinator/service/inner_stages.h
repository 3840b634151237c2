// The stages of a job before its last one, put between it and the job's image. Functions of what
// they are given; thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_SERVICE_INNER_STAGES_H_
#define TILEWRIGHT_COORDINATOR_SERVICE_INNER_STAGES_H_

#include <memory>
#include <string>
#include <vector>

#include "coordinator/jobs/job_record.h"
#include "coordinator/jobs/job_run.h"
#include "coordinator/jobs/resolve_job.h"
#include "coordinator/service/dispatcher.h"

namespace tilewright {

// Hosts of `job->before`, which moves into them; `last` gets what the last stage reads. Tiles that
// become complete are released at `dispatcher`, which must outlive them. Nothing for a job of one
// stage.
std::vector<Dispatcher::Stage> StartInnerStages(const std::string& scratch,
                                                const std::shared_ptr<JobRecord>& record,
                                                Dispatcher& dispatcher, ResolvedJob* job,
                                                JobRun::Options* last);

// Which workers may take tiles of the job; one that may take those of some stages only is told why
// not the others.
std::vector<MatchView> MatchStages(const Dispatcher& dispatcher, const ResolvedJob& job);

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_SERVICE_INNER_STAGES_H_
