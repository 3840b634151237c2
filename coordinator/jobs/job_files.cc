#include "coordinator/jobs/job_files.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "coordinator/image/kept_scratch.h"
#include "coordinator/image/partial_claim.h"
#include "coordinator/image/scratch_file.h"
#include "coordinator/jobs/job_facts.h"
#include "proto/base/status_macros.h"
#include "proto/wire/status_details.h"

namespace tilewright {
namespace {

// What a job goes on from, all of it checked.
struct TakenOver {
  Checkpoint checkpoint;
  std::unique_ptr<KeptScratch> scratch;
  std::unique_ptr<OutputFile> output;
};

// The record of what `partial` is part of, if the job can go on from it; else why not.
absl::StatusOr<Checkpoint> FindCheckpoint(const ResolvedJob& job, const std::string& output) {
  const std::string why_not = WhyNotContinued(job);
  if (!why_not.empty()) return absl::UnimplementedError(why_not);
  TW_ASSIGN_OR_RETURN(Checkpoint checkpoint, ReadCheckpoint(output));
  const std::string difference = Difference(FactsOf(job), checkpoint.facts);
  if (!difference.empty()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the output is unfinished work of another request (", difference,
        "): ask for the same again, choose another output, or --overwrite to lose that work"));
  }
  if (absl::Status fits = CheckMergerState(checkpoint.merger, *job.plan, job.format); !fits.ok()) {
    return fits;
  }
  JobSpec spec = job.spec;
  spec.continued = ContinuedTilesOf(job, checkpoint);
  TW_RETURN_IF_ERROR(CheckContinued(spec));
  return checkpoint;
}

// ALREADY_EXISTS if a living job writes the output, FAILED_PRECONDITION if what is there belongs to
// another request or version: both stay. Else why there is nothing to go on from: then nothing is
// left of it.
absl::StatusOr<TakenOver> TakeOver(const ResolvedJob& job, OutputOptions options) {
  const std::string path = PartialClaim::PathFor(options.path);
  TW_ASSIGN_OR_RETURN(std::optional<PartialClaim> partial, PartialClaim::TakeOver(path));
  if (!partial.has_value()) return absl::NotFoundError("there is no unfinished output");
  TakenOver taken;
  absl::StatusOr<Checkpoint> found = FindCheckpoint(job, options.path);
  if (absl::IsFailedPrecondition(found.status())) {
    partial->Leave();  // it may be hours of work
    return WithReason(found.status(), "UNFINISHED_WORK_OF_ANOTHER");
  }
  TW_ASSIGN_OR_RETURN(taken.checkpoint, std::move(found));
  TW_ASSIGN_OR_RETURN(taken.scratch, KeptScratch::Reopen(CheckpointScratchPathFor(options.path),
                                                         SlotsOf(taken.checkpoint)));
  options.scratch = taken.scratch.get();
  TW_ASSIGN_OR_RETURN(taken.output,
                      OutputFile::Continue(options, *std::move(partial), taken.checkpoint.output));
  return taken;
}

}  // namespace

std::shared_ptr<const ContinuedTiles> ContinuedTilesOf(const ResolvedJob& job,
                                                       const Checkpoint& checkpoint) {
  auto tiles = std::make_shared<ContinuedTiles>();
  tiles->holes = {checkpoint.holes.begin(), checkpoint.holes.end()};
  tiles->promise = checkpoint.promise;
  tiles->numeric_class = checkpoint.numeric_class;
  tiles->classes = checkpoint.classes;
  for (int64_t number = 0; number < job.wanted->count(); ++number) {
    const auto tile = static_cast<size_t>(job.wanted->at(number).value);
    if (checkpoint.merger.settled[tile] && !tiles->holes.contains(number)) {
      tiles->accepted.insert(tiles->accepted.end(), number);
    }
  }
  return tiles;
}

absl::StatusOr<JobFiles> OpenJobFiles(const ResolvedJob& job, JobFilesOptions options) {
  JobFiles files;
  const std::string& path = options.output.path;
  TW_RETURN_IF_ERROR(OutputFile::Check(options.output));
  const bool keeps =
      options.checkpoints.interval > absl::ZeroDuration() && WhyNotContinued(job).empty();
  options.checkpoints.output = path;
  if (keeps) options.checkpoints.facts = FactsOf(job);
  std::unique_ptr<KeptScratch> scratch;
  if (job.request.output_options().continue_partial()) {
    absl::StatusOr<TakenOver> taken = TakeOver(job, options.output);
    if (taken.ok()) {
      files.found =
          absl::StrCat("Goes on from an unfinished job: ", taken->checkpoint.merger.tiles_added,
                       " of ", job.wanted->count(), " tiles are done.");
      files.continued = std::move(taken->checkpoint);
      files.output = std::move(taken->output);
      scratch = std::move(taken->scratch);
    } else if (absl::IsAlreadyExists(taken.status()) ||
               (absl::IsFailedPrecondition(taken.status()) && !options.output.overwrite)) {
      return taken.status();
    } else {
      files.found = absl::StrCat("Begins from the start, although it was to be continued: ",
                                 taken.status().message(), ".");
    }
  }
  if (files.output == nullptr) {
    TW_ASSIGN_OR_RETURN(PartialClaim partial, OutputFile::Claim(options.output));
    RemoveCheckpoint(path);  // of a job that is gone
    if (keeps) {
      TW_ASSIGN_OR_RETURN(scratch, KeptScratch::Create(CheckpointScratchPathFor(path)));
    }
    options.output.scratch = scratch.get();
    auto created = OutputFile::Create(options.output, std::move(partial));
    if (!created.ok()) {
      RemoveCheckpoint(path);
      return created.status();
    }
    files.output = *std::move(created);
  }
  if (scratch != nullptr) {
    files.checkpoints =
        std::make_unique<JobCheckpoints>(std::move(options.checkpoints), std::move(scratch));
  } else {
    files.own_scratch = std::make_unique<ScratchFile>(options.scratch);
  }
  return files;
}

}  // namespace tilewright
