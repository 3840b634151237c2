// A stage of a running job whose image the next stage reads: reads its tiles, merges its results
// into an IntermediateImage. Thread-safe as JobHost says.

#ifndef TILEWRIGHT_COORDINATOR_JOBS_STAGE_RUN_H_
#define TILEWRIGHT_COORDINATOR_JOBS_STAGE_RUN_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "coordinator/image/intermediate_image.h"
#include "coordinator/image/scratch_file.h"
#include "coordinator/jobs/job_host.h"
#include "coordinator/jobs/job_record.h"
#include "coordinator/jobs/resolve_job.h"
#include "coordinator/jobs/stage_tiles.h"
#include "coordinator/merge/stage_chain.h"
#include "coordinator/merge/tile_merger.h"

namespace tilewright {

class StageRun : public JobHost {
 public:
  struct Options {
    std::string scratch;  // folder of what is kept for later
    std::function<Instant()> now;
    // Of a first stage: the job's image, which `inputs` reads. Null otherwise.
    std::shared_ptr<ImageReader> reader;
    std::shared_ptr<TileSource> inputs;
    std::shared_ptr<IntermediateImage> output;
    // Tiles of the next stage's plan are complete; called by the merging thread, without a lock.
    std::function<void(const StageChain::Complete&)> on_complete;
  };

  // `stage` names its job in stage and spec.
  StageRun(ResolvedStage stage, std::shared_ptr<JobRecord> record, Options options);

  const v1::StageSpec& stage() const override { return stage_.stage; }
  std::string name() const override { return stage_.spec.name; }
  absl::StatusOr<OutgoingTile> ReadTile(int64_t tile, LeaseKey lease) override;
  absl::Status CheckResult(const v1::TileHeader& header, int64_t payload_bytes) const override {
    return tiles_.CheckResult(header, payload_bytes);
  }
  JobMemory memory() const override { return stage_.memory; }
  absl::Status MakeRoom(int64_t tile) override;
  absl::Status Merge(int64_t tile, std::vector<std::byte> samples) override;
  absl::Status MergeHole(int64_t tile) override;
  void LimitHeld(int64_t bytes_max) override;
  int64_t held_bytes() const override {
    return merger_->bytes_held() + options_.output->bytes_held() + options_.inputs->memory_bytes();
  }
  absl::Status Finish() override;
  void Abandon(const absl::Status&) override {}
  void OnStarted() override { record_->SetRunning(); }
  void OnMerging() override {}
  void OnNotice(const Notice& notice) override { record_->AddEvent(notice, options_.now()); }
  void OnCost(const std::string& worker, int64_t tile, const v1::TileCost& cost) override {
    record_->AddCost(worker, tile, cost, options_.now());
  }
  // What is missing of the picture for it, the last stage tells.
  void OnHole(int64_t) override {}
  void OnWaitsForRoom(const std::string& text) override { record_->SetWaitsForRoom(text); }
  void OnEnded(const absl::Status&, const JobView&) override {}

 private:
  // Tells what is held and which tiles became complete. `status` is passed on.
  absl::Status Merged(absl::Status status, absl::string_view doing);

  const ResolvedStage stage_;
  const std::shared_ptr<JobRecord> record_;
  const Options options_;
  const StageTiles tiles_;

  // Of the merging thread.
  ScratchFile scratch_;
  std::unique_ptr<TileMerger> merger_;
  HeldReport held_;
  absl::Status limited_;  // of LimitHeld
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_JOBS_STAGE_RUN_H_
