// The checkpoints of one running job: when to take one, and how it becomes durable while merging
// goes on. Calls come from one thread at a time, that of merging.

#ifndef TILEWRIGHT_COORDINATOR_JOBS_JOB_CHECKPOINTS_H_
#define TILEWRIGHT_COORDINATOR_JOBS_JOB_CHECKPOINTS_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "coordinator/image/kept_scratch.h"
#include "coordinator/image/output_file.h"
#include "coordinator/jobs/checkpoint.h"
#include "coordinator/jobs/live_preview.h"
#include "coordinator/merge/tile_merger.h"
#include "coordinator/schedule/scheduler.h"
#include "proto/base/instant.h"

namespace tilewright {

struct CheckpointOptions {
  std::string output;  // absolute path of the output; the files lie beside it
  JobFacts facts;
  absl::Duration interval;  // zero: none is taken, the one it goes on from holds
  std::function<Instant()> now;
  // Each stage of the job as the scheduler sees it, in order; empty: it does not know the job.
  std::function<std::vector<JobView>()> view;
  // A checkpoint with so many accepted tiles is durable, or there is none, and an earlier one still
  // holds. From another thread.
  std::function<void(const absl::StatusOr<int64_t>& tiles)> done;
};

class JobCheckpoints {
 public:
  // `scratch` is that of the job, empty or as its latest checkpoint left it.
  JobCheckpoints(CheckpointOptions options, std::unique_ptr<KeptScratch> scratch);
  // Waits; the files stay.
  ~JobCheckpoints();
  JobCheckpoints(const JobCheckpoints&) = delete;
  JobCheckpoints& operator=(const JobCheckpoints&) = delete;

  KeptScratch& scratch() { return *scratch_; }

  // The interval has passed since the last one was begun, and it is done.
  bool Due() const;
  // Takes what there is; returns when merging may go on. The rest is done behind it: `output` must
  // stay until Wait. `holes` are the wanted tiles that were left out and merged as such, `preview`
  // shows what was written. None is taken once an earlier stage has left out a tile: it could not
  // be told from what is computed again.
  void Take(TileMerger& merger, OutputFile& output, const std::vector<int64_t>& holes,
            const LivePreview& preview);
  // Until the last one is durable or given up.
  void Wait();
  // Whether there is one on the disk, for another job to continue.
  bool recorded() const;
  // Ends them and removes their files. Only while the job holds its PartialClaim.
  void Remove();

 private:
  absl::StatusOr<Checkpoint> Collect(TileMerger& merger, OutputFile& output,
                                     const std::vector<int64_t>& holes, const LivePreview& preview);
  absl::Status Commit(const OutputFile& output, const Checkpoint& checkpoint);

  const CheckpointOptions options_;
  const std::unique_ptr<KeptScratch> scratch_;
  Instant begun_;
  std::atomic<bool> busy_ = false;
  std::thread committing_;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_JOBS_JOB_CHECKPOINTS_H_
