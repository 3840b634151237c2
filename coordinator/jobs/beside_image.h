// What a model takes beside the image: whether a request has it, and how tiles get it. Functions of
// values; thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_JOBS_BESIDE_IMAGE_H_
#define TILEWRIGHT_COORDINATOR_JOBS_BESIDE_IMAGE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "coordinator/jobs/resolve_job.h"
#include "coordinator/merge/tile_source.h"
#include "coordinator/models/repository.h"
#include "tilewright/v1/render_service.pb.h"

namespace tilewright {

// Whether the model takes more than the image.
bool TakesMore(const RepositoryModel& model);

// Of the model of any of the request's stages. INVALID_ARGUMENT: MASK_MISSING for a model that
// takes a mask without one, BAD_PREVIOUS for a previous frame that no model takes, BAD_REQUEST for
// a model that takes more than the image as one of several stages.
absl::Status CheckBeside(const v1::RenderRequest& request, const RepositoryModel& model);

// Wants `model`, `reader`, `mask` and `previous_reader`, and CheckBeside to have passed. Fills
// `beside`; sentences for the user are added to `notes`. INVALID_ARGUMENT (BAD_PREVIOUS) for a
// previous frame of another size, number of channels or orientation.
absl::Status ResolveBeside(ResolvedJob* job, std::vector<std::string>* notes);

// The inputs of the job's tiles, as a job of one stage reads them. `job` outlives them; `scratch`
// is a folder.
std::shared_ptr<TileSource> InputsOf(const ResolvedJob& job, const std::string& scratch);

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_JOBS_BESIDE_IMAGE_H_
