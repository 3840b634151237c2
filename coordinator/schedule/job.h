// A job in the scheduling core. A value type; pure.

#ifndef TILEWRIGHT_COORDINATOR_SCHEDULE_JOB_H_
#define TILEWRIGHT_COORDINATOR_SCHEDULE_JOB_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "coordinator/schedule/ready_index.h"
#include "coordinator/schedule/tenant.h"
#include "coordinator/schedule/tile_table.h"
#include "coordinator/schedule/types.h"
#include "coordinator/schedule/worker.h"
#include "proto/base/instant.h"

namespace tilewright::schedule {

struct Job;
struct Stage;

//              first grant             all tiles accepted, poison, stopped
//   kWaiting ---------------> kRunning ------------------------------------> kEnded
//      |   no eligible worker within the grace, stopped                        ^
//      +-----------------------------------------------------------------------+
enum class JobState : uint8_t {
  kWaiting,  // never had a grant: for an eligible worker, its turn, or the proof of a class
  kRunning,
  kEnded,  // kept for reports and for late results until it is forgotten
};

// The stages of one job, or a job of one stage: they share its turns, and end together unless they
// succeed. Its address does not change.
struct JobGroup {
  std::string name;          // of the job
  std::vector<Job*> stages;  // in order; those not forgotten
  int active = 0;            // Invariant: stages not in kEnded.
  JobAccount account;        // Invariant: ready if and only if a stage is servable().
};

struct Job {
  explicit Job(const JobSpec& job_spec)
      : spec(job_spec), tiles(job_spec.tile_count, !job_spec.job_of_stage.empty()) {}

  const JobSpec spec;
  uint64_t id = 0;    // number of the submission
  Instant submitted;  // after a restart: when it would have been, its age counted back
  JobState state = JobState::kWaiting;
  TileTable tiles;
  int64_t tiles_ahead = 0;  // the wavefront in force; 0: unbounded
  int64_t leased_max = 0;   // tiles leased at once, as is in force
  Stage* stage = nullptr;
  JobGroup* group = nullptr;
  Tenant* tenant = nullptr;  // null once it has ended
  int priority = 0;
  bool paused = false;  // nothing is granted
  // Invariant: spec.ready_max of its tiles or more are ready.
  bool full = false;

  // Connected workers that could compute a tile; a proven job's class decides besides. By id.
  absl::btree_map<uint64_t, Worker*> candidates;
  std::string
      waiting_told;  // why nobody can take its tiles, as announced last; empty: somebody can
  bool floor_emptied = false;  // its last candidate left for want of memory

  Promise promise = Promise::kUndecided;
  // kStrict: the environment key (presumed) or the digest of the canary (proven). Invariant: proven
  // never changes.
  std::string numeric_class;
  bool proof_over = false;  // the time for canaries has passed
  bool restored = false;    // submitted to an earlier coordinator
  int64_t continued = 0;    // accepted tiles that an earlier job had done

  int constants_confirmed = 0;  // constant results that came out the same twice

  int64_t attempts = 0;
  int64_t copies = 0;       // tiles granted a second time though the first attempt ran
  int64_t copies_open = 0;  // Invariant: live leases with `copy` set.
  bool tracked = false;     // its leases are ordered by expected finish, since its end is near
  // Expected finish, as of the lease's last report, and sequence. Invariant: if tracked, all live
  // leases.
  absl::btree_set<std::pair<Instant, uint64_t>> finishes;
  // Slower workers leave ready tiles to faster ones until then at most, unless one is granted.
  std::optional<Instant> left_until;
  absl::flat_hash_map<std::string, int64_t> tiles_by_worker;
  std::set<std::string> classes;
  std::optional<Instant> first_grant;
  std::optional<Instant> last_accept;
  absl::flat_hash_map<std::string, int>
      worker_charges;                  // charged failures by worker, for blocklists
  std::set<std::string> blocklist;     // workers that get no more tiles of it, by name
  std::map<std::string, int> notices;  // by kind

  bool active() const { return state != JobState::kEnded; }
  // Whether it has a tile that may be granted. What was granted may be copied while it is active
  // and not paused.
  bool servable() const { return active() && !paused && tiles.ready() > 0; }
};

}  // namespace tilewright::schedule

#endif  // TILEWRIGHT_COORDINATOR_SCHEDULE_JOB_H_
