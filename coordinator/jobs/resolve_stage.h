// From a request to the numbers of one of its stages. Functions of values; thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_JOBS_RESOLVE_STAGE_H_
#define TILEWRIGHT_COORDINATOR_JOBS_RESOLVE_STAGE_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "coordinator/image/image_reader.h"
#include "coordinator/jobs/resolve_job.h"
#include "coordinator/models/repository.h"
#include "tilewright/v1/render_service.pb.h"

namespace tilewright {

// Most stages of a job.
inline constexpr int kStagesMax = 8;

// INVALID_ARGUMENT (BAD_REQUEST) for no stage or too many, and for what a job of several stages
// cannot have: a previous frame.
absl::Status CheckStages(const v1::RenderRequest& request);

// Each wants `number` and what the one before it fills; sentences for the user are added to
// `notes`. Reasons as of ResolveJob.

// Fills `model`; what it takes beside the image is as CheckBeside wants it.
absl::Status FindModel(const v1::RenderRequest& request, const ModelRepository& models,
                       ResolvedStage* stage);
// Wants `input` too. Fills `plan`, of a part of the input if a region is given, and what channels
// `format` has.
absl::Status PlanStage(const v1::RenderRequest& request, const std::optional<Rect>& region,
                       ResolvedStage* stage, std::vector<std::string>* notes);
// Wants `format` and `wanted` too. Fills the rest.
absl::Status DescribeStage(const v1::RenderRequest& request, ResolvedStage* stage,
                           std::vector<std::string>* notes);

// All of that for a stage whose image the next one reads. Wants `number` and `input`. Its samples
// are what the request says, else f16 if the input has 8 bits, which it holds all of, else f32.
absl::Status ResolveInnerStage(const v1::RenderRequest& request, const ModelRepository& models,
                               ResolvedStage* stage, std::vector<std::string>* notes);
// The request's region, as one of the image that `before`, all stages before the last, make of it.
// INVALID_ARGUMENT (BAD_GEOMETRY) if it is no part of the image; nullopt if there is none.
absl::StatusOr<std::optional<Rect>> RegionOfLast(const v1::RenderRequest& request,
                                                 const std::vector<ResolvedStage>& before);
// What the next stage reads. Its access says in which order it comes: that of the first input.
ImageInfo MadeBy(const ResolvedStage& stage);

// Name in the scheduler of a stage of the job; that of the first is the job's.
std::string NameOfStage(const std::string& job, int number);

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_JOBS_RESOLVE_STAGE_H_
