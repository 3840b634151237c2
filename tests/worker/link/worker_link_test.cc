// The link at work: from a grant to a verdict, failures, take-backs, canaries.

#include "worker/link/worker_link.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "proto/wire/checksum.h"
#include "tests/worker/link/link_fixture.h"
#include "tests/worker/link/tiles.h"

namespace tilewright {
namespace {

using testing::ElementsAre;

TEST_P(WorkerLinkTest, ServesALeaseFromHelloToVerdict) {
  StartLink();
  AwaitSession();
  const v1::Hello hello = AwaitEvent(v1::WorkerEvent::kHello).hello();
  EXPECT_EQ(hello.protocol().major(), 1u);
  EXPECT_EQ(hello.worker(), "left");
  EXPECT_EQ(hello.incarnation(), "first");
  EXPECT_EQ(hello.credits().tiles(), 2048u);
  EXPECT_FALSE(hello.host_id().empty());

  coordinator_.Grant(Lease(1, {5, 6}));
  SendInput(1, 5);
  SendInput(1, 6);
  ASSERT_TRUE(AwaitResults(2));
  const FakeCoordinator::Result result = coordinator_.Results()[0];
  EXPECT_EQ(result.header.tile().job(), "jobs/test");
  EXPECT_EQ(result.header.tile().index(), 5u);
  EXPECT_EQ(result.header.lease().sequence(), 1u);
  EXPECT_EQ(result.header.worker(), "left");
  EXPECT_EQ(result.header.incarnation(), "first");
  EXPECT_EQ(result.header.plan_digest(), "0123456789abcdef");
  EXPECT_EQ(result.header.model_digest(), digest_);
  EXPECT_EQ(result.header.numeric_class(), "");
  ASSERT_EQ(result.header.tensors_size(), 1);
  EXPECT_EQ(result.header.tensors(0).name(), "out");
  EXPECT_EQ(result.header.tensors(0).rect().x(), 50);
  EXPECT_EQ(result.header.tensors(0).inline_().bytes(), kTestTileBytes);
  EXPECT_EQ(result.payload, Inverted(5));
  EXPECT_EQ(result.header.checksum(),
            Checksum(absl::MakeConstSpan(reinterpret_cast<const std::byte*>(result.payload.data()),
                                         result.payload.size())));
  EXPECT_TRUE(AwaitIdle()) << "verdicts free the copies";

  std::vector<v1::WorkerEvent::EventCase> order;
  for (const v1::WorkerEvent& event : coordinator_.Events()) {
    const auto kind = event.event_case();
    if (kind == v1::WorkerEvent::kHeartbeat || kind == v1::WorkerEvent::kSync) continue;
    if (order.empty() || order.back() != kind) order.push_back(kind);
  }
  EXPECT_THAT(order, ElementsAre(v1::WorkerEvent::kHello, v1::WorkerEvent::kPreparing,
                                 v1::WorkerEvent::kStarted));
  const auto preparing = coordinator_.Events(v1::WorkerEvent::kPreparing);
  for (size_t i = 1; i < preparing.size(); ++i) {
    EXPECT_GT(preparing[i].preparing().progress(), preparing[i - 1].preparing().progress());
  }
  EXPECT_TRUE(StopLink().ok());
}

TEST_P(WorkerLinkTest, FailuresCarryTheirCause) {
  executor_.failures[5] = EngineError(v1::FAILURE_CAUSE_OUT_OF_MEMORY, "too big", 1234);
  StartLink();
  AwaitSession();
  coordinator_.Grant(Lease(1, {5, 6}));
  SendInput(1, 5);
  SendInput(1, 6);
  const v1::TileFailed failed = AwaitEvent(v1::WorkerEvent::kFailed).failed();
  EXPECT_EQ(failed.index(), 5u);
  EXPECT_EQ(failed.cause(), v1::FAILURE_CAUSE_OUT_OF_MEMORY);
  EXPECT_EQ(failed.text(), "too big");
  EXPECT_EQ(failed.peak_bytes(), 1234u);
  EXPECT_EQ(failed.batch(), 1u);
  ASSERT_TRUE(AwaitResults(1)) << "the other tile goes on";
  EXPECT_EQ(coordinator_.Results()[0].header.tile().index(), 6u);
  EXPECT_TRUE(AwaitIdle());
}

TEST_P(WorkerLinkTest, AResultThatTookItsTimeDoesNotWaitForTheNext) {
  absl::Notification first_came;
  executor_.visit = [&](uint64_t tile) {
    if (tile == 5) absl::SleepFor(absl::Milliseconds(5));
    if (tile == 6) first_came.WaitForNotification();
  };
  StartLink();
  AwaitSession();
  coordinator_.Grant(Lease(1, {5, 6}));
  SendInput(1, 5);
  SendInput(1, 6);
  EXPECT_TRUE(AwaitResults(1)) << "while the other is computed";
  first_came.Notify();
  EXPECT_TRUE(AwaitResults(2));
}

TEST_P(WorkerLinkTest, TilesThatFailHoldNoSharedMemory) {
  std::vector<uint64_t> tiles;
  for (uint64_t tile = 0; tile < 2 * kSlotsMax; ++tile) {
    tiles.push_back(tile);
    executor_.failures[tile] = EngineError(v1::FAILURE_CAUSE_BAD_RESULT, "not finite");
  }
  tiles.push_back(99);
  StartLink();
  AwaitSession();
  coordinator_.Grant(Lease(1, tiles));
  for (const uint64_t tile : tiles) SendInput(1, tile);
  ASSERT_TRUE(AwaitResults(1));
  EXPECT_EQ(coordinator_.Results()[0].payload, Inverted(99));  // TearDown looks at how it came
  EXPECT_TRUE(coordinator_.Await(
      [&] { return coordinator_.Events(v1::WorkerEvent::kFailed).size() == tiles.size() - 1; }));
}

TEST_P(WorkerLinkTest, ALostDeviceEndsTheWorkerAfterItWasReported) {
  executor_.failures[5] = EngineError(v1::FAILURE_CAUSE_DEVICE_LOST, "error 719");
  StartLink();
  AwaitSession();
  coordinator_.Grant(Lease(1, {5}));
  SendInput(1, 5);
  EXPECT_EQ(AwaitEvent(v1::WorkerEvent::kFailed).failed().cause(), v1::FAILURE_CAUSE_DEVICE_LOST);
  ASSERT_TRUE(coordinator_.Await([&] { return ended_.load(); }));
  const absl::Status ended = StopLink();
  EXPECT_EQ(ended.message(), "the device is lost: error 719");
  EXPECT_EQ(CauseOf(ended), v1::FAILURE_CAUSE_DEVICE_LOST);
}

TEST_P(WorkerLinkTest, ADamagedInputIsRefused) {
  StartLink();
  AwaitSession();
  coordinator_.Grant(Lease(1, {5}));
  coordinator_.SendInput(TestInputHeader({1, 1}, 5), std::string(kTestTileBytes, '!'));
  const v1::TileFailed failed = AwaitEvent(v1::WorkerEvent::kFailed).failed();
  EXPECT_EQ(failed.cause(), v1::FAILURE_CAUSE_REFUSED);
  EXPECT_EQ(failed.text(), "the input of tile 5 was damaged on the way: wrong checksum");
}

TEST_P(WorkerLinkTest, TakenBackTilesAreNotComputed) {
  executor_.SetOpen(false);
  StartLink();
  AwaitSession();
  coordinator_.Grant(Lease(1, {1}));
  coordinator_.Grant(Lease(2, {2, 3}));
  SendInput(1, 1);
  SendInput(2, 2);
  SendInput(2, 3);
  ASSERT_TRUE(coordinator_.Await([&] { return executor_.entered == 1; }));
  coordinator_.TakeBack(Lease(2, {}).id(), {2});
  EXPECT_EQ(AwaitEvent(v1::WorkerEvent::kDropped).dropped().lease().sequence(), 2u);
  coordinator_.TakeBack(Lease(1, {}).id(), {});
  // A sync asked for later is answered later: so the take-back of the running tile is not answered.
  AskSync();
  EXPECT_EQ(coordinator_.Events(v1::WorkerEvent::kDropped).size(), 1u);
  executor_.SetOpen(true);
  ASSERT_TRUE(AwaitResults(1));
  EXPECT_TRUE(AwaitIdle());
  EXPECT_EQ(coordinator_.Events(v1::WorkerEvent::kDropped).size(), 2u);
  EXPECT_EQ(coordinator_.Results().size(), 1u);
  EXPECT_EQ(coordinator_.Results()[0].header.tile().index(), 3u);
}

TEST_P(WorkerLinkTest, ATileTakenBackInFlightIsDroppedWhenItLands) {
  executor_.overlaps = true;
  executor_.SetOpen(false);
  StartLink();
  AwaitSession();
  coordinator_.Grant(Lease(1, {1, 2}));
  SendInput(1, 1);
  SendInput(1, 2);
  ASSERT_TRUE(coordinator_.Await([&] { return executor_.begun == 2; }));
  coordinator_.TakeBack(Lease(1, {}).id(), {2});
  AskSync();
  EXPECT_EQ(coordinator_.Events(v1::WorkerEvent::kDropped).size(), 0u);
  executor_.SetOpen(true);
  EXPECT_EQ(AwaitEvent(v1::WorkerEvent::kDropped).dropped().lease().sequence(), 1u);
  ASSERT_TRUE(AwaitResults(1));
  EXPECT_TRUE(AwaitIdle());
  ASSERT_EQ(coordinator_.Results().size(), 1u);
  EXPECT_EQ(coordinator_.Results()[0].header.tile().index(), 1u);
}

TEST_P(WorkerLinkTest, ACanaryIsAnsweredAndItsDigestIsTheClass) {
  StartLink();
  AwaitSession();
  v1::CoordinatorEvent event;
  event.mutable_canary()->set_canary(9);
  event.mutable_canary()->set_seed(42);
  *event.mutable_canary()->mutable_stage() = TestStage(1, digest_);
  coordinator_.Send(event);
  const v1::CanaryResult result = AwaitEvent(v1::WorkerEvent::kCanary).canary();
  EXPECT_EQ(result.canary(), 9u);
  EXPECT_EQ(result.digest(), "digest42");
  EXPECT_EQ(result.seconds(), 0.25);
  EXPECT_EQ(result.excerpt(), std::string("\0\0\0\x3f\0\0\0\xc0", 8)) << "0.5 and -2";
  coordinator_.Grant(Lease(1, {5}));
  SendInput(1, 5);
  ASSERT_TRUE(AwaitResults(1));
  EXPECT_EQ(coordinator_.Results()[0].header.numeric_class(), "digest42");

  event.mutable_canary()->set_canary(10);
  event.mutable_canary()->set_seed(13);
  coordinator_.Send(event);
  ASSERT_TRUE(coordinator_.Await(
      [&] { return coordinator_.Events(v1::WorkerEvent::kCanary).size() == 2; }));
  const v1::CanaryResult failed = coordinator_.Events(v1::WorkerEvent::kCanary)[1].canary();
  EXPECT_EQ(failed.digest(), "");
  EXPECT_EQ(failed.excerpt(), "");
  EXPECT_EQ(failed.cause(), v1::FAILURE_CAUSE_OUT_OF_MEMORY);
  EXPECT_EQ(failed.text(), "no memory");
}

TEST_P(WorkerLinkTest, TheHeartBeatsWhileTheDeviceComputes) {
  executor_.SetOpen(false);
  StartLink();
  AwaitSession();
  coordinator_.Grant(Lease(1, {5}));
  SendInput(1, 5);
  ASSERT_TRUE(coordinator_.Await([&] { return executor_.entered == 1; }));
  const size_t before = coordinator_.Events(v1::WorkerEvent::kHeartbeat).size();
  EXPECT_TRUE(coordinator_.Await(
      [&] { return coordinator_.Events(v1::WorkerEvent::kHeartbeat).size() >= before + 5; }));
}

TEST_P(WorkerLinkTest, WhatIsMeasuredWhileItWorksIsToldOnceAndInTheNextHello) {
  StartLink();
  AwaitSession();
  measurements_.AddMemory("digest", "fp32", {1000, 3});
  const v1::Capabilities told = AwaitEvent(v1::WorkerEvent::kMeasured).measured();
  ASSERT_EQ(told.memory_models_size(), 1);
  EXPECT_EQ(told.memory_models(0).model_digest(), "digest");
  EXPECT_EQ(told.memory_models(0).bytes_per_pixel(), 3);
  const size_t beats = coordinator_.Events(v1::WorkerEvent::kHeartbeat).size();
  ASSERT_TRUE(coordinator_.Await(
      [&] { return coordinator_.Events(v1::WorkerEvent::kHeartbeat).size() >= beats + 3; }));
  EXPECT_EQ(coordinator_.Events(v1::WorkerEvent::kMeasured).size(), 1u);
  coordinator_.BreakControl(grpc::Status(grpc::StatusCode::UNAVAILABLE, "gone"));
  AwaitSession(2);
  const auto hellos = coordinator_.Events(v1::WorkerEvent::kHello);
  ASSERT_EQ(hellos.size(), 2u);
  EXPECT_EQ(hellos[0].hello().capabilities().memory_models_size(), 0);
  EXPECT_EQ(hellos[1].hello().capabilities().memory_models_size(), 1);
}

TEST_P(WorkerLinkTest, ManyTilesFlowInOrderOfTheirLeases) {
  StartLink();
  AwaitSession();
  constexpr uint64_t kTiles = 500;
  std::vector<uint64_t> tiles;
  for (uint64_t i = 0; i < kTiles; ++i) tiles.push_back(i);
  coordinator_.Grant(Lease(1, tiles));
  for (uint64_t i = 0; i < kTiles; ++i) SendInput(1, i);
  ASSERT_TRUE(AwaitResults(kTiles));
  const auto results = coordinator_.Results();
  for (uint64_t i = 0; i < kTiles; ++i) {
    ASSERT_EQ(results[i].header.tile().index(), i);
    ASSERT_EQ(results[i].payload, Inverted(i));
  }
  EXPECT_TRUE(AwaitIdle());
  EXPECT_EQ(coordinator_.Events(v1::WorkerEvent::kStarted).size(), 1u);
}

TEST_P(WorkerLinkTest, TheFaultForTestsDamagesExactlyTheResultAskedFor) {
  StartLink("corrupt-checksum:2");
  AwaitSession();
  coordinator_.Grant(Lease(1, {1, 2, 3}));
  for (uint64_t i = 1; i <= 3; ++i) SendInput(1, i);
  ASSERT_TRUE(AwaitResults(3));
  const auto results = coordinator_.Results();
  for (const auto& result : results) {
    const uint64_t tile = result.header.tile().index();
    const std::string payload = Inverted(tile);
    EXPECT_EQ(result.payload, payload);
    const uint64_t checksum = Checksum(
        absl::MakeConstSpan(reinterpret_cast<const std::byte*>(payload.data()), payload.size()));
    EXPECT_EQ(result.header.checksum() == checksum, tile != 2) << tile;
  }
}

}  // namespace
}  // namespace tilewright
