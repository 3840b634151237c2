// What is learned of a worker's speed, on literal times.

#include "coordinator/schedule/tile_seconds.h"

#include "gtest/gtest.h"

namespace tilewright::schedule {
namespace {

void AddMany(TileSeconds& seconds, int count, double each) {
  for (int i = 0; i < count; ++i) seconds.Add(absl::Seconds(each));
}

double MeanOf(const TileSeconds& seconds) { return absl::ToDoubleSeconds(seconds.Mean()); }

TEST(TileSeconds, AreTheMeanOfASteadyWorkerWithJitter) {
  TileSeconds seconds;
  EXPECT_FALSE(seconds.measured());
  for (int i = 0; i < 100; ++i) seconds.Add(absl::Seconds(i % 2 == 0 ? 0.9 : 1.1));
  EXPECT_TRUE(seconds.measured());
  EXPECT_NEAR(MeanOf(seconds), 1.0, 0.02);
  EXPECT_NEAR(absl::ToDoubleSeconds(seconds.Percentile95()), 1.1, 1e-6);
}

TEST(TileSeconds, FollowASlowDownWithTheSecondTile) {
  for (double factor : {2.0, 8.0, 1000.0}) {
    TileSeconds seconds;
    AddMany(seconds, 50, 1);
    seconds.Add(absl::Seconds(factor));
    EXPECT_LE(MeanOf(seconds), 1.2) << "one tile may be an accident";
    seconds.Add(absl::Seconds(factor));
    EXPECT_NEAR(MeanOf(seconds), factor, 0.01 * factor);
    EXPECT_NEAR(absl::ToDoubleSeconds(seconds.Percentile95()), factor, 0.01 * factor);
  }
}

TEST(TileSeconds, FollowASlowDownOfAWorkerThatIsHardlyKnown) {
  TileSeconds seconds;
  seconds.Add(absl::Seconds(1));
  AddMany(seconds, 3, 8);
  EXPECT_NEAR(MeanOf(seconds), 8, 0.1);
}

TEST(TileSeconds, FollowARecoveryWithTheThirdTile) {
  for (double factor : {2.0, 8.0, 50.0}) {
    TileSeconds seconds;
    AddMany(seconds, 50, factor);
    AddMany(seconds, 2, 1);
    EXPECT_GT(MeanOf(seconds), factor / 2);
    AddMany(seconds, 2, 1);
    EXPECT_NEAR(MeanOf(seconds), 1, 0.1) << "from " << factor;
  }
}

TEST(TileSeconds, FollowAChangeOfThreeOrdersOfMagnitude) {
  TileSeconds seconds;
  AddMany(seconds, 20, 0.001);
  AddMany(seconds, 3, 1);
  EXPECT_NEAR(MeanOf(seconds), 1, 0.01);
  AddMany(seconds, 6000, 0.001);  // at first this looks like a burst
  EXPECT_NEAR(MeanOf(seconds), 0.001, 0.0005);
}

TEST(TileSeconds, HardlyMoveWithOneLongWait) {
  TileSeconds seconds;
  AddMany(seconds, 50, 1);
  seconds.Add(absl::Seconds(100));
  for (int i = 0; i < 17; ++i) {
    EXPECT_LE(MeanOf(seconds), 1.3) << i;
    seconds.Add(absl::Seconds(1));
  }
  EXPECT_NEAR(MeanOf(seconds), 1, 0.01) << "forgotten";
}

TEST(TileSeconds, DoNotJumpWithResultsThatAreDeliveredTogether) {
  // One tile a second, but the network brings four at a time, from the very first.
  TileSeconds seconds;
  for (int burst = 0; burst < 50; ++burst) {
    seconds.Add(absl::Seconds(4));
    if (burst > 2) {
      EXPECT_LE(MeanOf(seconds), 1.35);
    }
    for (int i = 0; i < 3; ++i) seconds.Add(absl::ZeroDuration());
    EXPECT_NEAR(MeanOf(seconds), 1, 0.01) << burst;
  }
  EXPECT_EQ(seconds.Percentile95(), absl::Seconds(4)) << "a deadline must allow a whole burst";
}

TEST(TileSeconds, CountAnExecutedBatchOnceItHasArrived) {
  TileSeconds seconds;
  for (int batch = 0; batch < 10; ++batch) {
    for (int i = 0; i < 8; ++i) {
      seconds.Add(i == 0 ? absl::Seconds(8) : absl::Microseconds(50), 1, 8);
      if (batch > 0) {
        EXPECT_NEAR(MeanOf(seconds), 1, 0.01) << batch << " " << i;
      }
    }
  }
  // Eight times slower: seen when the second slow batch is complete.
  for (int i = 0; i < 16; ++i)
    seconds.Add(i % 8 == 0 ? absl::Seconds(64) : absl::ZeroDuration(), 1, 8);
  EXPECT_NEAR(MeanOf(seconds), 8, 0.1);
}

TEST(TileSeconds, CountATileOfAPaddedBatchAsWhatItFilled) {
  TileSeconds seconds;
  for (int i = 0; i < 5; ++i) seconds.Add(absl::Seconds(8), 8, 8);
  EXPECT_NEAR(MeanOf(seconds), 1, 0.01);
}

TEST(TileSeconds, FollowAWorkerWhoseBatchesDoNotSettleTogether) {
  TileSeconds seconds;
  for (int i = 0; i < 20; ++i) seconds.Add(absl::Seconds(1), 1, 8);
  EXPECT_NEAR(MeanOf(seconds), 1, 0.01);
  for (int i = 0; i < 3; ++i) seconds.Add(absl::Seconds(8), 1, 8);
  EXPECT_NEAR(MeanOf(seconds), 8, 0.1);
}

TEST(TileSeconds, TakeALapseForThePercentileUntilItsTileSettles) {
  TileSeconds seconds;
  seconds.AddCensored(absl::Seconds(30));
  EXPECT_FALSE(seconds.measured());
  seconds.Add(absl::Seconds(1));
  EXPECT_EQ(seconds.Mean(), absl::Seconds(1));
  EXPECT_EQ(seconds.Percentile95(), absl::Seconds(30));
  seconds.AddCensored(absl::Seconds(30));
  EXPECT_EQ(seconds.Mean(), absl::Seconds(1));
  seconds.Add(absl::Seconds(40));  // the tile that lapsed, with its whole time
  seconds.Add(absl::Seconds(40));
  EXPECT_NEAR(MeanOf(seconds), 40, 0.1);
}

TEST(TileSeconds, TakeALapseIntoTheMeanIfItsTileNeverSettles) {
  TileSeconds seconds;
  AddMany(seconds, 4, 1);
  seconds.AddCensored(absl::Seconds(100));
  seconds.Add(absl::Seconds(20));  // another tile
  EXPECT_GT(MeanOf(seconds), 20) << "two slow ones in a row";
}

TEST(TileSeconds, Forget) {
  TileSeconds seconds;
  AddMany(seconds, 500, 10);
  AddMany(seconds, 100, 1);
  EXPECT_NEAR(MeanOf(seconds), 1.0, 0.01);
  EXPECT_NEAR(absl::ToDoubleSeconds(seconds.Percentile95()), 1.0, 0.01);
}

TEST(TileSeconds, AreNeverZero) {
  TileSeconds seconds;
  for (int i = 0; i < 100; ++i) seconds.Add(absl::ZeroDuration());
  EXPECT_EQ(seconds.Mean(), absl::Microseconds(1));
}

}  // namespace
}  // namespace tilewright::schedule
