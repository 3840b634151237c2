#include "worker/backoff.h"

#include <gtest/gtest.h>

#include "absl/time/time.h"

namespace tilewright {
namespace {

TEST(Backoff, DoublesToItsLimitWithJitterBelow) {
  double random = 1.0;
  Backoff backoff({absl::Milliseconds(200), absl::Seconds(1)}, [&random] { return random; });
  EXPECT_EQ(backoff.Next(), absl::Milliseconds(200));
  EXPECT_EQ(backoff.Next(), absl::Milliseconds(400));
  random = 0;
  EXPECT_EQ(backoff.Next(), absl::Milliseconds(400)) << "half of 800";
  random = 1;
  EXPECT_EQ(backoff.Next(), absl::Seconds(1));
  EXPECT_EQ(backoff.Next(), absl::Seconds(1));
  backoff.Reset();
  EXPECT_EQ(backoff.Next(), absl::Milliseconds(200));
}

}  // namespace
}  // namespace tilewright
