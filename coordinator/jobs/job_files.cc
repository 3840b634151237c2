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

constexpr absl::string_view kOfAnother = "UNFINISHED_WORK_OF_ANOTHER";

// What a job goes on from, all of it checked.
struct TakenOver {
  Checkpoint checkpoint;
  std::unique_ptr<KeptScratch> scratch;
  std::unique_ptr<OutputFile> output;
};

// Whether `why_not` leaves what is there to others, unless they may overwrite it.
bool Stays(const absl::Status& why_not, const OutputOptions& options) {
  return absl::IsAlreadyExists(why_not) || (ReasonOf(why_not) == kOfAnother && !options.overwrite);
}

std::string BeginsAnew(const absl::Status& why) {
  return absl::StrCat("Begins from the start, although it was to be continued: ", why.message(),
                      ".");
}

ContinuedTiles Promised(const StagePromise& promise) {
  ContinuedTiles tiles;
  tiles.promise = promise.promise;
  tiles.numeric_class = promise.numeric_class;
  tiles.classes = promise.classes;
  return tiles;
}

absl::Status CheckContinuedStages(const ResolvedJob& job, const Checkpoint& checkpoint) {
  if (checkpoint.before.size() != job.before.size()) {
    return absl::InvalidArgumentError("what it promises is not that of the job's stages");
  }
  const std::vector<std::shared_ptr<const ContinuedTiles>> stages =
      ContinuedStages(job, checkpoint);
  for (size_t i = 0; i < stages.size(); ++i) {
    JobSpec spec = i < job.before.size() ? job.before[i].spec : job.spec;
    spec.continued = stages[i];
    TW_RETURN_IF_ERROR(CheckContinued(spec));
  }
  return absl::OkStatus();
}

// The record of what lies beside the output, if the job can go on from it; else why not. How many
// tiles there are, only a job that is prepared knows.
absl::StatusOr<Checkpoint> FindCheckpoint(const ResolvedJob& job, const std::string& output,
                                          bool prepared) {
  const std::string why_not = WhyNotContinued(job);
  if (!why_not.empty()) return absl::UnimplementedError(why_not);
  absl::StatusOr<Checkpoint> checkpoint = ReadCheckpoint(output);
  if (absl::IsFailedPrecondition(checkpoint.status())) {
    return WithReason(checkpoint.status(), kOfAnother);
  }
  TW_RETURN_IF_ERROR(checkpoint.status());
  const JobFacts here = prepared ? AllFactsOf(job) : FactsOf(job);
  JobFacts there = checkpoint->facts;
  if (!prepared && there.size() > here.size()) there.resize(here.size());
  const std::string difference = Difference(here, there);
  if (!difference.empty()) {
    return WithReason(
        absl::FailedPreconditionError(absl::StrCat(
            "the output is unfinished work of another request (", difference,
            "): ask for the same again, choose another output, or --overwrite to lose that work")),
        kOfAnother);
  }
  TW_RETURN_IF_ERROR(CheckMergerState(checkpoint->merger, *job.plan, job.format));
  return checkpoint;
}

// ALREADY_EXISTS if a living job writes the output, kOfAnother if what is there belongs to another
// request or version: both stay. Else why there is nothing to go on from: then nothing is left of
// it.
absl::StatusOr<ClaimedOutput> TakeOver(const ResolvedJob& job, const std::string& output) {
  TW_ASSIGN_OR_RETURN(std::optional<PartialClaim> partial,
                      PartialClaim::TakeOver(PartialClaim::PathFor(output)));
  if (!partial.has_value()) return absl::NotFoundError("there is no unfinished output");
  const absl::Status found = FindCheckpoint(job, output, /*prepared=*/false).status();
  // It may be hours of work.
  if (found.ok() || ReasonOf(found) == kOfAnother) partial->Leave();
  TW_RETURN_IF_ERROR(found);
  return ClaimedOutput{*std::move(partial), true, ""};
}

// Goes on from what was claimed, all of it checked. Errors as of TakeOver, and what the interrupt
// asks for: then all stays.
absl::StatusOr<TakenOver> ReadBack(const ResolvedJob& job, OutputOptions options,
                                   PartialClaim partial, const SlowWork& work) {
  TakenOver taken;
  absl::StatusOr<Checkpoint> checkpoint = FindCheckpoint(job, options.path, /*prepared=*/true);
  if (ReasonOf(checkpoint.status()) != kOfAnother) partial.Own();
  TW_ASSIGN_OR_RETURN(taken.checkpoint, std::move(checkpoint));
  TW_RETURN_IF_ERROR(CheckContinuedStages(job, taken.checkpoint));
  work.Tell(absl::StrCat("Reads back what ", taken.checkpoint.merger.tiles_added, " of ",
                         job.wanted->count(), " tiles left: ", taken.checkpoint.output.tiff.end,
                         " bytes."));
  auto scratch = KeptScratch::Reopen(CheckpointScratchPathFor(options.path),
                                     SlotsOf(taken.checkpoint), work.interrupt);
  if (!scratch.ok() && !CheckInterrupt(work.interrupt).ok()) partial.Leave();
  TW_ASSIGN_OR_RETURN(taken.scratch, std::move(scratch));
  options.scratch = taken.scratch.get();
  TW_ASSIGN_OR_RETURN(taken.output, OutputFile::Continue(options, std::move(partial),
                                                         taken.checkpoint.output, work.interrupt));
  return taken;
}

}  // namespace

std::vector<std::shared_ptr<const ContinuedTiles>> ContinuedStages(const ResolvedJob& job,
                                                                   const Checkpoint& checkpoint) {
  std::vector<std::shared_ptr<const ContinuedTiles>> stages;
  for (const StagePromise& promise : checkpoint.before) {
    stages.push_back(std::make_shared<ContinuedTiles>(Promised(promise)));
  }
  auto tiles = std::make_shared<ContinuedTiles>(Promised(checkpoint.promise));
  tiles->holes = {checkpoint.holes.begin(), checkpoint.holes.end()};
  for (int64_t number = 0; number < job.wanted->count(); ++number) {
    const auto tile = static_cast<size_t>(job.wanted->at(number).value);
    if (checkpoint.merger.settled[tile] && !tiles->holes.contains(number)) {
      tiles->accepted.insert(tiles->accepted.end(), number);
    }
  }
  stages.push_back(std::move(tiles));
  return stages;
}

absl::StatusOr<ClaimedOutput> ClaimOutput(const ResolvedJob& job, const OutputOptions& options) {
  TW_RETURN_IF_ERROR(OutputFile::Check(options));
  std::string found;
  if (job.request.output_options().continue_partial()) {
    absl::StatusOr<ClaimedOutput> taken = TakeOver(job, options.path);
    if (taken.ok() || Stays(taken.status(), options)) return taken;
    found = BeginsAnew(taken.status());
  }
  TW_ASSIGN_OR_RETURN(PartialClaim partial, OutputFile::Claim(options));
  RemoveCheckpoint(options.path);  // of a job that is gone
  return ClaimedOutput{std::move(partial), false, std::move(found)};
}

absl::StatusOr<JobFiles> OpenJobFiles(const ResolvedJob& job, ClaimedOutput claimed,
                                      JobFilesOptions options, const SlowWork& work) {
  JobFiles files;
  files.found = std::move(claimed.found);
  std::optional<PartialClaim> partial(std::move(claimed.partial));
  const std::string& path = options.output.path;
  std::unique_ptr<KeptScratch> scratch;
  if (claimed.continues) {
    absl::StatusOr<TakenOver> taken = ReadBack(job, options.output, *std::move(partial), work);
    if (!taken.ok()) TW_RETURN_IF_ERROR(CheckInterrupt(work.interrupt));
    if (taken.ok()) {
      files.found =
          absl::StrCat("Goes on from an unfinished job: ", taken->checkpoint.merger.tiles_added,
                       " of ", job.wanted->count(), " tiles ",
                       job.before.empty() ? "" : "of the last stage ", "are done.");
      files.continued = std::move(taken->checkpoint);
      files.output = std::move(taken->output);
      scratch = std::move(taken->scratch);
    } else if (Stays(taken.status(), options.output)) {
      return taken.status();
    } else {
      files.found = BeginsAnew(taken.status());
      TW_ASSIGN_OR_RETURN(PartialClaim fresh, OutputFile::Claim(options.output));
      partial.emplace(std::move(fresh));
      RemoveCheckpoint(path);
    }
  }
  const bool keeps =
      options.checkpoints.interval > absl::ZeroDuration() && WhyNotContinued(job).empty();
  options.checkpoints.output = path;
  if (keeps) options.checkpoints.facts = AllFactsOf(job);
  if (files.output == nullptr) {
    if (keeps) {
      TW_ASSIGN_OR_RETURN(scratch, KeptScratch::Create(CheckpointScratchPathFor(path)));
    }
    options.output.scratch = scratch.get();
    auto created = OutputFile::Create(options.output, *std::move(partial));
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
