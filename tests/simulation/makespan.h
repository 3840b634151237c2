// How close a job comes to the least time it could take. Thread-safe: runs share nothing.

#ifndef TILEWRIGHT_TESTS_SIMULATION_MAKESPAN_H_
#define TILEWRIGHT_TESTS_SIMULATION_MAKESPAN_H_

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "tests/simulation/simulation.h"

namespace tilewright::simulation {

// A pool and the job it gets.
struct MakespanCase {
  std::string name;
  SeedPlan plan;
  double goal = 1.05;  // most that `over_bound` may be
};
// Small pools: equal, 1:4.5, 1:10, 1:1000 with faults at a tenth of the workers.
std::vector<MakespanCase> SmallPools();
// 10,000 workers of speeds 1:10.
MakespanCase GreatPool();

struct Makespan {
  std::string trouble;
  absl::Duration time;
  // time / max((work + work destroyed by faults) / average live speed, one tile at the fastest)
  double over_bound = 0;
  double over_fastest_alone = 0;  // time / the fastest worker alone
  double duplicates = 0;          // work granted again / work, without what faults destroyed
};
Makespan Measure(const SeedPlan& plan);

}  // namespace tilewright::simulation

#endif  // TILEWRIGHT_TESTS_SIMULATION_MAKESPAN_H_
