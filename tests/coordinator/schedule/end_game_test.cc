// The policies of a job's end on literal data.

#include "coordinator/schedule/end_game.h"

#include "coordinator/schedule/speed_order.h"
#include "gtest/gtest.h"

namespace tilewright::schedule {
namespace {

constexpr absl::Duration kSecond = absl::Seconds(1);

TEST(TimeFor, CountsWholeExecutedBatches) {
  EXPECT_EQ(TimeFor(3, kSecond, 1), 3 * kSecond);
  EXPECT_EQ(TimeFor(1, kSecond, 4), 4 * kSecond);
  EXPECT_EQ(TimeFor(5, kSecond, 4), 8 * kSecond);
  EXPECT_EQ(TimeFor(0, kSecond, 4), absl::ZeroDuration());
}

TEST(Remaining, GrowsAgainOnceWorkIsLate) {
  EXPECT_EQ(Remaining(10 * kSecond, 4 * kSecond), 6 * kSecond);
  EXPECT_EQ(Remaining(10 * kSecond, 10 * kSecond), absl::ZeroDuration());
  EXPECT_EQ(Remaining(10 * kSecond, 25 * kSecond), 15 * kSecond);
}

TEST(TilesWithin, CountsWhatEndsInTime) {
  const FasterWorker free{absl::ZeroDuration(), kSecond};
  const FasterWorker busy{5 * kSecond, 2 * kSecond};
  EXPECT_EQ(TilesWithin(3 * kSecond, {free}), 3);
  EXPECT_EQ(TilesWithin(absl::Milliseconds(2999), {free}), 2);
  EXPECT_EQ(TilesWithin(9 * kSecond, {free, busy}), 11);
  EXPECT_EQ(TilesWithin(4 * kSecond, {busy}), 0);
}

TEST(TilesWithin, TakesACrowdToBeHalfWayThroughItsTiles) {
  const FasterCrowd crowd{.workers = 100, .tiles_per_second = 100};
  EXPECT_EQ(TilesWithin(3 * kSecond, {crowd}), 200);
  EXPECT_EQ(TilesWithin(absl::Milliseconds(500), {crowd}), 0);
  EXPECT_EQ(TilesWithin(3 * kSecond, {crowd, {.workers = 10, .tiles_per_second = 1}}), 200)
      << "those who finish none take none away";
}

TEST(LeaveToFaster, IsForTheOneWhoWouldBeLaterByTheFactor) {
  // One worker of 1 s is free: twelve tiles take it 12 s.
  const FasterWorker fast{absl::ZeroDuration(), kSecond};
  EXPECT_FALSE(LeaveToFaster(13, 10 * kSecond, {fast}, {}));
  EXPECT_TRUE(LeaveToFaster(12, 10 * kSecond, {fast}, {}));
  EXPECT_FALSE(LeaveToFaster(12, absl::Milliseconds(9990), {fast}, {}));
}

TEST(LeaveToFaster, NeverHoldsWithoutAFasterWorker) {
  EXPECT_FALSE(LeaveToFaster(1, 1000 * kSecond, absl::Span<const FasterWorker>(), {}));
  EXPECT_FALSE(LeaveToFaster(1, 1000 * kSecond, absl::Span<const FasterCrowd>(), {}));
}

TakeOverQuery Slow(int64_t unstarted) {
  return {.unstarted = unstarted,
          .finish = 10 * kSecond * unstarted,
          .own_start = absl::ZeroDuration(),
          .own_tile = kSecond,
          .other_tile = 10 * kSecond,
          .executed_batch = 1,
          .free_credit = 64};
}

TEST(TakeOver, LetsBothFinishTogether) {
  EXPECT_EQ(TilesToTakeOver(Slow(1), {}), 1);
  EXPECT_EQ(TilesToTakeOver(Slow(11), {}), 10) << "10 s each";
  TakeOverQuery equal = Slow(8);
  equal.own_tile = 10 * kSecond;
  EXPECT_EQ(TilesToTakeOver(equal, {}), 4);
}

TEST(TakeOver, NeedsTheFactor) {
  TakeOverQuery query = Slow(1);
  query.own_tile = absl::Milliseconds(8330);
  EXPECT_EQ(TilesToTakeOver(query, {}), 1);
  query.own_tile = absl::Milliseconds(8340);
  EXPECT_EQ(TilesToTakeOver(query, {}), 0);
  query.own_tile = 5 * kSecond;
  EXPECT_EQ(TilesToTakeOver(query, {}), 1);
  query.margin = 2;  // it changed hands before
  EXPECT_EQ(TilesToTakeOver(query, {}), 0);
  query = Slow(1);
  query.own_start = 8 * kSecond;  // to load the model
  EXPECT_EQ(TilesToTakeOver(query, {}), 0);
}

TEST(TakeOver, StaysWithinCreditAndRoundsToExecutedBatches) {
  TakeOverQuery query = Slow(11);
  query.free_credit = 3;
  EXPECT_EQ(TilesToTakeOver(query, {}), 3);
  query.free_credit = 0;
  EXPECT_EQ(TilesToTakeOver(query, {}), 0);
  query = Slow(16);
  query.executed_batch = 4;
  EXPECT_EQ(TilesToTakeOver(query, {}) % 4, 0);
  EXPECT_EQ(TilesToTakeOver(Slow(0), {}), 0);
}

TEST(TakeOver, IsNotWorthARoundTripForTinyWork) {
  TakeOverQuery query = Slow(10);
  query.finish = absl::Milliseconds(23);
  query.own_tile = query.other_tile = absl::Milliseconds(2);
  EXPECT_EQ(TilesToTakeOver(query, {}), 0);
}

TEST(Copy, WinsByTheFactorOnly) {
  EXPECT_TRUE(CopyWins(kSecond, absl::Milliseconds(1201), {}));
  EXPECT_FALSE(CopyWins(kSecond, absl::Milliseconds(1200), {}));
  EXPECT_FALSE(CopyWins(absl::Milliseconds(1), absl::Milliseconds(24), {})) << "a round trip";
}

TEST(Copies, AreOneOrATenthOfTheSlots) {
  EXPECT_EQ(CopiesMax(1, {}), 1);
  EXPECT_EQ(CopiesMax(19, {}), 1);
  EXPECT_EQ(CopiesMax(20, {}), 2);
  EXPECT_EQ(CopiesMax(10000, {}), 1000);
}

TEST(SpeedOrder, KeepsAWorkerInItsClassWhileItsSpeedHardlyMoves) {
  SpeedOrder order;
  int fast = SpeedOrder::kNone, slow = SpeedOrder::kNone;
  order.Update(1, nullptr, 0, 10, &fast);
  order.Update(2, nullptr, 0, 1, &slow);
  EXPECT_LT(fast, slow);
  EXPECT_EQ(order.workers(), 2);
  EXPECT_DOUBLE_EQ(order.speed(), 11);
  const int before = fast;
  order.Update(1, nullptr, 10, 9.6, &fast);
  EXPECT_EQ(fast, before);
  order.Update(1, nullptr, 9.6, 1, &fast);
  EXPECT_EQ(fast, slow);
  EXPECT_EQ(order.classes().size(), 1u);
  EXPECT_EQ(SpeedOrder::ClassOf(kSecond), slow);
  order.Update(1, nullptr, 1, 0, &fast);
  order.Update(2, nullptr, 1, 0, &slow);
  EXPECT_EQ(order.workers(), 0);
  EXPECT_EQ(order.speed(), 0);
  EXPECT_TRUE(order.classes().empty());
}

}  // namespace
}  // namespace tilewright::schedule
