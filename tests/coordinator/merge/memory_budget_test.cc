// Shares of memory among jobs, and what follows for leases.

#include "coordinator/merge/memory_budget.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "absl/strings/str_cat.h"

namespace tilewright {
namespace {

// A floor of 100 + 5 * 40 + 4 * 25 = 400.
constexpr JobMemory kNeed{.input = 100, .tile = 40, .block = 25};

TEST(MemoryBudget, RefusesAJobThatFitsNowhereAndNamesTheNumber) {
  EXPECT_TRUE(MemoryBudget(400).Check(kNeed).ok());
  EXPECT_EQ(MemoryBudget(399).Check(kNeed),
            absl::ResourceExhaustedError(
                "the job needs at least 400 bytes of memory for its tiles, the coordinator has 399 "
                "for all jobs: use smaller tiles, or a larger --memory"));
}

TEST(MemoryBudget, GrantsOneTileAtATimeWithinTheFloor) {
  MemoryBudget budget(400);
  budget.Add("a", kNeed);
  // 300 are for results: seven of 40 bytes, rounded down to a power of two.
  EXPECT_EQ(budget.LimitsOf("a"), (MemoryLimits{.held_max = 260, .leased_max = 4}));
  budget.SetHeld("a", 220);
  EXPECT_EQ(budget.LimitsOf("a").leased_max, 2);
  budget.SetHeld("a", 260);
  EXPECT_EQ(budget.LimitsOf("a").leased_max, 1);
  budget.SetHeld("a", 1000);
  EXPECT_EQ(budget.LimitsOf("a").leased_max, 1) << "or what is held would never close";
}

TEST(MemoryBudget, KeepsToTheLowestTilesAboveThreeQuarters) {
  MemoryBudget budget(400);
  budget.Add("a", kNeed);
  budget.SetHeld("a", 225);
  EXPECT_EQ(budget.LimitsOf("a").tiles_ahead, 0);
  budget.SetHeld("a", 226);
  EXPECT_EQ(budget.LimitsOf("a").tiles_ahead, 1);
  budget.SetHeld("a", 190);
  EXPECT_EQ(budget.LimitsOf("a").tiles_ahead, 2) << "not yet far enough below";
  budget.SetHeld("a", 187);
  EXPECT_EQ(budget.LimitsOf("a").tiles_ahead, 0);
}

TEST(MemoryBudget, DividesWhatIsBeyondTheFloorsEvenly) {
  MemoryBudget budget(1200);
  budget.Add("a", kNeed);
  EXPECT_EQ(budget.LimitsOf("a").held_max, 300 + 800 - 40);
  budget.Add("b", kNeed);
  EXPECT_EQ(budget.LimitsOf("a").held_max, 300 + 200 - 40);
  EXPECT_EQ(budget.LimitsOf("b").held_max, 300 + 200 - 40);
  budget.Remove("a");
  EXPECT_EQ(budget.LimitsOf("b").held_max, 300 + 800 - 40);
}

TEST(MemoryBudget, LetsJobsWaitInTheOrderOfTheirComing) {
  MemoryBudget budget(1000);
  budget.Add("a", kNeed);
  budget.Add("large", {.input = 700, .tile = 0, .block = 0});
  budget.Add("c", kNeed);
  EXPECT_TRUE(budget.Runs("a"));
  EXPECT_FALSE(budget.Runs("large"));
  EXPECT_FALSE(budget.Runs("c")) << "or the large one might wait for ever";
  EXPECT_EQ(budget.LimitsOf("large"), MemoryLimits());
  budget.Remove("a");
  EXPECT_TRUE(budget.Runs("large"));
  EXPECT_FALSE(budget.Runs("c"));
  budget.Remove("large");
  EXPECT_TRUE(budget.Runs("c"));
}

// Any jobs in any order: memory is never promised twice, and every job gets its turn.
TEST(MemoryBudget, NeverPromisesMoreThanThereIsAndLeavesNobodyWaiting) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    std::mt19937 random(seed);
    const auto pick = [&random](int64_t to) {
      return static_cast<int64_t>(random() % static_cast<unsigned>(to));
    };
    const int64_t bytes = 1000 + pick(4000);
    MemoryBudget budget(bytes);
    std::map<std::string, JobMemory> there;
    std::set<std::string> waiting;
    for (int step = 0; step < 60 || !there.empty(); ++step) {
      if (step < 60 && pick(2) == 0) {
        const JobMemory need{.input = pick(100), .tile = 1 + pick(120), .block = pick(60)};
        if (!budget.Check(need).ok()) continue;
        const std::string name = absl::StrCat("job", step);
        budget.Add(name, need);
        there[name] = need;
      } else if (!there.empty()) {
        auto ends = there.begin();
        std::advance(ends, pick(static_cast<int64_t>(there.size())));
        if (!budget.Runs(ends->first)) continue;
        budget.Remove(ends->first);
        there.erase(ends);
      }
      int64_t promised = 0;
      bool any = there.empty();
      for (const auto& [name, need] : there) {
        const MemoryLimits limits = budget.LimitsOf(name);
        any = any || budget.Runs(name);
        if (!budget.Runs(name)) {
          ASSERT_EQ(limits.leased_max, 0);
          continue;
        }
        ASSERT_GE(limits.leased_max, 1);
        ASSERT_GE(limits.held_max, 4 * need.tile + 4 * need.block);
        promised += need.input + limits.held_max + need.tile;
      }
      ASSERT_TRUE(any) << "all wait";
      ASSERT_LE(promised, bytes);
    }
  }
}

}  // namespace
}  // namespace tilewright
