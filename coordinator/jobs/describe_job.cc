#include "coordinator/jobs/describe_job.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "coordinator/image/npy_header.h"
#include "coordinator/image/pyramid.h"
#include "coordinator/jobs/wire_types.h"
#include "proto/wire/checksum.h"
#include "proto/wire/tile_types.h"

namespace tilewright {
namespace {

OnFailedTile PolicyOf(v1::OnFailedTile on_failed_tile) {
  switch (on_failed_tile) {
    case v1::ON_FAILED_TILE_WAIT:
      return OnFailedTile::kWait;
    case v1::ON_FAILED_TILE_HOLE:
      return OnFailedTile::kHole;
    default:
      return OnFailedTile::kFail;
  }
}

// Of a later stage: so many rows of its tiles, and so many tiles, may be ready before the stages
// before it begin nothing more.
constexpr int64_t kReadyRows = 4;
constexpr int64_t kReadyMin = 64;

// What waits along the edge of what is done: a row of blocks, the blend zones of a row of tiles,
// and as one tile comes late, a second row of blocks.
int64_t WavefrontBytes(const ResolvedStage& job) {
  const StagePlan& plan = *job.plan;
  const Axis& x = plan.x();
  const int64_t width = x.Contribution(plan.stripe_columns() - 1).end;
  const int64_t blend = plan.model().scale.OutputLength(plan.overlap());
  return width * (2 * kBlockSide + blend) * job.format.pixel_bytes();
}

// The preview, buffers of encoders, tiles that are being packed and unpacked: measured.
constexpr int64_t kSundryBytes = int64_t{16} << 20;

// What the stage takes, about, while nothing asks it to be content with its floor.
int64_t UsualBytes(const ResolvedStage& job) {
  const int64_t reader = job.number == 0 ? DecoderMemory(job.input) : 0;
  return job.memory.floor() + WavefrontBytes(job) + reader + kSundryBytes;
}

void AddStage(const ResolvedStage& stage, v1::PlanSummary* summary) {
  const StagePlan& plan = *stage.plan;
  v1::StageSummary* wire = summary->add_stages();
  wire->set_model(stage.model->model.name());
  wire->set_model_digest(stage.model->model.digest());
  wire->set_tile_width(static_cast<uint32_t>(plan.compute_shape().width));
  wire->set_tile_height(static_cast<uint32_t>(plan.compute_shape().height));
  wire->set_halo(static_cast<uint32_t>(plan.halo()));
  wire->set_overlap(static_cast<uint32_t>(plan.overlap()));
  wire->set_window(WindowName(plan.window()));
  wire->set_columns(static_cast<uint32_t>(plan.x().tile_count()));
  wire->set_rows(static_cast<uint32_t>(plan.y().tile_count()));
  wire->set_tiles(static_cast<uint64_t>(plan.tile_count()));
  wire->set_halo_overhead(plan.HaloOverhead());
  wire->set_output_width(static_cast<uint32_t>(plan.output().width));
  wire->set_output_height(static_cast<uint32_t>(plan.output().height));
  wire->set_channels(static_cast<uint32_t>(stage.format.channels));
  wire->set_output_sample(ToWire(stage.format.sample));
}

// Makes of the summary of the last stage that of a job of several.
void FillStages(const ResolvedJob& job, v1::PlanSummary* summary) {
  const StagePlan& first = *job.before.front().plan;
  int64_t tiles = job.plan->tile_count();
  int64_t skipped = job.wanted->skipped();
  int64_t memory = static_cast<int64_t>(summary->memory_bytes());
  int64_t floor = job.memory.floor();
  for (const ResolvedStage& stage : job.before) {
    AddStage(stage, summary);
    tiles += stage.plan->tile_count();
    skipped += stage.wanted->skipped();
    memory += UsualBytes(stage);
    floor += stage.memory.floor();
  }
  AddStage(job, summary);
  const v1::StageSummary& stage = summary->stages(0);
  summary->set_input_width(static_cast<uint32_t>(first.image().width));
  summary->set_input_height(static_cast<uint32_t>(first.image().height));
  summary->set_tile_width(stage.tile_width());
  summary->set_tile_height(stage.tile_height());
  summary->set_halo(stage.halo());
  summary->set_overlap(stage.overlap());
  summary->set_window(stage.window());
  summary->set_columns(stage.columns());
  summary->set_rows(stage.rows());
  summary->set_stripe_columns(static_cast<uint32_t>(first.stripe_columns()));
  summary->set_tiles(static_cast<uint64_t>(tiles));
  summary->set_skipped_tiles(static_cast<uint64_t>(skipped));
  summary->set_halo_overhead(stage.halo_overhead());
  summary->set_memory_bytes(static_cast<uint64_t>(memory));
  summary->set_memory_floor_bytes(static_cast<uint64_t>(floor));
  summary->set_model(stage.model());
  summary->set_model_digest(stage.model_digest());
}

}  // namespace

void FillStage(const ResolvedStage& job, const v1::RenderRequest& request, v1::StageSpec* stage) {
  const StagePlan& plan = *job.plan;
  stage->set_generation(1);
  stage->set_stage(static_cast<uint32_t>(job.number));
  stage->set_model(job.model->model.name());
  stage->set_model_digest(job.model->model.digest());
  stage->set_tile_width(static_cast<uint32_t>(plan.compute_shape().width));
  stage->set_tile_height(static_cast<uint32_t>(plan.compute_shape().height));
  stage->set_input_channels(static_cast<uint32_t>(job.tile_channels()));
  stage->set_input_sample(ToWire(job.input.sample));
  stage->set_output_channels(static_cast<uint32_t>(job.format.channels));
  stage->set_output_sample(ToWire(job.format.sample));
  stage->set_scale_p(static_cast<uint32_t>(plan.model().scale.p()));
  stage->set_scale_q(static_cast<uint32_t>(plan.model().scale.q()));
  stage->set_dtype(job.dtype);
  stage->set_batch(1);
  stage->set_strict(request.strict());
  stage->set_flops_per_tile(job.model->model.manifest().flops_per_pixel() *
                            static_cast<double>(plan.compute_shape().area()));
  stage->set_halo(static_cast<uint32_t>(plan.halo()));
  stage->set_allow_cpu_fallback(request.allow_cpu_fallback());
  stage->set_image_width(static_cast<uint32_t>(plan.image().width));
  stage->set_image_height(static_cast<uint32_t>(plan.image().height));
  // Everything that decides which bytes a result holds, in one digest.
  stage->set_plan_digest(HexDigest(
      absl::StrCat(plan.Canonical(), " in ", job.tile_channels(), SampleTypeName(job.input.sample),
                   " out ", job.format.channels, SampleTypeName(job.format.sample), " merge ",
                   job.model->merge == MergeKind::kCut ? "cut" : "blend",
                   job.dtype == "fp32" ? "" : absl::StrCat(" in ", job.dtype))));
}

void FillSpec(const ResolvedStage& job, const v1::RenderRequest& request, JobSpec* spec) {
  const StagePlan& plan = *job.plan;
  spec->generation = job.stage.generation();
  spec->tile_count = job.wanted->count();
  spec->plan_digest = job.stage.plan_digest();
  spec->model_digest = job.stage.model_digest();
  spec->model_name = job.stage.model();
  spec->engine = job.model->model.manifest().engine();
  spec->dtype = job.stage.dtype();
  spec->executed_batch = static_cast<int>(job.stage.batch());
  spec->prove_class = request.strict();
  spec->flops_per_tile = job.stage.flops_per_tile();
  spec->input_bytes =
      plan.compute_shape().area() * job.tile_channels() * BytesPerSample(job.input.sample);
  const Scale& scale = plan.model().scale;
  spec->output_bytes =
      std::min(scale.OutputLength(plan.compute_shape().width), plan.output().width) *
      std::min(scale.OutputLength(plan.compute_shape().height), plan.output().height) *
      job.format.pixel_bytes();
  const double timeout = request.tile_timeout_seconds();
  if (timeout > 0) spec->tile_timeout = absl::Seconds(timeout);
  spec->priority = request.priority();
  spec->on_failed_tile = PolicyOf(request.on_failed_tile());
  const double duration = request.max_duration_seconds();
  if (duration > 0) spec->max_duration = absl::Seconds(duration);
  if (job.number > 0) spec->ready_max = std::max(kReadyMin, kReadyRows * plan.stripe_columns());
}

JobMemory MemoryOf(const ResolvedStage& job) {
  JobMemory memory;
  // A later stage's input is put together from blocks, one of which may have to be brought back.
  memory.input = job.spec.input_bytes +
                 (job.number == 0 ? ReaderMemory(job.input, job.plan->compute_shape().height)
                                  : kBlockSide * kBlockSide * job.input.pixel_bytes());
  for (const ImageInfo& beside : job.beside) {
    memory.input += ReaderMemory(beside, job.plan->compute_shape().height);
  }
  memory.tile = job.spec.output_bytes;
  memory.block = job.format.BlockRect(0, 0).area() * job.format.pixel_bytes();
  return memory;
}

void FillSummary(const ResolvedJob& job, const std::vector<std::string>& notes,
                 v1::PlanSummary* summary) {
  const StagePlan& plan = *job.plan;
  summary->set_input_width(static_cast<uint32_t>(plan.image().width));
  summary->set_input_height(static_cast<uint32_t>(plan.image().height));
  summary->set_input_pages(static_cast<uint32_t>(job.input_pages));
  summary->set_channels(static_cast<uint32_t>(job.written.channels));
  summary->set_output_sample(ToWire(job.written.sample));
  summary->set_output_width(static_cast<uint32_t>(job.published_size().width));
  summary->set_output_height(static_cast<uint32_t>(job.published_size().height));
  summary->set_tile_width(static_cast<uint32_t>(plan.compute_shape().width));
  summary->set_tile_height(static_cast<uint32_t>(plan.compute_shape().height));
  summary->set_halo(static_cast<uint32_t>(plan.halo()));
  summary->set_overlap(static_cast<uint32_t>(plan.overlap()));
  summary->set_window(WindowName(plan.window()));
  summary->set_columns(static_cast<uint32_t>(plan.x().tile_count()));
  summary->set_rows(static_cast<uint32_t>(plan.y().tile_count()));
  summary->set_stripe_columns(static_cast<uint32_t>(plan.stripe_columns()));
  summary->set_tiles(static_cast<uint64_t>(plan.tile_count()));
  summary->set_skipped_tiles(static_cast<uint64_t>(job.wanted->skipped()));
  summary->set_halo_overhead(plan.HaloOverhead());
  summary->set_memory_bytes(static_cast<uint64_t>(UsualBytes(job)));
  summary->set_memory_floor_bytes(static_cast<uint64_t>(job.memory.floor()));
  int64_t disk_bytes = plan.output().area() * job.written.pixel_bytes();
  const bool overviews = job.request.output_options().overviews();
  if (job.resampled.has_value()) {
    // The canvas and what is made of it; reduced images are a third of that at most.
    const int64_t pixels = job.resampled->area();
    disk_bytes += (overviews ? pixels + pixels / 3 + 1 : pixels) * job.written.pixel_bytes();
    // As libvips does it: down to one tile.
    uint32_t levels = 0;
    int64_t side = std::max(job.resampled->width, job.resampled->height);
    for (; overviews && side > job.encoding.tile_side; side /= 2) ++levels;
    summary->set_overview_levels(levels);
  } else if (overviews) {
    const int levels = PyramidLevels(job.written.size);
    summary->set_overview_levels(static_cast<uint32_t>(levels - 1));
    for (int level = 1; level < levels; ++level) {
      disk_bytes += LevelFormat(job.written, level).size.area() * job.written.pixel_bytes();
    }
  }
  // Beside the canvas that it is made of.
  if (job.kind == OutputKind::kNpy && !job.resampled.has_value()) {
    disk_bytes += NpyFileBytes(job.format.size, job.format.channels, job.format.sample);
  }
  summary->set_disk_bytes(static_cast<uint64_t>(disk_bytes));
  if (job.kind == OutputKind::kTiff) {
    summary->set_compression(Describe(job.encoding));
    summary->set_tiff_tile(static_cast<uint32_t>(job.encoding.tile_side));
  }
  for (const std::string& note : notes) summary->add_notes(note);
  summary->set_model(job.model->model.name());
  summary->set_model_digest(job.model->model.digest());
  if (!job.before.empty()) FillStages(job, summary);
}

}  // namespace tilewright
