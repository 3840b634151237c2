// The link over broken streams, restarted coordinators and refusals.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/worker/link/link_fixture.h"

namespace tilewright {
namespace {

using testing::ElementsAre;

TEST_P(WorkerLinkTest, ComesBackWithWhatRunsAndDeliversIt) {
  executor_.SetOpen(false);
  StartLink();
  AwaitSession();
  coordinator_.Grant(Lease(1, {5}));
  coordinator_.Grant(Lease(2, {6}));
  SendInput(1, 5);
  ASSERT_TRUE(coordinator_.Await([&] { return executor_.entered == 1; }));
  coordinator_.BreakControl(grpc::Status(grpc::StatusCode::UNAVAILABLE, "the test broke it"));
  ASSERT_TRUE(coordinator_.Await([&] {
    return coordinator_.hellos() == 2 && coordinator_.Events(v1::WorkerEvent::kSync).size() == 2;
  }));
  EXPECT_EQ(coordinator_.Events(v1::WorkerEvent::kHello)[1].hello().incarnation(), "first");
  EXPECT_EQ(coordinator_.Events(v1::WorkerEvent::kHello)[1].hello().epoch_seen(), 1u);
  const v1::WorkerSync sync = coordinator_.Events(v1::WorkerEvent::kSync)[1].sync();
  EXPECT_EQ(sync.seen_grant_sequence(), 2u);
  ASSERT_EQ(sync.held_size(), 1) << "what had not started is given up";
  EXPECT_EQ(sync.held(0).state(), v1::HeldLease::STATE_RUNNING);
  EXPECT_THAT(sync.held(0).open_tiles(), ElementsAre(5));
  executor_.SetOpen(true);
  ASSERT_TRUE(AwaitResults(1));
  EXPECT_EQ(coordinator_.Results()[0].payload, Inverted(5));
  EXPECT_TRUE(AwaitIdle());
}

TEST_P(WorkerLinkTest, AnUnansweredResultIsSubmittedAgain) {
  StartLink();
  AwaitSession();
  coordinator_.BreakResults();
  coordinator_.Grant(Lease(1, {5}));
  SendInput(1, 5);
  ASSERT_TRUE(AwaitResults(2));
  const auto results = coordinator_.Results();
  EXPECT_EQ(results[0].stream, 1);
  EXPECT_EQ(results[1].stream, 2);
  EXPECT_EQ(results[1].payload, Inverted(5));
  EXPECT_EQ(results[1].header.SerializeAsString(), results[0].header.SerializeAsString());
  EXPECT_TRUE(AwaitIdle());
  EXPECT_EQ(coordinator_.hellos(), 1) << "the control stream was not touched";
}

TEST_P(WorkerLinkTest, OffersItsResultsToTheNextCoordinator) {
  coordinator_.SetEpoch(3);
  coordinator_.SetJudge([](const FakeCoordinator::Result&) { return std::nullopt; });
  StartLink();
  AwaitSession();
  coordinator_.Grant(Lease(1, {5, 6}, 3));
  SendInput(1, 5, 3);
  SendInput(1, 6, 3);
  ASSERT_TRUE(AwaitResults(2)) << "computed, and never answered";
  coordinator_.SetEpoch(4);
  coordinator_.BreakControl(grpc::Status(grpc::StatusCode::UNAVAILABLE, "it fell"));
  AwaitSession(2);
  const v1::WorkerSync sync = coordinator_.Events(v1::WorkerEvent::kSync)[1].sync();
  EXPECT_EQ(sync.seen_grant_sequence(), 0u);
  ASSERT_EQ(sync.held_size(), 1);
  const v1::HeldLease& held = sync.held(0);
  EXPECT_EQ(held.lease().epoch(), 3u);
  EXPECT_EQ(held.state(), v1::HeldLease::STATE_FINISHED);
  EXPECT_EQ(held.job(), "jobs/test");
  EXPECT_EQ(held.generation(), 1u);
  EXPECT_THAT(held.open_tiles(), ElementsAre(5, 6));
  ASSERT_EQ(held.results_size(), 2);
  EXPECT_EQ(held.results(1).index(), 6u);
  EXPECT_EQ(held.results(1).checksum(), coordinator_.Results()[1].header.checksum());

  // The stream of results breaks at its next message, that of a lease of the new epoch; on a fresh
  // one all three come.
  coordinator_.SetJudge(nullptr);
  coordinator_.BreakResults();
  coordinator_.Grant(Lease(1, {7}, 4));
  SendInput(1, 7, 4);
  ASSERT_TRUE(AwaitResults(6));
  std::vector<std::pair<uint64_t, uint64_t>> fresh;  // epoch and tile
  for (const FakeCoordinator::Result& result : coordinator_.Results()) {
    if (result.stream == 1) continue;
    fresh.emplace_back(result.header.lease().epoch(), result.header.tile().index());
  }
  EXPECT_THAT(fresh, ElementsAre(std::pair(3, 5), std::pair(3, 6), std::pair(4, 7)));
  EXPECT_TRUE(AwaitIdle());
}

TEST_P(WorkerLinkTest, DuplicatesAndRefusalsFreeTheCopyToo) {
  coordinator_.SetJudge([](const FakeCoordinator::Result& result) {
    return result.header.tile().index() == 5 ? v1::TileVerdict::VERDICT_DUPLICATE
                                             : v1::TileVerdict::VERDICT_REFUSED;
  });
  StartLink();
  AwaitSession();
  coordinator_.Grant(Lease(1, {5, 6}));
  SendInput(1, 5);
  SendInput(1, 6);
  ASSERT_TRUE(AwaitResults(2));
  EXPECT_TRUE(AwaitIdle());
}

TEST_P(WorkerLinkTest, AnOlderCoordinatorIsNotServed) {
  coordinator_.SetEpoch(7);
  StartLink();
  AwaitSession();
  coordinator_.SetEpoch(6);
  coordinator_.BreakControl(grpc::Status(grpc::StatusCode::UNAVAILABLE, "the test broke it"));
  ASSERT_TRUE(coordinator_.Await([&] { return coordinator_.hellos() >= 3; })) << "it tries again";
  EXPECT_EQ(coordinator_.Events(v1::WorkerEvent::kSync).size(), 1u);
  coordinator_.SetEpoch(8);
  ASSERT_TRUE(coordinator_.Await([&] {
    return coordinator_.Events(v1::WorkerEvent::kSync).size() == 2;
  })) << "a newer one is served";
}

TEST_P(WorkerLinkTest, ARefusalIsFinal) {
  coordinator_.RefuseHellos(
      grpc::Status(grpc::StatusCode::FAILED_PRECONDITION, "worker speaks 1.0, coordinator 2.0"));
  StartLink();
  ASSERT_TRUE(coordinator_.Await([&] { return ended_.load(); }));
  const absl::Status status = StopLink();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(status.message(), absl::StrCat("coordinator ", coordinator_.address(),
                                           " does not take this worker: worker speaks 1.0, "
                                           "coordinator 2.0"));
  EXPECT_EQ(coordinator_.hellos(), 1);
}

TEST_P(WorkerLinkTest, AProcessWhoseNameWasTakenOverEnds) {
  StartLink();
  AwaitSession();
  coordinator_.BreakControl(grpc::Status(grpc::StatusCode::ABORTED, "another took over"));
  ASSERT_TRUE(coordinator_.Await([&] { return ended_.load(); }));
  EXPECT_EQ(StopLink().code(), absl::StatusCode::kAborted);
}

TEST_P(WorkerLinkTest, StopDeliversWhatComesOutInTimeAndLeavesTheRest) {
  executor_.SetOpen(false);
  StartLink("", absl::Milliseconds(300));
  AwaitSession();
  coordinator_.Grant(Lease(1, {5}));
  SendInput(1, 5);
  ASSERT_TRUE(coordinator_.Await([&] { return executor_.entered == 1; }));
  link_->Stop();
  ASSERT_TRUE(coordinator_.Await([&] { return ended_.load(); }));
  EXPECT_TRUE(link_->computing()) << "its batch has not come out";
  executor_.SetOpen(true);
  EXPECT_TRUE(StopLink().ok());

  executor_.SetOpen(false);
  coordinator_.SetEpoch(2);
  ended_ = false;
  StartLink();
  AwaitSession(2);
  coordinator_.Grant(Lease(1, {6}, 2));
  SendInput(1, 6, 2);
  ASSERT_TRUE(coordinator_.Await([&] { return executor_.entered == 2; }));
  link_->Stop();
  executor_.SetOpen(true);
  EXPECT_TRUE(StopLink().ok());
  ASSERT_EQ(coordinator_.Results().size(), 1u);
  EXPECT_EQ(coordinator_.Results()[0].header.tile().index(), 6u);
}

}  // namespace
}  // namespace tilewright
