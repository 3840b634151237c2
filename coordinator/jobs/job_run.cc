#include "coordinator/jobs/job_run.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "coordinator/image/file_error.h"
#include "coordinator/jobs/beside_image.h"
#include "coordinator/jobs/chosen_stages.h"
#include "coordinator/jobs/input_error.h"
#include "coordinator/jobs/missing_tiles.h"
#include "coordinator/jobs/output_encoding.h"
#include "coordinator/jobs/publish_note.h"
#include "proto/base/status_macros.h"
#include "proto/wire/status_details.h"

namespace tilewright {
namespace {

absl::Status OutputError(const absl::Status& status) {
  if (status.ok() || !ReasonOf(status).empty()) return status;
  if (absl::IsAlreadyExists(status)) return WithReason(status, "OUTPUT_EXISTS");
  if (absl::IsResourceExhausted(status)) return WithReason(status, "DISK_FULL");
  return WithReason(status, "OUTPUT_NOT_WRITABLE");
}

constexpr char kLeft[] =
    "what was merged stays beside the output: the same request goes on from it with --continue";

OutputOptions OutputOf(const ResolvedJob& job, const JobRun::Options& options) {
  OutputOptions output;
  output.path = options.output_path;
  output.format = job.written;
  output.resampled = job.resampled;
  output.metadata = job.input.metadata;
  output.encoding = job.encoding;
  output.overviews = job.request.output_options().overviews();
  output.encoders = options.encoders;
  output.overwrite = job.request.overwrite();
  output.export_program = options.export_program;
  return output;
}

}  // namespace

absl::Status JobRun::DrawingSink::WriteBlock(int64_t column, int64_t row,
                                             absl::Span<const std::byte> samples) {
  preview_->AddBlock(column, row, samples);
  return file_.WriteBlock(column, row, samples);
}

absl::Status JobRun::DrawingSink::MakeBlock(int64_t column, int64_t row, int64_t bytes_max,
                                            BlockMaker make) {
  return file_.MakeBlock(column, row, bytes_max,
                         [preview = preview_, column, row, make = std::move(make)] {
                           absl::StatusOr<MadeBlock> block = make();
                           if (block.ok()) preview->AddBlock(column, row, block->samples);
                           return block;
                         });
}

absl::StatusOr<ClaimedOutput> JobRun::Claim(const ResolvedJob& job, const Options& options) {
  absl::StatusOr<ClaimedOutput> claimed = ClaimOutput(job, OutputOf(job, options));
  if (!claimed.ok()) return OutputError(claimed.status());
  return claimed;
}

absl::StatusOr<JobFiles> JobRun::Open(const std::shared_ptr<JobRecord>& record,
                                      const Options& options, ClaimedOutput claimed,
                                      const SlowWork& work, ResolvedJob* job) {
  JobFilesOptions opened;
  opened.scratch = options.scratch;
  opened.checkpoints.interval = options.checkpoint_interval;
  opened.checkpoints.now = options.now;
  opened.checkpoints.view = options.view;
  opened.checkpoints.done = [record, now = options.now](const absl::StatusOr<int64_t>& tiles) {
    record->SetCheckpoint(tiles, now());
  };
  opened.output = OutputOf(*job, options);
  absl::StatusOr<JobFiles> files = OpenJobFiles(*job, std::move(claimed), std::move(opened), work);
  if (!files.ok()) return OutputError(files.status());
  if (files->continued.has_value()) {
    const auto stages = ContinuedStages(*job, *files->continued);
    for (size_t i = 0; i < job->before.size(); ++i) job->before[i].spec.continued = stages[i];
    job->spec.continued = stages.back();
    ChooseBefore(OpenTiles(*job, *stages.back()), job);
  }
  return files;
}

absl::StatusOr<std::shared_ptr<JobRun>> JobRun::Create(ResolvedJob job,
                                                       std::shared_ptr<JobRecord> record,
                                                       Options options, JobFiles files) {
  const std::optional<Checkpoint> from = std::move(files.continued);
  std::shared_ptr<JobRun> run(
      new JobRun(std::move(job), std::move(record), std::move(options), std::move(files)));
  if (from.has_value()) TW_RETURN_IF_ERROR(run->Continue(*from));
  return run;
}

JobRun::JobRun(ResolvedJob job, std::shared_ptr<JobRecord> record, Options options, JobFiles files)
    : job_(std::move(job)),
      record_(std::move(record)),
      options_(std::move(options)),
      tiles_(job_, record_, options_.scratch, options_.now),
      inputs_(options_.inputs != nullptr ? options_.inputs : InputsOf(job_, options_.scratch)),
      files_(std::move(files)),
      drawing_(*files_.output, job_.written),
      deciding_(job_.decided ? std::make_unique<DecidingSink>(job_.format, drawing_) : nullptr),
      masking_(job_.mask == nullptr ? nullptr
                                    : std::make_unique<MaskingSink>(
                                          job_.format, job_.plan->part().x, job_.plan->part().y,
                                          *job_.reader, *job_.mask, CopiesTiles(job_), drawing_)),
      merger_(std::make_unique<TileMerger>(*job_.plan, job_.format, job_.model->merge, FirstSink(),
                                           &files_.scratch())),
      held_(record_) {
  job_.wanted->ForEachSkipped([this](TileIndex tile) { inputs_->Drop(tile); });
  record_->SetPreview(drawing_.preview());
  if (!files_.found.empty()) {
    record_->AddEvent({job_.stage.job(), "continued", std::nullopt, "", files_.found},
                      options_.now());
  }
}

JobRun::~JobRun() {
  if (files_.output == nullptr) return;
  if (job_.spec.continued != nullptr) {
    files_.output->Leave();
  } else if (files_.checkpoints != nullptr) {
    files_.checkpoints->Remove();
  }
  files_.output.reset();  // before masking_, which makes its blocks
}

BlockSink& JobRun::FirstSink() {
  if (deciding_ != nullptr) return *deciding_;
  if (masking_ != nullptr) return *masking_;
  return drawing_;
}

absl::Status JobRun::Continue(const Checkpoint& checkpoint) {
  TW_RETURN_IF_ERROR(merger_->Restore(checkpoint.merger));
  for (int64_t tile = 0; tile < job_.plan->tile_count(); ++tile) {
    if (merger_->settled(TileIndex{tile})) inputs_->Drop(TileIndex{tile});
  }
  drawing_.preview()->Restore(checkpoint.preview, checkpoint.preview_drawn);
  holes_ = checkpoint.holes;
  for (const int64_t hole : holes_) OnHole(hole);
  record_->SetContinued(static_cast<int64_t>(job_.spec.continued->accepted.size()));
  record_->SetCheckpoint(checkpoint.merger.tiles_added, options_.now());
  return absl::OkStatus();
}

void JobRun::MaybeCheckpoint() {
  if (files_.checkpoints == nullptr || !files_.checkpoints->Due()) return;
  files_.checkpoints->Take(*merger_, *files_.output, holes_, *drawing_.preview());
}

absl::StatusOr<OutgoingTile> JobRun::ReadTile(int64_t tile, LeaseKey lease) {
  absl::StatusOr<OutgoingTile> outgoing = tiles_.Read(*inputs_, tile, lease);
  if (!outgoing.ok() && options_.inputs == nullptr) return WithInputReason(outgoing.status());
  return outgoing;
}

void JobRun::TellRecord() {
  held_.Tell(merger_->bytes_held(), merger_->bytes_spilled());
  record_->SetCopied(files_.output->blocks_copied());
}

absl::Status JobRun::Merged(const absl::Status& status, absl::string_view doing) {
  TellRecord();
  if (!status.ok()) sound_ = false;
  if (status.ok()) MaybeCheckpoint();
  return status.ok() ? status : MergeError(Annotate(status, doing));
}

absl::Status JobRun::MakeRoom(int64_t tile) {
  const absl::Status skipped = SkipBelow(PlanTile(tile).value);
  TellRecord();
  return MergeError(skipped);
}

absl::Status JobRun::Merge(int64_t tile, std::vector<std::byte> samples) {
  inputs_->Drop(PlanTile(tile));
  return Merged(merger_->AddTile(PlanTile(tile), std::move(samples)),
                absl::StrCat("writing the output after tile ", tile));
}

absl::Status JobRun::MergeHole(int64_t tile) {
  inputs_->Drop(PlanTile(tile));
  const absl::Status status = merger_->AddHole(PlanTile(tile));
  if (status.ok()) holes_.push_back(tile);
  return Merged(status, absl::StrCat("writing the output without tile ", tile));
}

void JobRun::OnHole(int64_t tile) {
  record_->AddHole(tile, job_.plan->Contribution(PlanTile(tile)));
}

absl::Status JobRun::MergeError(const absl::Status& status) const {
  if (IsNoRoom(status)) return OutputError(WithFreeBytes(status));
  const bool of_input = masking_ != nullptr && !masking_->input_error().ok();
  return of_input ? WithInputReason(status) : OutputError(status);
}

absl::Status JobRun::FindRoom() {
  if (!files_.output->stalled().ok()) TW_RETURN_IF_ERROR(files_.output->Retry());
  return merger_->FindRoom();
}

absl::Status JobRun::SkipBelow(int64_t end) {
  for (; job_.wanted->skipped() > 0 && next_of_plan_ < end; ++next_of_plan_) {
    if (next_wanted_ < job_.wanted->count() && PlanTile(next_wanted_).value == next_of_plan_) {
      ++next_wanted_;
      continue;
    }
    if (merger_->settled(TileIndex{next_of_plan_})) continue;  // by the job that it goes on from
    TW_RETURN_IF_ERROR(FindRoom());
    TW_RETURN_IF_ERROR(merger_->AddHole(TileIndex{next_of_plan_}));
  }
  return FindRoom();
}

absl::Status JobRun::Finish() {
  const absl::Status skipped = SkipBelow(job_.plan->tile_count());
  TellRecord();
  TW_RETURN_IF_ERROR(MergeError(skipped));
  if (!merger_->done()) {
    return absl::InternalError(absl::StrCat("the output is not complete: ", merger_->tiles_added(),
                                            " of ", job_.plan->tile_count(),
                                            " tiles were merged; this is a bug"));
  }
  for (const ImageReader* reader :
       {job_.reader.get(), job_.mask_reader.get(), job_.previous_reader.get()}) {
    if (reader != nullptr) TW_RETURN_IF_ERROR(WithInputReason(reader->CheckUnchanged()));
  }
  if (files_.checkpoints != nullptr) files_.checkpoints->Wait();
  std::optional<PublishNote> note;
  if (files_.checkpoints != nullptr && !options_.publishing.empty()) {
    note.emplace(options_.publishing, options_.output_path);
  }
  const absl::Status published = files_.output->Publish();
  if (!IsNoRoom(published)) sound_ = false;
  TW_RETURN_IF_ERROR(MergeError(Annotate(published, "publishing the output")));
  pixel_hash_ = absl::StrFormat("%016x", files_.output->pixel_hash());
  TellRecord();  // of blocks that were still to be made
  Close();
  return absl::OkStatus();
}

absl::Status JobRun::KeepPartial() {
  const std::string path = PartialPathOf(options_.output_path);
  files_.output->BeginPartial();
  // What is not wanted is not missing.
  TW_RETURN_IF_ERROR(SkipBelow(job_.plan->tile_count()));
  TW_RETURN_IF_ERROR(merger_->WriteUnfinished(masking_ != nullptr));
  TW_RETURN_IF_ERROR(files_.output->KeepPartial());
  TW_ASSIGN_OR_RETURN(
      MissingTilesFile missing,
      MissingTilesFile::Create(MissingTilesPathOf(path), job_.stage.job(), job_.wanted->count()));
  for (int64_t tile = 0; tile < job_.wanted->count(); ++tile) {
    if (merger_->settled(PlanTile(tile))) continue;
    Rect rect = job_.plan->Contribution(PlanTile(tile));
    rect.x -= job_.plan->part().x;
    rect.y -= job_.plan->part().y;
    TW_RETURN_IF_ERROR(missing.Add(tile, rect));
  }
  TW_RETURN_IF_ERROR(missing.Finish());
  record_->SetPartial(path, missing.count());
  record_->AddEvent({job_.stage.job(), "partial_kept", std::nullopt, "",
                     absl::StrCat("What was computed is in ", path, ", of ", job_.format.size.width,
                                  "x", job_.format.size.height, " pixels: ", missing.count(),
                                  " of ", job_.wanted->count(), " tiles are missing and zero, ",
                                  MissingTilesPathOf(path), " names them.")},
                    options_.now());
  return absl::OkStatus();
}

bool JobRun::MayBeContinued(const absl::Status& why) const {
  if (files_.checkpoints == nullptr || merger_ == nullptr || merger_->tiles_added() == 0) {
    return false;
  }
  const std::string reason = ReasonOf(why);
  if (reason == kShuttingDown) return true;
  // Who cancels is done with it, and of another input it would be another picture. What was merged
  // before the first checkpoint is not worth refusing the next job for it.
  return !absl::IsCancelled(why) && reason != "INPUT_CHANGED" && files_.checkpoints->recorded();
}

bool JobRun::LeaveForLater() {
  JobCheckpoints* const checkpoints = files_.checkpoints.get();
  if (sound_) checkpoints->Take(*merger_, *files_.output, holes_, *drawing_.preview());
  checkpoints->Wait();
  if (!checkpoints->recorded()) return false;
  merger_.reset();
  files_.output->Leave();
  files_.output.reset();
  record_->AddEvent({job_.stage.job(), "left_to_continue", std::nullopt, "",
                     absl::StrCat("It has ended, and ", kLeft, ".")},
                    options_.now());
  left_ = true;
  return true;
}

void JobRun::Abandon(const absl::Status& why) {
  if (files_.checkpoints != nullptr) files_.checkpoints->Wait();
  const bool keeps = job_.request.output_options().keep_partial();
  if (!keeps && MayBeContinued(why) && LeaveForLater()) return;
  if (keeps && files_.output != nullptr) {
    const absl::Status kept = KeepPartial();
    if (!kept.ok()) {
      record_->AddEvent({job_.stage.job(), "partial_not_kept", std::nullopt, "",
                         absl::StrCat("What was computed could not be kept: ", kept.message())},
                        options_.now());
    }
  }
  Close();
}

void JobRun::Close() {
  merger_.reset();
  if (files_.checkpoints != nullptr) files_.checkpoints->Remove();
  files_.output.reset();
}

void JobRun::OnEnded(const absl::Status& status, const JobView& last) {
  if (options_.on_ended) options_.on_ended();
  const absl::Status told =
      left_ ? WithReason(
                  absl::Status(status.code(),
                               absl::StrCat(absl::StripSuffix(status.message(), "."), "; ", kLeft)),
                  ReasonOf(status))
            : status;
  record_->SetEnded(told, last, pixel_hash_, options_.now());
}

}  // namespace tilewright
