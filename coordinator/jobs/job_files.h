// The files that a running job writes: its output, the scratch of merging, and its checkpoints; and
// how they are found again after a job that died. A job claims them when it is submitted, and opens
// them when it begins. Not thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_JOBS_JOB_FILES_H_
#define TILEWRIGHT_COORDINATOR_JOBS_JOB_FILES_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "coordinator/image/output_file.h"
#include "coordinator/image/partial_claim.h"
#include "coordinator/jobs/checkpoint.h"
#include "coordinator/jobs/job_checkpoints.h"
#include "coordinator/jobs/resolve_job.h"
#include "coordinator/jobs/slow_work.h"
#include "coordinator/merge/scratch.h"
#include "coordinator/schedule/continued.h"

namespace tilewright {

struct JobFilesOptions {
  OutputOptions output;  // without a scratch
  std::string scratch;   // folder of what is kept for later, without checkpoints
  // How often checkpoints are taken; zero: never. Its output and facts are filled in.
  CheckpointOptions checkpoints;
};

struct JobFiles {
  std::unique_ptr<Scratch> own_scratch;         // null: that of `checkpoints`
  std::unique_ptr<JobCheckpoints> checkpoints;  // null: none are taken
  std::unique_ptr<OutputFile> output;           // goes before what it writes to
  std::optional<Checkpoint> continued;          // what it goes on from
  std::string found;  // what became of the request to continue, a sentence; empty: there was none

  Scratch& scratch() { return checkpoints != nullptr ? checkpoints->scratch() : *own_scratch; }
};

// An output that is one job's. Dropped, it leaves what it is to go on from as it was.
struct ClaimedOutput {
  PartialClaim partial;
  bool continues = false;  // there is a checkpoint of the same facts
  std::string found;       // as of JobFiles, as far as it is known
};

// Quick. Creates the partial file, or, if the request says so, takes over the one that an
// unfinished job of the same facts left; what is torn is removed. Errors as of OutputFile::Create:
// what a living job writes is nobody else's; FAILED_PRECONDITION (UNFINISHED_WORK_OF_ANOTHER),
// unless it may overwrite, for what another request left.
absl::StatusOr<ClaimedOutput> ClaimOutput(const ResolvedJob& job, const OutputOptions& options);

// Creates the rest. If there is something to go on from, reads all of it back, as `work` allows:
// what is damaged is removed, and `found` says why. `job` is prepared; `options.output` is as it
// was for ClaimOutput. Errors as of that, and what `work.interrupt` asks for: then what was left
// stays.
absl::StatusOr<JobFiles> OpenJobFiles(const ResolvedJob& job, ClaimedOutput claimed,
                                      JobFilesOptions options, const SlowWork& work);

// What each stage of the job need not compute any more, and what was promised of it, in order: of
// the tiles of stages before the last nothing was kept. `checkpoint` is of the job's facts.
std::vector<std::shared_ptr<const ContinuedTiles>> ContinuedStages(const ResolvedJob& job,
                                                                   const Checkpoint& checkpoint);

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_JOBS_JOB_FILES_H_
