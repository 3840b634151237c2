// Negative controls: the simulator must notice each bug that is planted in the core or in what
// stands around it, within 50 seeds. Linked with the variant of the core that has the bugs.

#include <cstdint>
#include <iostream>
#include <string>

#include "absl/strings/str_cat.h"
#include "coordinator/schedule/planted.h"
#include "gtest/gtest.h"
#include "tests/simulation/makespan.h"
#include "tests/simulation/simulation.h"
#include "tests/simulation/small_clusters.h"

namespace tilewright::simulation {
namespace {

using schedule::PlantedBug;

constexpr uint64_t kSeeds = 50;

// Plants the bug, for as long as the object lives.
class Planting {
 public:
  explicit Planting(PlantedBug bug) { schedule::planted_bug = bug; }
  ~Planting() { schedule::planted_bug = PlantedBug::kNone; }
};

// `run` says what is wrong with a seed. The first seed at which something is, 0 if none.
template <typename Run>
uint64_t CaughtAt(const std::string& bug, const Run& run) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const std::string trouble = run(seed);
    if (trouble.empty()) continue;
    std::cout << bug << ": caught at seed " << seed << ": " << trouble << "\n";
    return seed;
  }
  return 0;
}

std::string Trouble(uint64_t seed) { return RunPlan(DrawPlan(seed)).trouble; }

TEST(Controls, TheVariantWithoutAPlantedBugIsClean) {
  for (uint64_t seed = 1; seed <= 20; ++seed) EXPECT_EQ(Trouble(seed), "") << seed;
}

TEST(Controls, NoGenerationCheck) {
  const Planting bug(PlantedBug::kNoGenerationCheck);
  EXPECT_NE(CaughtAt("no generation check", Trouble), 0u);
}

TEST(Controls, NoAcceptedCheck) {
  const Planting bug(PlantedBug::kNoAcceptedCheck);
  EXPECT_NE(CaughtAt("no already-accepted check", Trouble), 0u);
}

TEST(Controls, ForgottenLease) {
  const Planting bug(PlantedBug::kForgottenLease);
  EXPECT_NE(CaughtAt("a forgotten lease", Trouble), 0u);
}

TEST(Controls, LapseIsFailure) {
  const Planting bug(PlantedBug::kLapseIsFailure);
  EXPECT_NE(CaughtAt("a lapse counted as failure", RunSlowdowns), 0u);
}

TEST(Controls, CreditsAreIncrements) {
  const Planting bug(PlantedBug::kCreditsAreIncrements);
  EXPECT_NE(CaughtAt("credits as increments", Trouble), 0u);
}

TEST(Controls, StarvedLowPriority) {
  const Planting bug(PlantedBug::kStarvedLowPriority);
  EXPECT_NE(CaughtAt("starved low priority", RunFairness), 0u);
}

TEST(Controls, NoQuarantine) {
  const Planting bug(PlantedBug::kNoQuarantine);
  EXPECT_NE(CaughtAt("no quarantine", RunLiar), 0u);
}

TEST(Controls, NoHedging) {
  const Planting bug(PlantedBug::kNoHedging);
  EXPECT_NE(CaughtAt("no hedging",
                     [](uint64_t seed) -> std::string {
                       for (MakespanCase& pool : SmallPools()) {
                         pool.plan.seed = seed;
                         const double over = Measure(pool.plan).over_bound;
                         if (over > pool.goal)
                           return absl::StrCat(pool.name, ": ", over, " times the bound");
                       }
                       return "";
                     }),
            0u);
}

TEST(Controls, WorkersServeAnOldEpoch) {
  EXPECT_NE(CaughtAt("workers accept an old epoch",
                     [](uint64_t seed) {
                       SeedPlan plan = DrawPlan(seed);
                       plan.bug_old_epoch = true;
                       return RunPlan(plan).trouble;
                     }),
            0u);
}

TEST(Controls, GrantBeforePersist) {
  EXPECT_NE(CaughtAt("grant before persist",
                     [](uint64_t seed) {
                       SeedPlan plan = DrawPlan(seed);
                       plan.bug_grant_before_persist = true;
                       return RunPlan(plan).trouble;
                     }),
            0u);
}

}  // namespace
}  // namespace tilewright::simulation
