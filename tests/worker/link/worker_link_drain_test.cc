// A worker that was told to leave: what it still does, what it hands back, when it is gone.

#include <gmock/gmock.h>

#include "tests/worker/link/link_fixture.h"
#include "tests/worker/link/tiles.h"

namespace tilewright {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

class WorkerLinkDrainTest : public WorkerLinkTest {
 protected:
  // The link computes tile 1 of lease 1, which has 2 as well; lease 2 waits with 3.
  void ComputeOne(absl::Duration drain_timeout = absl::Minutes(2)) {
    executor_.SetOpen(false);
    StartLink("", /*stop_timeout=*/absl::Milliseconds(50), drain_timeout);
    AwaitSession();
    coordinator_.Grant(Lease(1, {1, 2}));
    coordinator_.Grant(Lease(2, {3}));
    SendInput(1, 1);
    SendInput(1, 2);
    SendInput(2, 3);
    ASSERT_TRUE(coordinator_.Await([&] { return executor_.entered == 1; }));
  }
  // The next sync that offers no credit, after `seen` leases.
  v1::WorkerSync AwaitFarewell(uint64_t seen) {
    v1::WorkerSync farewell;
    EXPECT_TRUE(coordinator_.Await([&] {
      for (const v1::WorkerEvent& event : coordinator_.Events(v1::WorkerEvent::kSync)) {
        farewell = event.sync();
        if (farewell.credits().tiles() == 0 && farewell.seen_grant_sequence() == seen) return true;
      }
      return false;
    })) << "no sync without credit";
    return farewell;
  }
  ::testing::AssertionResult AwaitEnd() {
    return coordinator_.Await([&] { return ended_.load(); }) ? ::testing::AssertionSuccess()
                                                             : ::testing::AssertionFailure();
  }
};

INSTANTIATE_TEST_SUITE_P(Transports, WorkerLinkDrainTest, testing::ValuesIn(kLinkTransports),
                         NameOf);

TEST_P(WorkerLinkDrainTest, TheRunningBatchIsDeliveredAndTheRestHandedBackAtOnce) {
  ComputeOne();
  link_->Drain();
  const v1::WorkerSync farewell = AwaitFarewell(/*seen=*/2);
  ASSERT_THAT(farewell.held(), SizeIs(1));
  EXPECT_EQ(farewell.held(0).lease().sequence(), 1u);
  EXPECT_THAT(farewell.held(0).open_tiles(), ElementsAre(1u));

  coordinator_.Grant(Lease(3, {4}));  // crossed the farewell
  EXPECT_THAT(AwaitFarewell(/*seen=*/3).held(), SizeIs(1)) << "not held";
  EXPECT_FALSE(ended_) << "the batch still runs";
  executor_.SetOpen(true);
  EXPECT_TRUE(AwaitEnd());
  const auto results = coordinator_.Results();
  ASSERT_THAT(results, SizeIs(1));
  EXPECT_EQ(results[0].header.tile().index(), 1u);
  EXPECT_FALSE(link_->computing());
  EXPECT_TRUE(StopLink().ok());
}

TEST_P(WorkerLinkDrainTest, BatchesInFlightAreDeliveredAndTheRestHandedBack) {
  executor_.overlaps = true;
  executor_.SetOpen(false);
  StartLink("", /*stop_timeout=*/absl::Seconds(2), /*drain_timeout=*/absl::Minutes(2));
  AwaitSession();
  coordinator_.Grant(Lease(1, {1, 2, 3}));
  for (const uint64_t index : {1, 2, 3}) SendInput(1, index);
  ASSERT_TRUE(coordinator_.Await([&] { return executor_.begun == 2 && executor_.entered == 1; }));
  link_->Drain();
  const v1::WorkerSync farewell = AwaitFarewell(/*seen=*/1);
  ASSERT_THAT(farewell.held(), SizeIs(1));
  EXPECT_THAT(farewell.held(0).open_tiles(), ElementsAre(1u, 2u));
  executor_.SetOpen(true);
  EXPECT_TRUE(AwaitEnd());
  EXPECT_THAT(coordinator_.Results(), SizeIs(2));
  EXPECT_EQ(executor_.begun, 2);
  EXPECT_FALSE(link_->computing());
}

TEST_P(WorkerLinkDrainTest, AResultIsSubmittedUntilItsVerdict) {
  ComputeOne();
  link_->Drain();
  AwaitFarewell(/*seen=*/2);
  coordinator_.BreakResults();
  executor_.SetOpen(true);
  EXPECT_TRUE(coordinator_.Await([&] {
    const auto results = coordinator_.Results();
    return !results.empty() && results.back().stream == 2;
  })) << "the first stream broke before it was answered";
  EXPECT_TRUE(AwaitEnd());
}

TEST_P(WorkerLinkDrainTest, AnIdleWorkerLeavesAtOnce) {
  StartLink("", absl::Seconds(2), /*drain_timeout=*/absl::Hours(1));
  AwaitSession();
  link_->Drain();
  EXPECT_TRUE(AwaitEnd());
  EXPECT_TRUE(StopLink().ok());
}

TEST_P(WorkerLinkDrainTest, ABatchThatDoesNotEndIsLeftBehindWhenTheTimeIsOver) {
  ComputeOne(/*drain_timeout=*/absl::Milliseconds(100));
  link_->Drain();
  EXPECT_TRUE(AwaitEnd());
  EXPECT_TRUE(link_->computing());
  executor_.SetOpen(true);
  EXPECT_TRUE(StopLink().ok());
}

TEST_P(WorkerLinkDrainTest, StopEndsADrain) {
  ComputeOne();
  link_->Drain();
  AwaitFarewell(/*seen=*/2);
  EXPECT_FALSE(ended_);
  link_->Stop();
  EXPECT_TRUE(AwaitEnd());
  EXPECT_TRUE(link_->computing());
  executor_.SetOpen(true);
}

}  // namespace
}  // namespace tilewright
