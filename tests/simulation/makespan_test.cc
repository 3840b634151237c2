// Small pools finish close to the least time that is possible.

#include "tests/simulation/makespan.h"

#include "gtest/gtest.h"

namespace tilewright::simulation {
namespace {

// At most so much of the work is done twice where there are 50 tiles a worker or more.
constexpr double kDuplicatesMax = 0.03;

TEST(Makespan, SmallPoolsMeetTheirGoals) {
  for (const MakespanCase& pool : SmallPools()) {
    const Makespan makespan = Measure(pool.plan);
    EXPECT_EQ(makespan.trouble, "") << pool.name;
    EXPECT_LE(makespan.over_bound, pool.goal) << pool.name;
    EXPECT_LE(makespan.over_fastest_alone, 1) << pool.name;
    EXPECT_LE(makespan.duplicates, kDuplicatesMax) << pool.name;
  }
}

}  // namespace
}  // namespace tilewright::simulation
