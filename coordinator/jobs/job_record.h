// A job as its users see it: request, state, plan, events. Thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_JOBS_JOB_RECORD_H_
#define TILEWRIGHT_COORDINATOR_JOBS_JOB_RECORD_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "coordinator/jobs/event_log.h"
#include "coordinator/jobs/live_preview.h"
#include "coordinator/schedule/decisions.h"
#include "coordinator/schedule/scheduler.h"
#include "proto/base/instant.h"
#include "proto/geometry/rect.h"
#include "tilewright/v1/render_service.pb.h"

namespace tilewright {

class JobRecord {
 public:
  struct Identity {
    std::string name;     // jobs/{job}
    std::string created;  // RFC 3339, for people
    Instant submitted;
    std::string output_path;   // absolute
    bool owns_output = false;  // kept for Download, removed when the job is forgotten
    std::string tenant = "default";
  };

  JobRecord(Identity identity, v1::RenderRequest request, v1::PlanSummary plan,
            std::string exactness);

  const Identity& identity() const { return identity_; }
  const std::string& name() const { return identity_.name; }

  // State changes, in the order of v1::Job::State; each calls the listener once.
  void SetRunning();
  void SetMerging();
  // OK: SUCCEEDED; CANCELLED: cancelled; else FAILED. `last` is how the scheduler saw the job.
  void SetEnded(const absl::Status& status, const JobView& last, const std::string& pixel_hash,
                Instant now);
  void AddEvent(const Notice& notice, Instant now);
  // Counts what is unusual about an attempt at a tile: steps of the failure ladder, a constant
  // result. The first of each worker and kind is an event.
  void AddCost(const std::string& worker, int64_t tile, const v1::TileCost& cost, Instant now);
  // A tile is left out; `rect` is what it would have contributed to.
  void AddHole(int64_t tile, const Rect& rect);

  // Why it stands still although nobody paused it: a disk is full. Empty: it does not.
  void SetWaitsForRoom(const std::string& text);

  // What it left although it did not succeed, and how many tiles are missing in that.
  void SetPartial(const std::string& path, int64_t missing);
  // Empty: nothing.
  std::string partial_output() const;

  // Its tiles and unfinished blocks in memory and in the scratch file became so many bytes more.
  void AddHeld(int64_t memory_bytes, int64_t scratch_bytes) {
    held_bytes_ += memory_bytes;
    spilled_bytes_ += scratch_bytes;
  }

  // Tiles of the plan that are not computed, by stage; none before that is said.
  void SetSkipped(std::vector<int64_t> tiles);
  // Tiles that it took over from an unfinished job.
  void SetContinued(int64_t tiles) { continued_tiles_ = tiles; }
  // Blocks of its output that are its input's as they are stored there.
  void SetCopied(int64_t blocks) { copied_blocks_ = blocks; }
  // A checkpoint with so many tiles is durable, or, with an error, none: an event says so once.
  void SetCheckpoint(const absl::StatusOr<int64_t>& tiles, Instant now);

  // What is drawn while the job runs: nullptr before it begins and after it has ended.
  void SetPreview(std::shared_ptr<const LivePreview> preview);
  std::shared_ptr<const LivePreview> preview() const;

  bool ended() const;
  v1::Job::State state() const;
  // Rises with every state change and event.
  int64_t version() const;
  // Called after every state change, without lock held; set once, before the job is shared.
  void set_listener(std::function<void()> listener) { listener_ = std::move(listener); }

  // The job now. `view` is how the scheduler sees it, nullptr if it does not know it (any more).
  v1::Job Snapshot(const JobView* view, Instant now, bool with_events) const;

 private:
  void SetState(v1::Job::State state);
  void AddEventLocked(const Notice& notice, Instant now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // What is not computed counts as done.
  void AddSkipped(v1::Job* job) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Whether this is the first of its kind from that worker.
  bool FirstOf(const std::string& worker, int kind) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const Identity identity_;
  const v1::RenderRequest request_;
  const v1::PlanSummary plan_;
  const std::string exactness_;
  std::function<void()> listener_;

  std::atomic<int64_t> held_bytes_ = 0;
  std::atomic<int64_t> spilled_bytes_ = 0;
  std::atomic<int64_t> continued_tiles_ = 0;
  std::atomic<int64_t> copied_blocks_ = 0;
  std::atomic<int64_t> checkpoint_tiles_ = 0;

  mutable absl::Mutex mu_;
  v1::Job::State state_ ABSL_GUARDED_BY(mu_) = v1::Job::STATE_QUEUED;
  int64_t version_ ABSL_GUARDED_BY(mu_) = 0;
  std::vector<int64_t> skipped_tiles_ ABSL_GUARDED_BY(mu_);  // by stage
  EventLog events_ ABSL_GUARDED_BY(mu_);
  bool told_checkpoint_ ABSL_GUARDED_BY(mu_) = false;               // that one could not be taken
  std::map<v1::LadderStep, uint64_t> ladder_ ABSL_GUARDED_BY(mu_);  // attempts by step
  uint64_t constant_results_ ABSL_GUARDED_BY(mu_) = 0;
  // What was told already: worker and step, 0 for a constant result. At most kToldMax.
  std::set<std::pair<std::string, int>> told_ ABSL_GUARDED_BY(mu_);
  std::map<int64_t, Rect> holes_ ABSL_GUARDED_BY(mu_);  // by tile
  absl::Status error_ ABSL_GUARDED_BY(mu_);
  std::string pixel_hash_ ABSL_GUARDED_BY(mu_);
  std::string waits_for_room_ ABSL_GUARDED_BY(mu_);
  std::string partial_output_ ABSL_GUARDED_BY(mu_);
  int64_t missing_tiles_ ABSL_GUARDED_BY(mu_) = 0;  // in it
  std::optional<JobView> last_ ABSL_GUARDED_BY(mu_);
  std::optional<Instant> ended_at_ ABSL_GUARDED_BY(mu_);
  std::shared_ptr<const LivePreview> preview_ ABSL_GUARDED_BY(mu_);
};

// What one stage of a job holds, told to the job's record. Not thread-safe.
class HeldReport {
 public:
  explicit HeldReport(std::shared_ptr<JobRecord> record) : record_(std::move(record)) {}
  // Bytes in memory and in the scratch file, now.
  void Tell(int64_t memory_bytes, int64_t scratch_bytes) {
    record_->AddHeld(memory_bytes - memory_bytes_, scratch_bytes - scratch_bytes_);
    memory_bytes_ = memory_bytes;
    scratch_bytes_ = scratch_bytes;
  }

 private:
  const std::shared_ptr<JobRecord> record_;
  int64_t memory_bytes_ = 0;  // told last
  int64_t scratch_bytes_ = 0;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_JOBS_JOB_RECORD_H_
