#include "coordinator/jobs/job_checkpoints.h"

#include <unistd.h>

#include <utility>

#include "proto/base/status_macros.h"

namespace tilewright {

JobCheckpoints::JobCheckpoints(CheckpointOptions options, std::unique_ptr<KeptScratch> scratch)
    : options_(std::move(options)), scratch_(std::move(scratch)), begun_(options_.now()) {}

JobCheckpoints::~JobCheckpoints() { Wait(); }

bool JobCheckpoints::Due() const {
  return options_.interval > absl::ZeroDuration() && !busy_.load() &&
         options_.now() >= begun_ + options_.interval;
}

void JobCheckpoints::Wait() {
  if (committing_.joinable()) committing_.join();
}

bool JobCheckpoints::recorded() const {
  return access(CheckpointPathFor(options_.output).c_str(), F_OK) == 0;
}

void JobCheckpoints::Remove() {
  Wait();
  RemoveCheckpoint(options_.output);
}

absl::StatusOr<Checkpoint> JobCheckpoints::Collect(TileMerger& merger, OutputFile& output,
                                                   const std::vector<int64_t>& holes,
                                                   const LivePreview& preview) {
  Checkpoint checkpoint;
  checkpoint.facts = options_.facts;
  checkpoint.holes = holes;
  TW_ASSIGN_OR_RETURN(checkpoint.output, output.Save());
  Preview shown = preview.Copy();
  checkpoint.preview_drawn = shown.drawn();
  checkpoint.preview = std::move(shown).TakePixels();
  TW_ASSIGN_OR_RETURN(checkpoint.merger, merger.Save());
  // After the tiles: a promise is only ever weakened, so this one holds for all of them.
  const std::vector<JobView> stages = options_.view();
  if (stages.empty()) return absl::CancelledError("the job has ended");
  for (const JobView& stage : stages) {
    StagePromise promise{stage.promise, stage.numeric_class, stage.numeric_classes};
    if (&stage == &stages.back()) {
      checkpoint.promise = std::move(promise);
    } else if (stage.holes.empty()) {
      checkpoint.before.push_back(std::move(promise));
    } else {
      return absl::FailedPreconditionError(
          "a stage before the last has left out a tile, which checkpoints do not hold");
    }
  }
  return checkpoint;
}

absl::Status JobCheckpoints::Commit(const OutputFile& output, const Checkpoint& checkpoint) {
  TW_RETURN_IF_ERROR(scratch_->Sync());
  TW_RETURN_IF_ERROR(output.Sync());
  TW_RETURN_IF_ERROR(WriteCheckpoint(options_.output, checkpoint));
  scratch_->EndCheckpoint();
  return absl::OkStatus();
}

void JobCheckpoints::Take(TileMerger& merger, OutputFile& output, const std::vector<int64_t>& holes,
                          const LivePreview& preview) {
  Wait();
  begun_ = options_.now();
  absl::StatusOr<Checkpoint> checkpoint = Collect(merger, output, holes, preview);
  if (!checkpoint.ok()) {
    options_.done(checkpoint.status());
    return;
  }
  scratch_->BeginCheckpoint();
  busy_ = true;
  committing_ = std::thread([this, &output, taken = *std::move(checkpoint)] {
    const absl::Status committed = Commit(output, taken);
    if (committed.ok()) {
      options_.done(taken.merger.tiles_added);
    } else {
      options_.done(committed);
    }
    busy_ = false;
  });
}

}  // namespace tilewright
