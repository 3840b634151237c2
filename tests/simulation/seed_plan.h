// Everything a run draws before it starts, from one seed: workers, jobs, faults. Value types and a
// pure function; thread-safe.

#ifndef TILEWRIGHT_TESTS_SIMULATION_SEED_PLAN_H_
#define TILEWRIGHT_TESTS_SIMULATION_SEED_PLAN_H_

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "coordinator/schedule/types.h"
#include "tests/simulation/faults.h"

namespace tilewright::simulation {

struct WorkerPlan {
  std::string name;
  double unit_seconds = 1;  // for one unit of work (JobPlan::units)
  double jitter = 0;        // each batch takes up to so much longer, as a part of itself
  int credit_tiles = 8;
  int64_t credit_bytes = 0;  // 0: not bounded
  int64_t memory_bytes = int64_t{8} << 30;
  std::string environment_key = "same";
  double probe_error = 1;                          // measured probe speed / true speed
  absl::Duration latency = absl::Milliseconds(1);  // one way
  double bytes_per_second = 1e8;
  absl::Duration preparation = absl::Milliseconds(100);  // of a model it has not loaded
  int unacknowledged_max = 1 << 20;                      // results; beyond it nothing is begun
  absl::Duration arrives;                                // first start
  bool lies = false;  // until the cluster heals, its results name another plan or model
};

struct JobPlan {
  JobSpec spec;
  double units = 1;          // work of one tile
  int64_t memory_bytes = 0;  // that one tile needs
  std::set<int64_t> poison;  // tiles that fail wherever they run
  absl::Duration submitted;
};

struct SeedPlan {
  uint64_t seed = 0;
  std::vector<WorkerPlan> workers;
  std::vector<JobPlan> jobs;
  FaultSet faults = FaultSet::None();
  FaultSet drawn_faults = FaultSet::None();  // also those that are switched off
  absl::Duration fault_pause;                // mean time between two faults
  int fault_budget = 0;                      // faults without an accepted tile in between
  absl::Duration fault_phase;
  SchedulerOptions options;
  uint64_t check_every = 0;               // events between two looks at all invariants; 0: by size
  bool fold_records = true;               // dear for a million tiles; needed for restarts
  bool staged = false;                    // there are jobs of several stages
  bool bug_old_epoch = false;             // planted: workers serve any epoch
  bool bug_grant_before_persist = false;  // planted: the shell sends before it persists

  int64_t tiles() const;
  // Summed work of all jobs, in units.
  double units() const;
};

// `allowed` switches faults off: what else the seed draws stays the same.
SeedPlan DrawPlan(uint64_t seed, FaultSet allowed = FaultSet::All());
// Gives most jobs one or two more stages, each a plan of its own behind that of the stage before
// it.
void AddStages(SeedPlan* plan);
// The tiles of a stage that a tile of the next one reads: first and one past the last.
std::pair<int64_t, int64_t> TilesUnder(const JobSpec& stage, const JobSpec& next, int64_t tile);

}  // namespace tilewright::simulation

#endif  // TILEWRIGHT_TESTS_SIMULATION_SEED_PLAN_H_
