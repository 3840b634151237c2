// The policies on the standing of workers, on literal data.

#include "coordinator/schedule/standing.h"

#include <gtest/gtest.h>

#include "absl/time/time.h"

namespace tilewright::schedule {
namespace {

const SchedulerOptions kOptions;

TEST(Standing, BlocklistsAfterThreeCharges) {
  EXPECT_FALSE(MustBlocklist(2, kOptions));
  EXPECT_TRUE(MustBlocklist(3, kOptions));
  EXPECT_TRUE(MustBlocklist(4, kOptions));
}

TEST(Standing, QuarantinesForLapsesBadResultsAndASecondBlocklist) {
  EXPECT_EQ(QuarantineFor({}, kOptions), std::nullopt);
  EXPECT_EQ(
      QuarantineFor({.lapses_in_row = 2, .bad_results_in_row = 2, .blocklistings = 1}, kOptions),
      std::nullopt);
  EXPECT_EQ(QuarantineFor({.lapses_in_row = 3}, kOptions), QuarantineCause::kLapses);
  EXPECT_EQ(QuarantineFor({.bad_results_in_row = 3}, kOptions), QuarantineCause::kBadResults);
  EXPECT_EQ(QuarantineFor({.blocklistings = 2}, kOptions), QuarantineCause::kFailures);
  // The gravest cause decides: late results are refused.
  EXPECT_EQ(QuarantineFor({.lapses_in_row = 3, .bad_results_in_row = 3}, kOptions),
            QuarantineCause::kBadResults);
}

TEST(Standing, DoublesTheQuarantineUpToItsMaximum) {
  EXPECT_EQ(QuarantineTime(0, kOptions), absl::Seconds(30));
  EXPECT_EQ(QuarantineTime(1, kOptions), absl::Seconds(60));
  EXPECT_EQ(QuarantineTime(3, kOptions), absl::Seconds(240));
  EXPECT_EQ(QuarantineTime(4, kOptions), absl::Minutes(5));
  EXPECT_EQ(QuarantineTime(1000000, kOptions), absl::Minutes(5));
}

TEST(Standing, ForgivesAfterALongRunOfWork) {
  EXPECT_TRUE(Forgiven(absl::Minutes(10), 10, kOptions));
  EXPECT_FALSE(Forgiven(absl::Minutes(10) - absl::Nanoseconds(1), 1000, kOptions));
  EXPECT_FALSE(Forgiven(absl::Hours(10), 9, kOptions)) << "it was idle";
}

TEST(Standing, TrustsTheLeastBadFirst) {
  EXPECT_EQ(BestOf({{.bad_results = true}, {.quarantines = 5, .charges = 9}}), 1u);
  EXPECT_EQ(BestOf({{.quarantines = 2}, {.quarantines = 1, .charges = 9}}), 1u);
  EXPECT_EQ(BestOf({{.charges = 4}, {.charges = 3}, {.charges = 3}}), 1u);
}

}  // namespace
}  // namespace tilewright::schedule
