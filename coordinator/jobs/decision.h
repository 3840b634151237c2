// Jobs whose last model gives logits: whether they are decided when they are written, and what
// such a job cannot have. Pure; thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_JOBS_DECISION_H_
#define TILEWRIGHT_COORDINATOR_JOBS_DECISION_H_

#include "absl/status/statusor.h"
#include "coordinator/models/repository.h"
#include "tilewright/v1/render_service.pb.h"

namespace tilewright {

// Whether labels are written in place of the values of `model`, the last stage's. INVALID_ARGUMENT
// (BAD_REQUEST) where they are and the request has a mask, which labels cannot be mixed by, or asks
// for samples other than u8; and where it asks for undecided values that nothing would decide.
absl::StatusOr<bool> ResolveDecision(const v1::RenderRequest& request,
                                     const RepositoryModel& model);

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_JOBS_DECISION_H_
