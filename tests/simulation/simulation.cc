#include "tests/simulation/simulation.h"

#include "absl/strings/str_cat.h"

namespace tilewright::simulation {

Outcome RunPlan(const SeedPlan& plan, std::ostream* trace) { return World(plan, trace).Run(); }

Outcome RunSeed(uint64_t seed, FaultSet allowed) {
  const SeedPlan plan = DrawPlan(seed, allowed);
  Outcome outcome = RunPlan(plan);
  if (!outcome.trouble.empty() || plan.faults.empty()) return outcome;
  const Outcome calm = RunPlan(DrawPlan(seed, FaultSet::None()));
  if (!calm.trouble.empty()) outcome.trouble = "without faults: " + calm.trouble;
  outcome.contests += calm.contests;
  return outcome;
}

Failure Shrink(uint64_t seed, FaultSet allowed, const Outcome& outcome, const Alter& alter) {
  Failure failure;
  failure.seed = seed;
  failure.trouble = failure.shrunk_trouble = outcome.trouble;
  SeedPlan calm = DrawPlan(seed, FaultSet::None());
  if (alter) alter(calm);
  if (const Outcome without = RunPlan(calm); !without.trouble.empty()) {
    failure.shrunk_trouble = without.trouble;
    return failure;
  }
  failure.needed = DrawPlan(seed, allowed).faults;
  for (Fault fault : failure.needed.List()) {
    SeedPlan plan = DrawPlan(seed, failure.needed.Without(fault));
    if (alter) alter(plan);
    plan.check_every = 1;
    const Outcome without = RunPlan(plan);
    if (without.trouble.empty()) continue;
    failure.needed = failure.needed.Without(fault);
    failure.shrunk_trouble = without.trouble;
  }
  return failure;
}

std::string Failure::Explain() const {
  return absl::StrCat("seed ", seed, ": ", trouble, "\n  with only ", needed.ToString(), ": ",
                      shrunk_trouble, "\n  see it: tests/simulation/run --seed ", seed,
                      " --faults ", needed.ToString(), " --trace\n");
}

}  // namespace tilewright::simulation
