// Great pools: 10,000 workers and a million tiles. Slow, therefore run on their own.

#include <cmath>

#include "gtest/gtest.h"
#include "tests/simulation/makespan.h"

namespace tilewright::simulation {
namespace {

Outcome RunPool(size_t workers, int64_t tiles) {
  SeedPlan plan = GreatPool().plan;
  plan.workers.resize(workers);
  plan.jobs.front().spec.tile_count = tiles;
  return RunPlan(plan);
}

double MicrosecondsAnEvent(const Outcome& outcome) {
  return outcome.core_cost.seconds * 1e6 / static_cast<double>(outcome.core_cost.events);
}

TEST(Scale, AMillionTilesOnTenThousandWorkersMeetTheGoal) {
  const MakespanCase pool = GreatPool();
  const Makespan makespan = Measure(pool.plan);
  EXPECT_EQ(makespan.trouble, "");
  EXPECT_LE(makespan.over_bound, pool.goal);
  EXPECT_LE(makespan.duplicates, 0.03);
}

// The factor 2 is for caches and a busy machine.
TEST(Scale, AnEventCostsNoMoreThanTheLogarithmOfTheWorkers) {
  const double hundred = MicrosecondsAnEvent(RunPool(100, 10'000));
  const double many = MicrosecondsAnEvent(RunPool(10'000, 1'000'000));
  EXPECT_LE(many, hundred * 2 * std::log2(10'000) / std::log2(100));
}

}  // namespace
}  // namespace tilewright::simulation
