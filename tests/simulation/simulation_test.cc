// Clusters from seeds, all of whose jobs must end well-behaved. More of them, or one alone:
// tests/simulation/run.

#include "tests/simulation/simulation.h"

#include <algorithm>
#include <cstdint>
#include <sstream>

#include "gtest/gtest.h"
#include "tests/simulation/small_clusters.h"

namespace tilewright::simulation {
namespace {

constexpr uint64_t kSeeds = TILEWRIGHT_SEEDS;
// Of stories that need no more.
constexpr uint64_t kFew = std::min<uint64_t>(kSeeds, 30);

TEST(Simulation, EveryJobOfEverySeedEndsAndNothingForbiddenHappens) {
  int64_t succeeded = 0, jobs = 0, faults = 0;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const SeedPlan plan = DrawPlan(seed);
    const Outcome outcome = RunSeed(seed);
    jobs += static_cast<int64_t>(plan.jobs.size());
    succeeded += outcome.jobs_succeeded;
    faults += outcome.faults;
    if (!outcome.trouble.empty()) ADD_FAILURE() << Shrink(seed, FaultSet::All(), outcome).Explain();
  }
  // Some jobs are cancelled or poisoned on purpose; most must come through, and through faults.
  EXPECT_GE(succeeded, jobs * 3 / 4) << "of " << jobs;
  EXPECT_GE(faults, static_cast<int64_t>(kSeeds) * 10);
}

TEST(Simulation, TheSameSeedHappensTheSameWayTwice) {
  for (uint64_t seed : {3, 8}) {
    std::ostringstream first, second;
    RunPlan(DrawPlan(seed), &first);
    RunPlan(DrawPlan(seed), &second);
    EXPECT_GT(first.str().size(), 1000u);
    EXPECT_TRUE(first.str() == second.str()) << "seed " << seed;
  }
}

TEST(Simulation, JobsAreServedByTheirShares) {
  for (uint64_t seed = 1; seed <= kFew; ++seed) EXPECT_EQ(RunFairness(seed), "") << "seed " << seed;
}

TEST(Simulation, SlownessIsForgiven) {
  for (uint64_t seed = 1; seed <= kFew; ++seed)
    EXPECT_EQ(RunSlowdowns(seed), "") << "seed " << seed;
}

TEST(Simulation, ALiarIsPutAside) {
  for (uint64_t seed = 1; seed <= kFew; ++seed) EXPECT_EQ(RunLiar(seed), "") << "seed " << seed;
}

TEST(Simulation, JobsOfSeveralStagesEndToo) {
  int64_t succeeded = 0, stages = 0;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SeedPlan plan = DrawPlan(seed);
    AddStages(&plan);
    const Outcome outcome = RunPlan(plan);
    stages += static_cast<int64_t>(plan.jobs.size());
    succeeded += outcome.jobs_succeeded;
    EXPECT_EQ(outcome.trouble, "") << "see it: tests/simulation/run --stages --seed " << seed;
  }
  // A poisoned or cancelled one takes its stages with it.
  EXPECT_GE(succeeded, stages / 2) << "of " << stages;
}

TEST(Simulation, WithoutFaultsEveryStageSucceeds) {
  for (uint64_t seed = 1; seed <= kFew; ++seed) {
    SeedPlan plan = DrawPlan(seed, FaultSet::None());
    AddStages(&plan);
    const Outcome outcome = RunPlan(plan);
    EXPECT_EQ(outcome.trouble, "") << "seed " << seed;
    EXPECT_EQ(outcome.jobs_succeeded, static_cast<int64_t>(plan.jobs.size())) << "seed " << seed;
  }
}

TEST(Simulation, WithoutFaultsEveryJobSucceeds) {
  for (uint64_t seed = 1; seed <= kFew; ++seed) {
    const SeedPlan plan = DrawPlan(seed, FaultSet::None());
    const Outcome outcome = RunPlan(plan);
    EXPECT_EQ(outcome.trouble, "") << "seed " << seed;
    EXPECT_EQ(outcome.jobs_succeeded, static_cast<int64_t>(plan.jobs.size())) << "seed " << seed;
  }
}

}  // namespace
}  // namespace tilewright::simulation
