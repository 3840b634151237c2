#include "proto/base/instant.h"

#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace tilewright {
namespace {

TEST(Instant, CountsFromTheStartOfItsClock) {
  const Instant at = Instant::FromStart(absl::Seconds(3));
  EXPECT_EQ(at.since_start(), absl::Seconds(3));
  EXPECT_EQ(Instant().since_start(), absl::ZeroDuration());
  EXPECT_EQ((at + absl::Seconds(2)) - at, absl::Seconds(2));
  EXPECT_EQ(at - absl::Seconds(3), Instant());
}

TEST(Instant, OrdersToTheNanosecond) {
  const Instant at = Instant::FromStart(absl::Seconds(3));
  EXPECT_LT(at - absl::Nanoseconds(1), at);
  EXPECT_GT(at + absl::Nanoseconds(1), at);
  EXPECT_LE(at, at);
  EXPECT_NE(at, at + absl::Nanoseconds(1));
}

TEST(Instant, NeverIsLaterThanEverythingAndStaysSo) {
  const Instant far = Instant::FromStart(absl::Hours(24 * 365 * 1000));
  EXPECT_LT(far, Instant::Never());
  EXPECT_EQ(Instant::Never() + absl::Seconds(1), Instant::Never());
  EXPECT_EQ(Instant::Never() - absl::Seconds(1), Instant::Never());
}

}  // namespace
}  // namespace tilewright
