// Inputs of the scheduling core: what happened, as values. Each is handed over with `now`. Pure.

#ifndef TILEWRIGHT_COORDINATOR_SCHEDULE_EVENTS_H_
#define TILEWRIGHT_COORDINATOR_SCHEDULE_EVENTS_H_

#include <cstdint>
#include <limits>
#include <string>
#include <variant>
#include <vector>

#include "coordinator/schedule/types.h"

namespace tilewright {

struct JobSubmitted {
  JobSpec job;
  // Of a job of several stages: those after the first, in order, with JobSpec::job_of_stage set.
  // All share what the job receives, as one job; what is said of the job by its name holds for all
  // of them, the failure of one ends all, and each ends for itself when it is done.
  std::vector<JobSpec> later_stages = {};
};

// Tiles of a later stage can be computed: what they read is final. Those that read what was left
// out are left out themselves. Tiles that are not held back stay as they are.
struct TilesReady {
  std::string job;  // JobSpec::name of the stage
  std::vector<int64_t> tiles;
  std::vector<int64_t> left_out;
};

// The user cancelled the job, or the shell cannot go on with it (reason says which). Its leases are
// taken back.
struct JobStopped {
  std::string job;
  std::string reason;
};

// Nothing of the job is granted until it is resumed; what runs may finish, what waits at workers is
// taken back.
struct JobPaused {
  std::string job;
};
struct JobResumed {
  std::string job;
};

// In [kPriorityMin, kPriorityMax].
struct JobPriority {
  std::string job;
  int priority = 0;
};

// The user's decision on the failed tiles of a job that waits for one (OnFailedTile::kWait): they
// are tried again with nothing held against them, also not against its blocklisted workers.
struct FailedTilesRetried {
  std::string job;
};
// They are left out.
struct HolesAccepted {
  std::string job;
};

// Another wavefront and number of leased tiles (as of JobSpec): memory ran short, or there is room
// again. What is leased stays so.
struct JobBudget {
  std::string job;
  int64_t tiles_ahead = 0;
  int64_t leased_max = std::numeric_limits<int64_t>::max();
};

// Back-pressure: merging is behind, results are not taken in (or are again). Meanwhile nothing is
// granted, and no running lease lapses: it is us it waits for.
struct ResultsHeld {
  bool held = true;
};

// A worker, connected or remembered, gets nothing more until it is resumed. What it has not begun
// is taken back; `at_once`: what it runs as well (a late result stays welcome).
struct WorkerDrained {
  std::string worker;
  bool at_once = false;
};
struct WorkerResumed {
  std::string worker;
};
// Forgets why a worker is kept from jobs, by its name: blocklists, charges, and a quarantine.
struct BlocklistCleared {
  std::string worker;
};

// A control stream said hello. The same incarnation again: it came back and will sync. Another one:
// the earlier process of that name is gone.
struct WorkerJoined {
  std::string worker;
  std::string incarnation;
  WorkerOffer offer;
};

// Something was heard from the worker.
struct WorkerHeard {
  std::string worker;
};

enum class HeldState { kQueued, kPreparing, kRunning, kFinished };

struct HeldLease {
  LeaseKey lease;
  HeldState state = HeldState::kQueued;
  std::vector<int64_t> open_tiles = {};
  // Whose tiles: a coordinator that was restarted does not know the leases of its predecessor.
  std::string job = {};
  uint64_t generation = 0;
};

// What the worker holds. A lease with sequence ≤ seen_grant_sequence that is neither held nor
// settled is lost.
struct WorkerSynced {
  std::string worker;
  uint64_t seen_grant_sequence = 0;
  std::vector<HeldLease> held;
  int credit_tiles = 1;
  int64_t credit_bytes = 0;
};

struct LeaseStarted {
  std::string worker;
  LeaseKey lease;
};

struct LeasePreparing {
  std::string worker;
  LeaseKey lease;
  uint64_t progress = 0;
};

struct LeaseDropped {
  std::string worker;
  LeaseKey lease;
};

// A result whose payload passed the checks of the shell (size, checksum). Answered with
// Decisions::verdict.
struct ResultArrived {
  std::string job;
  uint64_t generation = 0;
  int64_t tile = 0;
  LeaseKey lease;
  std::string worker;
  std::string incarnation;
  std::string plan_digest;
  std::string model_digest;
  std::string numeric_class;  // empty: not measured
  int64_t bytes = 0;
  uint64_t checksum = 0;  // of its samples
  bool constant = false;  // all its pixels are one, and those of its input are not
};

// A tile could not be computed, or its result failed a check of the shell (then cause kBadResult).
struct TileFailed {
  std::string worker;
  LeaseKey lease;
  int64_t tile = 0;
  TileFailureCause cause = TileFailureCause::kModelError;
  std::string text;
  int64_t peak_bytes = 0;
  int batch = 1;  // tiles in the executed batch
};

struct CanaryMeasured {
  std::string worker;
  uint64_t canary = 0;
  std::string digest;  // empty: it failed
  double seconds = 0;
  std::string text;
};

// The control stream ended.
struct StreamClosed {
  std::string worker;
  std::string incarnation;
};

// Time passed; nothing else happened.
struct Tick {};

using Event = std::variant<JobSubmitted, TilesReady, JobStopped, JobPaused, JobResumed, JobPriority,
                           FailedTilesRetried, HolesAccepted, WorkerDrained, WorkerResumed,
                           BlocklistCleared, JobBudget, ResultsHeld, WorkerJoined, WorkerHeard,
                           WorkerSynced, LeaseStarted, LeasePreparing, LeaseDropped, ResultArrived,
                           TileFailed, CanaryMeasured, StreamClosed, Tick>;

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_SCHEDULE_EVENTS_H_
