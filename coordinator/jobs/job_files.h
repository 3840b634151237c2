// The files that a running job writes: its output, the scratch of merging, and its checkpoints; and
// how they are found again after a job that died. Not thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_JOBS_JOB_FILES_H_
#define TILEWRIGHT_COORDINATOR_JOBS_JOB_FILES_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "coordinator/image/output_file.h"
#include "coordinator/jobs/checkpoint.h"
#include "coordinator/jobs/job_checkpoints.h"
#include "coordinator/jobs/resolve_job.h"
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

// Creates them, or, if the request says so, takes over those that an unfinished job of the same
// facts left: what is damaged is removed, and `found` says why. Errors as of
// OutputFile::Create: what a living job writes is nobody else's; FAILED_PRECONDITION
// (UNFINISHED_WORK_OF_ANOTHER), unless it may overwrite, for what another request left.
absl::StatusOr<JobFiles> OpenJobFiles(const ResolvedJob& job, JobFilesOptions options);

// What the job need not compute any more. Null: it begins from the start.
std::shared_ptr<const ContinuedTiles> ContinuedTilesOf(const ResolvedJob& job,
                                                       const Checkpoint& checkpoint);

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_JOBS_JOB_FILES_H_
