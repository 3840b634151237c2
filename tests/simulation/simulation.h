// Runs of one seed: alone, and shrunk to the faults that matter. Thread-safe: runs share nothing.

#ifndef TILEWRIGHT_TESTS_SIMULATION_SIMULATION_H_
#define TILEWRIGHT_TESTS_SIMULATION_SIMULATION_H_

#include <cstdint>
#include <functional>
#include <ostream>
#include <string>

#include "tests/simulation/faults.h"
#include "tests/simulation/seed_plan.h"
#include "tests/simulation/world.h"

namespace tilewright::simulation {

// Runs a plan; `trace` may be null.
Outcome RunPlan(const SeedPlan& plan, std::ostream* trace = nullptr);

// Runs a seed, and once more without any fault: that must be quicker still. The trouble is that of
// the first, else of the second.
Outcome RunSeed(uint64_t seed, FaultSet allowed = FaultSet::All());

// Changes a plan after it was drawn: a planted bug, other options.
using Alter = std::function<void(SeedPlan&)>;

// A seed that failed, with as few faults as still make it fail.
struct Failure {
  uint64_t seed = 0;
  std::string trouble;  // with all faults
  FaultSet needed = FaultSet::None();
  std::string shrunk_trouble;
  // How to see it again; ends with a newline.
  std::string Explain() const;
};
// Runs the seed again with each fault switched off in turn, as long as it still fails.
Failure Shrink(uint64_t seed, FaultSet allowed, const Outcome& outcome, const Alter& alter = {});

}  // namespace tilewright::simulation

#endif  // TILEWRIGHT_TESTS_SIMULATION_SIMULATION_H_
