// The words of the scheduling core: identities, what jobs ask for, what workers offer. Value types;
// pure.

#ifndef TILEWRIGHT_COORDINATOR_SCHEDULE_TYPES_H_
#define TILEWRIGHT_COORDINATOR_SCHEDULE_TYPES_H_

#include <compare>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "absl/time/time.h"

namespace tilewright {

// Id of a lease: coordinator epoch and number of the grant within it.
struct LeaseKey {
  uint64_t epoch = 0;
  uint64_t sequence = 0;
  friend auto operator<=>(const LeaseKey&, const LeaseKey&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const LeaseKey& k) {
    return H::combine(std::move(h), k.epoch, k.sequence);
  }
};

// Whether a job promises one hash.
enum class Promise {
  kUndecided,  // before the first grant
  kStrict,     // all accepted tiles come from one numeric class
  kTolerant,   // classes may mix; the report names them
};

// Why a tile failed; typed, the text never decides.
enum class TileFailureCause {
  kOutOfMemory,
  kLaunchTimeout,
  kDeviceLost,
  kBadResult,
  kRefused,
  kModelError,
};
const char* TileFailureCauseName(TileFailureCause cause);  // "out of memory", …

// What becomes of a job one of whose tiles is poison.
enum class OnFailedTile {
  kFail,  // the job ends with a sentence naming tile, workers and cause
  kWait,  // the other tiles go on; the user then retries the tile, accepts a hole, or cancels
  kHole,  // the tile is left out and named in the result
};

// Least and greatest priority of a job. Each step doubles the job's weight among the jobs of its
// tenant.
inline constexpr int kPriorityMin = -5;
inline constexpr int kPriorityMax = 5;

struct ContinuedTiles;

// What a job of one stage, or one stage of a job, asks of the scheduler.
struct JobSpec {
  std::string name;  // jobs/{job}; of a later stage any other that is unique
  // Of a stage that reads what others of its job make: the name of the job, which is that of its
  // first stage. No tile of it is ready before TilesReady says so. Empty: a job of its own, or its
  // first stage.
  std::string job_of_stage = {};
  std::string tenant = "default";
  int priority = 0;  // at submission; in [kPriorityMin, kPriorityMax]
  OnFailedTile on_failed_tile = OnFailedTile::kFail;
  // The job fails with DEADLINE_EXCEEDED so long after its submission. Pauses count; the time
  // between the job's last record of one coordinator and the start of the next does not.
  std::optional<absl::Duration> max_duration;
  uint64_t generation = 1;
  int64_t tile_count = 0;
  std::string plan_digest;
  std::string model_digest;
  std::string model_name;  // for messages
  std::string engine;      // a worker must offer it
  std::string dtype = "fp32";
  int executed_batch = 1;    // tiles the engine executes at once: numerics, not scheduling
  bool prove_class = false;  // --strict: canaries before the first grant
  double flops_per_tile = 0;
  int64_t input_bytes = 0;                       // of one tile as sent
  int64_t output_bytes = 0;                      // of one tile's largest contribution
  absl::Duration tile_timeout = absl::Hours(1);  // job limit on one tile
  // Wavefront: no tile so far beyond the lowest open one is begun, since what lies between waits in
  // memory for its neighbours; 0: as far as there are tiles.
  int64_t tiles_ahead = 0;
  // Tiles under lease at once, since there must be memory for their results; 0: none until
  // JobBudget says otherwise.
  int64_t leased_max = std::numeric_limits<int64_t>::max();
  // What an earlier job has done of it (continued.h); null: nothing.
  std::shared_ptr<const ContinuedTiles> continued = nullptr;
  // Of a later stage: while so many of its tiles are ready, the stages before it begin nothing, so
  // that what lies between two stages does not grow with the image. > 0.
  int64_t ready_max = std::numeric_limits<int64_t>::max();
};

// What a worker offers.
struct WorkerOffer {
  std::set<std::string> engines;
  std::set<std::string> dtypes;  // of an engine that engine_dtypes does not name
  std::map<std::string, std::set<std::string>> engine_dtypes;
  int64_t memory_bytes = 0;
  double probe_flops = 0;
  std::string environment_key;
  int credit_tiles = 1;      // level: tiles held at once, the running batch included
  int64_t credit_bytes = 0;  // level; 0: bytes are not bounded
};

// What one tenant may have. Beyond it a submission is refused with RESOURCE_EXHAUSTED.
struct TenantQuota {
  double share = 1;                                              // weight among tenants; > 0
  int open_jobs_max = 1000;                                      // jobs that have not ended
  int64_t open_bytes_max = std::numeric_limits<int64_t>::max();  // of outputs not yet computed
  int priority_max = kPriorityMax;
};

struct SchedulerOptions {
  // Silence after which a worker's stream counts as closed.
  absl::Duration liveness = absl::Seconds(8);
  // A job that never had a grant fails after this long without an eligible worker.
  absl::Duration worker_grace = absl::Seconds(60);
  // Deadline of a running lease: clamp(factor × p95 seconds per tile × unsettled tiles, floor, job
  // limit).
  double deadline_factor = 3.0;
  absl::Duration deadline_floor = absl::Seconds(5);
  // A tile never seen on a worker: FLOPs / probe speed × factor, at least this.
  absl::Duration first_deadline_floor = absl::Seconds(60);
  // A lease that does not run must report Started or Preparing within this + 3 × transfer time.
  absl::Duration start_grace = absl::Seconds(5);
  // Bytes per second assumed of an unmeasured link.
  double link_rate = 1e6;
  // PREPARING without progress for this long is a failure.
  absl::Duration prepare_stall = absl::Seconds(120);
  // Work that one lease should hold.
  absl::Duration lease_work = absl::Milliseconds(1500);
  // Work below which an end-of-job share is not cut: a round trip costs more.
  absl::Duration lease_work_min = absl::Milliseconds(20);
  // Most tiles in one lease.
  int lease_tiles_max = 1024;
  // How long strict-by-presumption outlives the last holder of its class.
  absl::Duration class_grace = absl::Seconds(60);
  // A worker that left is forgotten (its measured speeds, its unfinished attempts) after this long.
  absl::Duration worker_memory = absl::Hours(1);
  // What puts a worker aside for all jobs: so many lapses in a row, results refused or failed by
  // the checks in a row, or jobs that it was blocklisted for.
  int quarantine_lapses = 3;
  int quarantine_bad_results = 3;
  int quarantine_blocklistings = 2;
  // For how long; each time again doubles it, up to the maximum. Then one tile at a time, until one
  // is computed in time.
  absl::Duration quarantine_min = absl::Seconds(30);
  absl::Duration quarantine_max = absl::Minutes(5);
  // After so much time and so many tiles without a lapse or a charged failure, a worker's charges
  // and earlier quarantines count no more.
  absl::Duration good_run = absl::Minutes(10);
  int64_t good_run_tiles = 10;
  // Charged failures of a worker on one job after which it gets no more tiles of that job.
  int blocklist_charges = 3;
  // After a restart nothing is granted until the workers known before have synced, at most so long.
  absl::Duration restart_grace = absl::Seconds(10);
  // A worker gets a tile near the end of a job, or a copy of one, only if it finishes so much
  // earlier than the others would: now + factor × its estimate < their finish.
  double end_game_factor = 1.2;
  // Most copies at once, as a part of the workers; at least one.
  double copies_part = 0.1;
  // Tenants with quotas of their own; all others have `default_quota`.
  std::map<std::string, TenantQuota> quotas;
  TenantQuota default_quota;
  // So many results of one job that are constant though their input is not are computed twice; if
  // each came out the same, that is what the model gives, and further ones are believed.
  int constants_confirmed = 3;
  // A job that runs and whose remaining workers all failed their canary asks them again after this
  // long.
  absl::Duration canary_retry = absl::Minutes(1);
  // Most notices of one kind for one job; the last one says that further ones are left out.
  int notices_per_kind_max = 200;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_SCHEDULE_TYPES_H_
