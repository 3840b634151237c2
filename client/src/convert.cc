#include "client/src/convert.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "proto/base/status_macros.h"
#include "proto/wire/file_uri.h"
#include "proto/wire/status_details.h"

namespace tilewright {
namespace {

JobState StateFromProto(v1::Job::State state) {
  switch (state) {
    case v1::Job::STATE_QUEUED:
      return JobState::kQueued;
    case v1::Job::STATE_RUNNING:
      return JobState::kRunning;
    case v1::Job::STATE_MERGING:
      return JobState::kMerging;
    case v1::Job::STATE_SUCCEEDED:
      return JobState::kSucceeded;
    case v1::Job::STATE_FAILED:
      return JobState::kFailed;
    case v1::Job::STATE_CANCELLED:
      return JobState::kCancelled;
    default:
      return JobState::kUnknown;
  }
}

OnFailedTile OnFailedTileFromProto(v1::OnFailedTile on_failed_tile) {
  switch (on_failed_tile) {
    case v1::ON_FAILED_TILE_WAIT:
      return OnFailedTile::kWait;
    case v1::ON_FAILED_TILE_HOLE:
      return OnFailedTile::kHole;
    default:
      return OnFailedTile::kFail;
  }
}

v1::OnFailedTile OnFailedTileToProto(OnFailedTile on_failed_tile) {
  switch (on_failed_tile) {
    case OnFailedTile::kFail:
      return v1::ON_FAILED_TILE_FAIL;
    case OnFailedTile::kWait:
      return v1::ON_FAILED_TILE_WAIT;
    case OnFailedTile::kHole:
      return v1::ON_FAILED_TILE_HOLE;
  }
  return v1::ON_FAILED_TILE_UNSPECIFIED;
}

std::string SampleName(v1::SampleType sample) {
  switch (sample) {
    case v1::SAMPLE_TYPE_U8:
      return "u8";
    case v1::SAMPLE_TYPE_U16:
      return "u16";
    case v1::SAMPLE_TYPE_F16:
      return "f16";
    case v1::SAMPLE_TYPE_F32:
      return "f32";
    default:
      return "";
  }
}

std::string ExactnessName(const v1::ModelManifest& manifest) {
  switch (manifest.exactness()) {
    case v1::EXACTNESS_KIND_EXACT:
      return "exact";
    case v1::EXACTNESS_KIND_BOUNDED:
      return absl::StrCat("bounded(", manifest.epsilon(), ")");
    case v1::EXACTNESS_KIND_APPROXIMATE:
      return "approximate";
    default:
      return "";
  }
}

PlannedStage StageFromProto(const v1::StageSummary& proto) {
  PlannedStage stage;
  stage.model = proto.model();
  stage.model_digest = proto.model_digest();
  stage.tile_width = proto.tile_width();
  stage.tile_height = proto.tile_height();
  stage.halo = proto.halo();
  stage.overlap = proto.overlap();
  stage.window = proto.window();
  stage.columns = proto.columns();
  stage.rows = proto.rows();
  stage.tiles = proto.tiles();
  stage.halo_overhead = proto.halo_overhead();
  stage.output_width = proto.output_width();
  stage.output_height = proto.output_height();
  stage.channels = proto.channels();
  stage.output_sample = SampleName(proto.output_sample());
  return stage;
}

absl::Status StageToProto(const RenderRequest::Stage& stage, v1::StageRequest& proto) {
  proto.set_model(stage.model);
  if (stage.tile.has_value()) proto.set_tile(*stage.tile);
  if (stage.overlap.has_value()) proto.set_overlap(*stage.overlap);
  if (stage.halo.has_value()) proto.set_halo(*stage.halo);
  proto.set_window(stage.window);
  proto.set_dtype(stage.dtype);
  if (stage.sample.empty()) return absl::OkStatus();
  for (const v1::SampleType sample :
       {v1::SAMPLE_TYPE_U8, v1::SAMPLE_TYPE_U16, v1::SAMPLE_TYPE_F16, v1::SAMPLE_TYPE_F32}) {
    if (stage.sample == SampleName(sample)) proto.set_output_sample(sample);
  }
  if (proto.output_sample() != v1::SAMPLE_TYPE_UNSPECIFIED) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("'", stage.sample, "' is no sample type: say u8, u16, f16 or f32"));
}

Plan PlanFromProto(const v1::PlanSummary& proto) {
  Plan plan;
  plan.model = proto.model();
  plan.model_digest = proto.model_digest();
  plan.input_width = proto.input_width();
  plan.input_height = proto.input_height();
  plan.input_pages = std::max(1u, proto.input_pages());  // 0: an older coordinator
  plan.channels = proto.channels();
  plan.output_sample = SampleName(proto.output_sample());
  for (const v1::StageSummary& stage : proto.stages()) {
    plan.stages.push_back(StageFromProto(stage));
  }
  plan.output_width = proto.output_width();
  plan.output_height = proto.output_height();
  plan.tile_width = proto.tile_width();
  plan.tile_height = proto.tile_height();
  plan.halo = proto.halo();
  plan.overlap = proto.overlap();
  plan.window = proto.window();
  plan.columns = proto.columns();
  plan.rows = proto.rows();
  plan.tiles = proto.tiles();
  plan.skipped_tiles = proto.skipped_tiles();
  plan.halo_overhead = proto.halo_overhead();
  plan.memory_bytes = proto.memory_bytes();
  plan.memory_floor_bytes = proto.memory_floor_bytes();
  plan.disk_bytes = proto.disk_bytes();
  plan.disk_free_bytes = proto.disk_free_bytes();
  plan.compression = proto.compression();
  plan.tiff_tile = proto.tiff_tile();
  plan.overview_levels = proto.overview_levels();
  plan.notes.assign(proto.notes().begin(), proto.notes().end());
  for (const v1::WorkerMatch& match : proto.matches()) {
    plan.matches.push_back({match.worker(), match.eligible(), match.reason()});
  }
  return plan;
}

Event EventFromProto(const v1::Event& proto) {
  Event event;
  event.kind = proto.kind();
  if (proto.has_tile()) event.tile = proto.tile();
  event.worker = proto.worker();
  event.text = proto.text();
  event.at = absl::Seconds(proto.seconds());
  return event;
}

// "sub_tiles"; that of a newer coordinator is "unspecified".
std::string LadderStepName(v1::LadderStep step) {
  const std::string& name =
      v1::LadderStep_Name(v1::LadderStep_IsValid(step) ? step : v1::LADDER_STEP_UNSPECIFIED);
  return absl::AsciiStrToLower(absl::StripPrefix(name, "LADDER_STEP_"));
}

}  // namespace

Job JobFromProto(const v1::Job& proto) {
  Job job;
  job.name = proto.name();
  job.state = StateFromProto(proto.state());
  job.error = FromProto(proto.error());
  job.input = PathOrUri(proto.request().input());
  job.output = PathOrUri(proto.request().output());
  job.plan = PlanFromProto(proto.plan());
  job.tiles_done = proto.tiles_done();
  job.stage_tiles_done.assign(proto.stage_tiles_done().begin(), proto.stage_tiles_done().end());
  job.attempts = proto.attempts();
  job.elapsed = absl::Seconds(proto.seconds());
  job.compute = absl::Seconds(proto.compute_seconds());
  if (proto.has_eta_seconds()) job.eta = absl::Seconds(proto.eta_seconds());
  for (const v1::WorkerShare& share : proto.workers()) {
    job.workers.push_back({share.name(), share.tiles()});
  }
  for (const v1::Event& event : proto.events()) job.events.push_back(EventFromProto(event));
  job.exactness = proto.exactness();
  job.numeric_classes.assign(proto.numeric_classes().begin(), proto.numeric_classes().end());
  if (proto.has_largest_difference()) job.largest_difference = proto.largest_difference();
  job.promise = proto.promise();
  job.pixel_hash = proto.pixel_hash();
  job.created = proto.created();
  job.tenant = proto.tenant();
  job.priority = proto.priority();
  job.paused = proto.paused();
  job.on_failed_tile = OnFailedTileFromProto(proto.request().on_failed_tile());
  job.waits_for_decision = proto.waits_for_decision();
  job.failed_tiles.assign(proto.failed_tiles().begin(), proto.failed_tiles().end());
  job.failed_tile_count = proto.failed_tile_count();
  for (const v1::Hole& hole : proto.holes()) {
    const v1::Rect& rect = hole.rect();
    job.holes.push_back({hole.tile(), rect.x(), rect.y(), rect.width(), rect.height()});
  }
  job.hole_count = proto.hole_count();
  job.copies = proto.copies();
  for (const v1::LadderCount& count : proto.ladder()) {
    job.ladder.push_back({LadderStepName(count.step()), count.attempts()});
  }
  job.constant_results = proto.constant_results();
  job.held_bytes = proto.held_bytes();
  job.spilled_bytes = proto.spilled_bytes();
  job.waits_for_room = proto.waits_for_room();
  job.partial_output = proto.partial_output();
  job.missing_tile_count = proto.missing_tile_count();
  job.continued_tiles = proto.continued_tiles();
  job.checkpoint_tiles = proto.checkpoint_tiles();
  job.copied_blocks = proto.copied_blocks();
  return job;
}

Model ModelFromProto(const v1::Model& proto) {
  const v1::ModelManifest& manifest = proto.manifest();
  Model model;
  model.name = proto.name();
  model.digest = proto.digest();
  model.description = manifest.description();
  model.engine = manifest.engine();
  model.scale_p = manifest.scale_p() == 0 ? 1 : manifest.scale_p();
  model.scale_q = manifest.scale_q() == 0 ? 1 : manifest.scale_q();
  model.halo = manifest.halo();
  model.alignment = manifest.alignment() == 0 ? 1 : manifest.alignment();
  model.default_tile = manifest.default_tile() == 0 ? 512 : manifest.default_tile();
  model.default_overlap = manifest.default_overlap();
  if (manifest.inputs_size() > 0) model.channels = manifest.inputs(0).channels();
  for (int i = 1; i < manifest.inputs_size(); ++i) {
    model.beside.push_back(manifest.inputs(i).name());
  }
  model.exactness = ExactnessName(manifest);
  model.flops_per_pixel = manifest.flops_per_pixel();
  return model;
}

Worker WorkerFromProto(const v1::WorkerInfo& proto) {
  const v1::Capabilities& can = proto.capabilities();
  Worker worker;
  worker.name = proto.name();
  worker.device_kind = can.device_kind();
  worker.device_name = can.device_name();
  worker.build = proto.build();
  worker.environment_key = can.environment_key();
  worker.engines.assign(can.engines().begin(), can.engines().end());
  worker.dtypes.assign(can.dtypes().begin(), can.dtypes().end());
  worker.compute_capability = can.compute_capability();
  for (const v1::EngineOffer& offer : can.engine_offers()) {
    worker.engine_offers.push_back({offer.name(),
                                    {offer.dtypes().begin(), offer.dtypes().end()},
                                    offer.reference_seconds_per_mpx()});
  }
  for (const v1::MemoryModel& memory : can.memory_models()) {
    worker.memory_models.push_back(
        {memory.model_digest(), memory.dtype(), memory.base_bytes(), memory.bytes_per_pixel()});
  }
  worker.threads = can.threads();
  worker.memory_total_bytes = can.memory_total_bytes();
  worker.memory_free_bytes = can.memory_free_bytes();
  worker.probe_flops = can.probe_flops();
  worker.leased_tiles = proto.leased_tiles();
  worker.accepted_tiles = proto.accepted_tiles();
  worker.silent = absl::Seconds(proto.silent_seconds());
  worker.draining = proto.draining();
  if (proto.has_quarantine_seconds()) {
    worker.quarantine = absl::Seconds(proto.quarantine_seconds());
  }
  worker.blocklisted_for.assign(proto.blocklisted_for().begin(), proto.blocklisted_for().end());
  worker.blocklisted_count = proto.blocklisted_count();
  worker.away = proto.away();
  worker.shares_memory = proto.transport() == v1::TRANSPORT_SEGMENT;
  worker.slot_misses = proto.slot_misses();
  return worker;
}

absl::StatusOr<v1::RenderRequest> RequestToProto(const RenderRequest& request) {
  v1::RenderRequest proto;
  const RenderRequest::Stage first = {request.model,  request.tile,  request.overlap, request.halo,
                                      request.window, request.dtype, request.sample};
  TW_RETURN_IF_ERROR(StageToProto(first, *proto.add_stages()));
  for (const RenderRequest::Stage& stage : request.then) {
    TW_RETURN_IF_ERROR(StageToProto(stage, *proto.add_stages()));
  }
  proto.set_input_page(request.page);
  proto.set_overwrite(request.overwrite);
  proto.set_strict(request.strict);
  proto.set_tile_timeout_seconds(absl::ToDoubleSeconds(request.tile_timeout));
  proto.set_compression(request.compression);
  v1::OutputOptions& output = *proto.mutable_output_options();
  output.set_compression_level(request.compression_level);
  output.set_jpeg_quality(request.jpeg_quality);
  output.set_tiff_tile(request.tiff_tile);
  output.set_overviews(request.overviews);
  output.set_keep_partial(request.keep_partial);
  output.set_undecided(request.undecided);
  output.set_continue_partial(request.continue_partial);
  if (request.scale.has_value()) {
    output.set_scale_p(request.scale->p);
    output.set_scale_q(request.scale->q);
  }
  proto.set_priority(request.priority);
  proto.set_allow_cpu_fallback(request.cpu_fallback);
  proto.set_on_failed_tile(OnFailedTileToProto(request.on_failed_tile));
  proto.set_max_duration_seconds(absl::ToDoubleSeconds(request.max_duration));
  if (request.region.has_value()) {
    proto.mutable_region()->set_x(request.region->x);
    proto.mutable_region()->set_y(request.region->y);
    proto.mutable_region()->set_width(request.region->width);
    proto.mutable_region()->set_height(request.region->height);
  }
  return proto;
}

std::string JobName(absl::string_view job) {
  return absl::StartsWith(job, "jobs/") ? std::string(job) : absl::StrCat("jobs/", job);
}

std::string PathOrUri(absl::string_view uri) {
  auto path = PathOfFileUri(uri);
  return path.ok() ? *std::move(path) : std::string(uri);
}

}  // namespace tilewright
