// Negative controls: the simulator must notice each bug that is planted in the core or in what
// stands around it, within 50 seeds. Linked with the variant of the core that has the bugs.

#include <cstdint>
#include <functional>
#include <iostream>
#include <string>
#include <vector>

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

// What is wrong with a seed; empty if nothing is.
using Run = std::function<std::string(uint64_t)>;

std::string Seed(uint64_t seed) { return RunPlan(DrawPlan(seed)).trouble; }

std::string SeedWithStages(uint64_t seed) {
  SeedPlan plan = DrawPlan(seed);
  AddStages(&plan);
  return RunPlan(plan).trouble;
}

std::string SeedWithoutFaults(uint64_t seed) {
  return RunPlan(DrawPlan(seed, FaultSet::None())).trouble;
}

std::string Pools(uint64_t seed) {
  for (MakespanCase& pool : SmallPools()) {
    pool.plan.seed = seed;
    const double over = Measure(pool.plan).over_bound;
    if (over > pool.goal) return absl::StrCat(pool.name, ": ", over, " times the bound");
  }
  return "";
}

// A seed whose shell or workers have a bug, for those that are not in the core.
Run Altered(bool SeedPlan::*bug) {
  return [bug](uint64_t seed) {
    SeedPlan plan = DrawPlan(seed);
    plan.*bug = true;
    return RunPlan(plan).trouble;
  };
}

struct Control {
  std::string name;
  PlantedBug bug = PlantedBug::kNone;
  Run run = Seed;
};

const std::vector<Control>& Controls() {
  static const auto* const controls = new std::vector<Control>{
      {"NoGenerationCheck", PlantedBug::kNoGenerationCheck},
      {"NoAcceptedCheck", PlantedBug::kNoAcceptedCheck},
      {"ForgottenLease", PlantedBug::kForgottenLease},
      {"LapseIsFailure", PlantedBug::kLapseIsFailure, RunSlowdowns},
      {"CreditsAreIncrements", PlantedBug::kCreditsAreIncrements},
      {"StarvedLowPriority", PlantedBug::kStarvedLowPriority, SeedWithoutFaults},
      {"StarvedLowPriorityInALongContest", PlantedBug::kStarvedLowPriority, RunFairness},
      {"NoQuarantine", PlantedBug::kNoQuarantine, RunLiar},
      {"NoHedging", PlantedBug::kNoHedging, SeedWithoutFaults},
      {"NoHedgingInPools", PlantedBug::kNoHedging, Pools},
      {"NothingHeldBack", PlantedBug::kNothingHeldBack, SeedWithStages},
      {"WorkersServeAnOldEpoch", PlantedBug::kNone, Altered(&SeedPlan::bug_old_epoch)},
      {"GrantBeforePersist", PlantedBug::kNone, Altered(&SeedPlan::bug_grant_before_persist)},
  };
  return *controls;
}

TEST(Controls, TheVariantWithoutAPlantedBugIsClean) {
  for (uint64_t seed = 1; seed <= 20; ++seed) EXPECT_EQ(Seed(seed), "") << seed;
}

class EachPlantedBug : public testing::TestWithParam<Control> {};

TEST_P(EachPlantedBug, IsCaught) {
  const Planting bug(GetParam().bug);
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const std::string trouble = GetParam().run(seed);
    if (trouble.empty()) continue;
    std::cout << GetParam().name << ": caught at seed " << seed << ": " << trouble << "\n";
    return;
  }
  ADD_FAILURE() << "not within " << kSeeds << " seeds";
}

INSTANTIATE_TEST_SUITE_P(Controls, EachPlantedBug, testing::ValuesIn(Controls()),
                         [](const auto& control) { return control.param.name; });

}  // namespace
}  // namespace tilewright::simulation
