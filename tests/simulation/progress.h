// How much of what the live devices could do became pictures: the time of a run against the least
// that it could take, seen from outside the core. Not thread-safe.

#ifndef TILEWRIGHT_TESTS_SIMULATION_PROGRESS_H_
#define TILEWRIGHT_TESTS_SIMULATION_PROGRESS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "coordinator/schedule/decisions.h"
#include "proto/base/instant.h"
#include "tests/simulation/checks.h"
#include "tests/simulation/seed_plan.h"

namespace tilewright::simulation {

class World;

// Seconds that one tile of the job and its result travel.
double TransferSeconds(const WorkerPlan& worker, const JobPlan& job);
// Seconds that the worker takes for one tile of the job after the other, nothing overlapping: its
// inputs, an executed batch, its result. It holds so much at once.
double SecondsPerTile(const WorkerPlan& worker, const Credit& credit, const JobPlan& job);

// A run may take so many times what its work needs at the average speed of the live devices, and
// besides, for the beginning and the end of each job, so many times what one tile of it takes at
// the worker that could have finished it first, and a moment; a fault costs time to be noticed; and
// a tile is poison only once others have tried it, the slowest of the pool perhaps.
inline constexpr double kMakespanFactor = 2;
inline constexpr double kMakespanTiles = 12;
inline constexpr absl::Duration kMakespanPerJob = absl::Seconds(10);
inline constexpr absl::Duration kMakespanPerFault = absl::Seconds(10);

class Progress {
 public:
  explicit Progress(World& world);

  // The state of this moment lasts until `until`.
  void Advance(Instant until);
  void Drained(const std::string& worker) { aside_.insert(worker); }
  // A new coordinator holds nothing against workers.
  void Forget() {
    blocked_.clear();
    aside_.clear();
  }
  // What the core said of workers; the rest is seen.
  void Noticed(const Notice& notice);
  void Merged(const JobPlan& job) { merged_ += job.units; }
  // Work that a fault destroyed.
  void Lost(double units) { lost_ += units; }

  // The time in which some job could be served, as a part of what it may be; more than 1 is
  // trouble. `faults`: those injected.
  double OverBound(int64_t faults) const;
  // A sentence if it took longer than it may; empty otherwise.
  std::string Judge(int64_t faults) const;

 private:
  // What the work takes at the average speed of the live devices.
  double NeededSeconds() const;
  // What the first tile of each job takes, summed.
  double FirstTileSeconds() const;
  bool Open(size_t job) const;
  // 0: it may not.
  double Speed(size_t worker, size_t job) const;

  World& world_;
  std::vector<std::optional<Instant>> opened_;  // by job: when it could first be served
  std::vector<double> critical_;  // by job: from then until one worker could have done one tile
  double verdicts_ = 0;           // seconds of the slowest tries of poisoned tiles
  std::set<std::pair<std::string, std::string>> blocked_;  // (worker, job)
  std::set<std::pair<std::string, std::string>> lacking_;  // memory, in the same way
  std::set<std::string> aside_;                            // workers
  double active_ = 0;    // seconds in which some job could be served by somebody
  double capacity_ = 0;  // units that could have been done in them
  double merged_ = 0;
  double lost_ = 0;
};

}  // namespace tilewright::simulation

#endif  // TILEWRIGHT_TESTS_SIMULATION_PROGRESS_H_
