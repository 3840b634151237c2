// One running job: reads its tiles, merges its results, publishes its output. Thread-safe as
// JobHost says.

#ifndef TILEWRIGHT_COORDINATOR_JOBS_JOB_RUN_H_
#define TILEWRIGHT_COORDINATOR_JOBS_JOB_RUN_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "coordinator/image/deciding_sink.h"
#include "coordinator/image/image_reader.h"
#include "coordinator/image/masking_sink.h"
#include "coordinator/image/output_file.h"
#include "coordinator/jobs/job_files.h"
#include "coordinator/jobs/job_host.h"
#include "coordinator/jobs/job_record.h"
#include "coordinator/jobs/live_preview.h"
#include "coordinator/jobs/resolve_job.h"
#include "coordinator/jobs/stage_tiles.h"
#include "coordinator/merge/tile_merger.h"
#include "coordinator/merge/tile_source.h"

namespace tilewright {

class JobRun : public JobHost {
 public:
  struct Options {
    std::string output_path;             // absolute
    std::string export_program;          // for OutputOptions
    std::string scratch;                 // folder of what is kept for later
    std::string publishing;              // folder of PublishNotes; empty: there are none
    std::shared_ptr<TileSource> inputs;  // what the stage before it makes; null: the job's image
    EncoderPool* encoders = nullptr;     // for OutputOptions
    std::function<Instant()> now;
    std::function<void()> on_ended;  // before the record says so; may be empty
    // How often checkpoints are taken; zero: never.
    absl::Duration checkpoint_interval;
    std::function<std::vector<JobView>()> view;  // as of CheckpointOptions
  };

  // As ClaimOutput, with reason OUTPUT_EXISTS or OUTPUT_NOT_WRITABLE.
  static absl::StatusOr<ClaimedOutput> Claim(const ResolvedJob& job, const Options& options);
  // Opens the output and all beside it as of OpenJobFiles, with the same reasons. `job` is prepared
  // and its stages name it; `options` are those of Claim. What it goes on from is then in the specs
  // of its stages, and those before the last compute only what is needed for the rest.
  static absl::StatusOr<JobFiles> Open(const std::shared_ptr<JobRecord>& record,
                                       const Options& options, ClaimedOutput claimed,
                                       const SlowWork& work, ResolvedJob* job);
  // On the files that Open gave. INVALID_ARGUMENT if they are of another job.
  static absl::StatusOr<std::shared_ptr<JobRun>> Create(ResolvedJob job,
                                                        std::shared_ptr<JobRecord> record,
                                                        Options options, JobFiles files);
  // Of one that neither finished nor was abandoned: what it was to go on from stays.
  ~JobRun() override;

  const JobSpec& spec() const { return job_.spec; }

  const v1::StageSpec& stage() const override { return job_.stage; }
  std::string name() const override { return job_.spec.name; }
  absl::StatusOr<OutgoingTile> ReadTile(int64_t tile, LeaseKey lease) override;
  absl::Status CheckResult(const v1::TileHeader& header, int64_t payload_bytes) const override {
    return tiles_.CheckResult(header, payload_bytes);
  }
  JobMemory memory() const override { return job_.memory; }
  absl::Status MakeRoom(int64_t tile) override;
  absl::Status Merge(int64_t tile, std::vector<std::byte> samples) override;
  absl::Status MergeHole(int64_t tile) override;
  void LimitHeld(int64_t bytes_max) override { merger_->set_bytes_max(bytes_max); }
  int64_t held_bytes() const override { return merger_->bytes_held() + inputs_->memory_bytes(); }
  absl::Status Finish() override;
  // With keep_partial it leaves what there is, and says so in the record. Else, for a job that
  // continues this one, what was merged: if the coordinator shuts down, or if it failed and a
  // checkpoint was taken before.
  void Abandon(const absl::Status& why) override;
  void OnStarted() override { record_->SetRunning(); }
  void OnMerging() override { record_->SetMerging(); }
  void OnNotice(const Notice& notice) override { record_->AddEvent(notice, options_.now()); }
  void OnCost(const std::string& worker, int64_t tile, const v1::TileCost& cost) override {
    record_->AddCost(worker, tile, cost, options_.now());
  }
  void OnHole(int64_t tile) override;
  void OnWaitsForRoom(const std::string& text) override { record_->SetWaitsForRoom(text); }
  void OnEnded(const absl::Status& status, const JobView& last) override;

 private:
  // Passes blocks on to the file, and draws them on the way.
  class DrawingSink : public BlockSink {
   public:
    DrawingSink(BlockSink& file, const CanvasFormat& format)
        : file_(file), preview_(std::make_shared<LivePreview>(format)) {}
    absl::Status WriteBlock(int64_t column, int64_t row,
                            absl::Span<const std::byte> samples) override;
    absl::Status MakeBlock(int64_t column, int64_t row, int64_t bytes_max,
                           BlockMaker make) override;
    const std::shared_ptr<LivePreview>& preview() const { return preview_; }

   private:
    BlockSink& file_;
    const std::shared_ptr<LivePreview> preview_;
  };

  // Tells the record what is held and what was copied.
  void TellRecord();
  // After a tile; `status` is passed on, as an error of the output.
  absl::Status Merged(const absl::Status& status, absl::string_view doing);

  JobRun(ResolvedJob job, std::shared_ptr<JobRecord> record, Options options, JobFiles files);
  // Goes on where a job was that died.
  absl::Status Continue(const Checkpoint& checkpoint);
  // After a tile was merged: takes a checkpoint if one is due.
  void MaybeCheckpoint();

  // What the merger writes to.
  BlockSink& FirstSink();
  TileIndex PlanTile(int64_t tile) const { return job_.wanted->at(tile); }
  // An error of the merger, with its reason.
  absl::Status MergeError(const absl::Status& status) const;
  // Leaves out what is not wanted of the plan's tiles below `end`, so that the canvas fills up in
  // order. While IsNoRoom is its error, it may be called again.
  absl::Status SkipBelow(int64_t end);
  // Writes what waits for room on a disk.
  absl::Status FindRoom();
  // Turns what there is of the output into a file of its own, and lists what is missing.
  absl::Status KeepPartial();
  // Whether a job that ends so leaves what was merged to one that continues it.
  bool MayBeContinued(const absl::Status& why) const;
  // Does so. False if it cannot.
  bool LeaveForLater();
  void Close();

  const ResolvedJob job_;
  const std::shared_ptr<JobRecord> record_;
  const Options options_;
  const StageTiles tiles_;
  const std::shared_ptr<TileSource> inputs_;

  // Of the merging thread.
  JobFiles files_;
  DrawingSink drawing_;  // before the output
  // Before drawing_, at most one of the two.
  std::unique_ptr<DecidingSink> deciding_;  // null: what is merged is written
  std::unique_ptr<MaskingSink> masking_;    // null: no mask
  std::unique_ptr<TileMerger> merger_;
  HeldReport held_;
  int64_t next_of_plan_ = 0;    // Invariant: all unwanted tiles below it were left out.
  int64_t next_wanted_ = 0;     // Invariant: the number of the first wanted one not below it.
  std::vector<int64_t> holes_;  // wanted tiles that were left out, by number
  std::string pixel_hash_;
  // What is merged and written agree: a checkpoint may be taken. If not, the latest one holds.
  bool sound_ = true;
  bool left_ = false;  // for a job that continues this one
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_JOBS_JOB_RUN_H_
