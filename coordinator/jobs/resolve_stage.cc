#include "coordinator/jobs/resolve_stage.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "coordinator/jobs/beside_image.h"
#include "coordinator/jobs/channel_policy.h"
#include "coordinator/jobs/describe_job.h"
#include "coordinator/jobs/input_error.h"
#include "coordinator/jobs/wire_types.h"
#include "coordinator/models/manifest.h"
#include "proto/base/status_macros.h"
#include "proto/wire/status_details.h"
#include "proto/wire/tile_types.h"

namespace tilewright {
namespace {

absl::Status BadStage(std::string text) {
  return WithReason(absl::InvalidArgumentError(std::move(text)), "BAD_REQUEST");
}

absl::StatusOr<StagePlan> ResolvePlan(const v1::StageRequest& stage, const RepositoryModel& model,
                                      const ImageInfo& input, bool alpha_beside,
                                      const std::optional<Rect>& region) {
  PlanRequest plan;
  plan.image = input.size;
  if (region.has_value()) plan.region = *region;
  plan.rows_in_order = input.access != ImageAccess::kAnywhere;
  if (stage.has_tile()) plan.tile = stage.tile();
  if (stage.has_halo()) plan.halo = stage.halo();
  if (stage.has_overlap()) plan.overlap = stage.overlap();
  if (!stage.window().empty()) {
    const absl::StatusOr<Window> window = ParseWindow(stage.window());
    if (!window.ok()) return OrReason(window.status(), "BAD_GEOMETRY");
    plan.window = *window;
  }
  // Resizing alpha looks one pixel to each side.
  const bool resized = !(model.geometry.scale == Scale());
  if (alpha_beside && resized && plan.halo.value_or(model.geometry.halo) == 0) {
    plan.halo = model.geometry.scale.q();
  }
  absl::StatusOr<StagePlan> resolved = StagePlan::Create(model.geometry, plan);
  if (resolved.ok()) return resolved;
  const bool too_small = plan.tile.has_value() && *plan.tile < model.geometry.minimum;
  return OrReason(resolved.status(), too_small ? "TILE_TOO_SMALL" : "BAD_GEOMETRY");
}

std::string ExactnessOf(const RepositoryModel& model, const StagePlan& plan,
                        std::vector<std::string>* notes) {
  const v1::ModelManifest& manifest = model.model.manifest();
  const bool tiled = plan.tile_count() > 1;
  if (tiled && plan.halo() < model.geometry.halo) {
    notes->push_back(absl::StrCat("halo ", plan.halo(), " is below the model's ",
                                  model.geometry.halo, ": seams may show"));
    return "approximate";
  }
  if (manifest.exactness() == v1::EXACTNESS_KIND_EXACT) return "exact";
  if (manifest.exactness() == v1::EXACTNESS_KIND_BOUNDED) {
    return absl::StrCat("bounded(", manifest.epsilon(), ")");
  }
  return "approximate";
}

// Manifests in the repository list at least one dtype.
absl::StatusOr<std::string> ResolveDtype(const std::string& asked, const RepositoryModel& model) {
  const auto& allowed = model.model.manifest().dtypes();
  const auto allows = [&allowed](const std::string& dtype) {
    return std::find(allowed.begin(), allowed.end(), dtype) != allowed.end();
  };
  if (asked.empty()) return allows("fp32") ? "fp32" : allowed[0];
  if (allows(asked)) return asked;
  return BadStage(absl::StrCat("the model ", model.model.name(), " does not run in '", asked,
                               "': its manifest allows ", absl::StrJoin(allowed, ", ")));
}

// What is said of one of several stages says which.
void AddNotes(const v1::RenderRequest& request, const ResolvedStage& stage,
              const std::vector<std::string>& from, std::vector<std::string>* notes) {
  for (const std::string& note : from) {
    notes->push_back(
        request.stages_size() == 1
            ? note
            : absl::StrCat("stage ", stage.number, " (", stage.model->model.name(), "): ", note));
  }
}

}  // namespace

absl::Status CheckStages(const v1::RenderRequest& request) {
  const int stages = request.stages_size();
  if (stages < 1 || stages > kStagesMax) {
    return BadStage(absl::StrCat("the request has ", stages, " stages: give 1 to ", kStagesMax));
  }
  if (stages > 1 && !request.previous().empty()) {
    return BadStage(
        "a job of several stages cannot have a previous frame: leave it away, or render one stage "
        "after the other");
  }
  return absl::OkStatus();
}

absl::Status FindModel(const v1::RenderRequest& request, const ModelRepository& models,
                       ResolvedStage* stage) {
  const absl::StatusOr<const RepositoryModel*> model =
      models.Find(request.stages(stage->number).model());
  if (!model.ok()) return OrReason(model.status(), "UNKNOWN_MODEL");
  stage->model = *model;
  return CheckBeside(request, **model);
}

absl::Status PlanStage(const v1::RenderRequest& request, const std::optional<Rect>& region,
                       ResolvedStage* stage, std::vector<std::string>* notes) {
  TW_ASSIGN_OR_RETURN(
      const ChannelMatch channels,
      MatchChannels(stage->model->model,
                    {stage->input.channels, stage->input.has_alpha, stage->input.array}));
  stage->format.channels = channels.output.count;
  stage->format.array = channels.output.array;
  TW_ASSIGN_OR_RETURN(StagePlan plan, ResolvePlan(request.stages(stage->number), *stage->model,
                                                  stage->input, channels.alpha_beside, region));
  stage->plan = std::make_shared<const StagePlan>(std::move(plan));
  AddNotes(request, *stage, stage->plan->notes(), notes);
  return absl::OkStatus();
}

absl::Status DescribeStage(const v1::RenderRequest& request, ResolvedStage* stage,
                           std::vector<std::string>* notes) {
  TW_ASSIGN_OR_RETURN(stage->dtype,
                      ResolveDtype(request.stages(stage->number).dtype(), *stage->model));
  std::vector<std::string> own;
  if (stage->dtype != "fp32") own.push_back(absl::StrCat("the model runs in ", stage->dtype));
  stage->exactness = ExactnessOf(*stage->model, *stage->plan, &own);
  AddNotes(request, *stage, own, notes);
  FillStage(*stage, request, &stage->stage);
  FillSpec(*stage, request, &stage->spec);
  stage->memory = MemoryOf(*stage);
  return absl::OkStatus();
}

absl::Status ResolveInnerStage(const v1::RenderRequest& request, const ModelRepository& models,
                               ResolvedStage* stage, std::vector<std::string>* notes) {
  TW_RETURN_IF_ERROR(FindModel(request, models, stage));
  // Whole, since tiles of the next stage look beyond a region; it computes what they need of it.
  TW_RETURN_IF_ERROR(PlanStage(request, std::nullopt, stage, notes));
  stage->format.size = stage->plan->output();
  stage->format.sample =
      stage->input.sample == SampleType::kU8 || stage->input.sample == SampleType::kF16
          ? SampleType::kF16
          : SampleType::kF32;
  const v1::SampleType asked = request.stages(stage->number).output_sample();
  if (asked != v1::SAMPLE_TYPE_UNSPECIFIED) {
    const std::optional<SampleType> sample = FromWire(asked);
    if (!sample.has_value()) {
      return BadStage(absl::StrCat("sample type ", static_cast<int>(asked), " is unknown"));
    }
    stage->format.sample = *sample;
  }
  if (stage->model->merge == MergeKind::kCut) {
    return BadStage(absl::StrCat(stage->model->model.name(),
                                 " makes labels, which no other model reads: it can only be the "
                                 "last stage"));
  }
  if (GivesLogits(stage->model->model.manifest())) {
    return BadStage(absl::StrCat(stage->model->model.name(),
                                 " gives logits, of which labels are made when they are written: "
                                 "it can only be the last stage"));
  }
  stage->wanted = std::make_shared<const WantedTiles>(*stage->plan);
  return DescribeStage(request, stage, notes);
}

absl::StatusOr<std::optional<Rect>> RegionOfLast(const v1::RenderRequest& request,
                                                 const std::vector<ResolvedStage>& before) {
  if (!request.has_region()) return std::nullopt;
  Rect region = FromWire(request.region());
  for (const ResolvedStage& stage : before) {
    const absl::StatusOr<Rect> reach =
        ReachOf(region, stage.plan->image(), stage.plan->model().scale);
    if (!reach.ok()) return OrReason(reach.status(), "BAD_GEOMETRY");
    region = *reach;
  }
  return region;
}

ImageInfo MadeBy(const ResolvedStage& stage) {
  ImageInfo made = stage.input;
  made.size = stage.format.size;
  made.channels = stage.format.channels;
  made.array = stage.format.array;
  made.has_alpha = !made.array && (made.channels == 2 || made.channels == 4);
  made.sample = stage.format.sample;
  return made;
}

std::string NameOfStage(const std::string& job, int number) {
  return number == 0 ? job : absl::StrCat(job, "/stages/", number);
}

}  // namespace tilewright
