// The dispatcher and the streams of workers: hellos, what closes and comes back, what is sent
// again.

#include <memory>
#include <vector>

#include "gtest/gtest.h"
#include "proto/wire/status_details.h"
#include "tests/coordinator/service/dispatcher_fixture.h"

namespace tilewright {
namespace {

TEST_F(DispatcherTest, TheHelloIsAnsweredBeforeAnythingElse) {
  Make();
  Submit(10);
  const auto control = Join(HelloOf("w"));
  const auto events = control->events();
  ASSERT_GE(events.size(), 2u);
  ASSERT_TRUE(events[0].has_hello());
  EXPECT_EQ(events[0].hello().epoch(), 7u);
  EXPECT_EQ(events[0].hello().heartbeat_ms(), 2000u);
  EXPECT_EQ(events[0].hello().liveness_ms(), 8000u);
  EXPECT_TRUE(events[1].has_grant());
}

TEST_F(DispatcherTest, WhatAWorkerMeasuresWhileItWorksIsShown) {
  Make();
  v1::Hello hello = HelloOf("w");
  hello.mutable_capabilities()->add_engine_offers()->set_name("builtin");
  const auto control = Join(hello);
  const auto say = [&](const v1::WorkerEvent& event) {
    v1::ControlRequest request;
    *request.add_events() = event;
    dispatcher_->Heard("w", control.get(), request);
    return dispatcher_->ListWorkers().at(0).capabilities();
  };
  v1::WorkerEvent beat;
  beat.mutable_heartbeat()->set_memory_free_bytes(300);
  EXPECT_EQ(say(beat).memory_free_bytes(), 300u);
  beat.mutable_heartbeat()->set_memory_free_bytes(0);
  EXPECT_EQ(say(beat).memory_free_bytes(), 300u) << "0 is not known";

  v1::WorkerEvent measured;
  v1::Capabilities* now = measured.mutable_measured();
  now->set_memory_free_bytes(200);
  now->set_probe_flops(3e9);
  now->set_environment_key("another");
  now->add_engines("another");
  now->add_engine_offers()->set_name("builtin");
  now->mutable_engine_offers(0)->set_reference_seconds_per_mpx(1.5);
  for (int i = 0; i < 70; ++i) now->add_memory_models()->set_base_bytes(i);
  const v1::Capabilities shown = say(measured);
  EXPECT_EQ(shown.memory_free_bytes(), 200u);
  EXPECT_EQ(shown.probe_flops(), 3e9);
  EXPECT_EQ(shown.engine_offers(0).reference_seconds_per_mpx(), 1.5);
  EXPECT_EQ(shown.memory_models_size(), 64);
  EXPECT_EQ(shown.environment_key(), "fake") << "what decides bits stays as in the hello";
  EXPECT_EQ(shown.engines_size(), 1);
}

TEST_F(DispatcherTest, AnotherProtocolMajorIsRefusedNamingBoth) {
  Make();
  v1::Hello hello = HelloOf("w");
  hello.mutable_protocol()->set_major(9);
  const absl::Status status = dispatcher_->Hello(hello, std::make_shared<FakeControl>());
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(status.message(),
            "worker 'w' speaks protocol 9.0 and this coordinator 1.0: install the same version of "
            "Tilewright on both machines");
  EXPECT_EQ(ReasonOf(status), "PROTOCOL_MISMATCH");
  EXPECT_TRUE(dispatcher_->ListWorkers().empty());
}

TEST_F(DispatcherTest, ADataStreamOfAStrangerIsRefused) {
  Make();
  Join(HelloOf("w", "one"));
  EXPECT_TRUE(dispatcher_->CheckWorker("w", "one").ok());
  EXPECT_EQ(ReasonOf(dispatcher_->CheckWorker("w", "two")), "UNKNOWN_WORKER");
  EXPECT_EQ(ReasonOf(dispatcher_->CheckWorker("v", "one")), "UNKNOWN_WORKER");
}

TEST_F(DispatcherTest, AClosedStreamGivesTheTilesToOthers) {
  Make();
  const auto first = Join(HelloOf("a"));
  const auto job = Submit(10);
  ASSERT_FALSE(first->grants().empty());
  dispatcher_->ControlClosed("a", first.get());
  EXPECT_TRUE(job->HasNotice("worker_gone"));
  const auto second = Join(HelloOf("b"));
  const auto inputs = Attach("b");
  ComputeAll("b", *second);
  ASSERT_TRUE(job->AwaitEnded());
  EXPECT_TRUE(job->ended().ok()) << job->ended();
  EXPECT_EQ(job->last().tiles_by_worker.at("b"), 10);
}

TEST_F(DispatcherTest, AnEarlierStreamOfAWorkerSaysNothingMore) {
  Make();
  const auto first = Join(HelloOf("w"));
  const auto second = Join(HelloOf("w"));
  ASSERT_TRUE(first->closed().has_value()) << "one connection per name";
  dispatcher_->ControlClosed("w", first.get());
  EXPECT_EQ(dispatcher_->ListWorkers().size(), 1u) << "the second stream is the worker's";
  dispatcher_->ControlClosed("w", second.get());
  EXPECT_TRUE(dispatcher_->ListWorkers().empty());
}

TEST_F(DispatcherTest, SilenceEndsTheStream) {
  Make();
  const auto control = Join(HelloOf("w"));
  clock_.Advance(absl::Seconds(8) - absl::Nanoseconds(1));
  dispatcher_->Tick();
  EXPECT_FALSE(control->closed().has_value());
  clock_.Advance(absl::Nanoseconds(1));
  dispatcher_->Tick();
  ASSERT_TRUE(control->closed().has_value());
  EXPECT_EQ(control->closed()->message(), "nothing was heard from w for 8s: say hello again");
}

TEST_F(DispatcherTest, ABrokenInputStreamGetsWhatIsStillOpenAgain) {
  Make();
  const auto control = Join(HelloOf("w"));
  const auto first = Attach("w");
  Submit(10);
  const v1::Lease lease = control->grants().at(0);
  ASSERT_TRUE(first->AwaitSent(static_cast<size_t>(lease.tiles_size())));
  dispatcher_->DetachInputs("w", first.get());
  const auto second = Attach("w");
  ASSERT_TRUE(second->AwaitSent(static_cast<size_t>(lease.tiles_size())));
  EXPECT_EQ(second->sent(), std::vector<int64_t>(lease.tiles().begin(), lease.tiles().end()));
}

TEST_F(DispatcherTest, AfterAPartialTakeBackTheRestIsSentAgainOnAFreshStream) {
  Make();
  const auto slow = Join(HelloOf("slow", "one", 64));
  const auto first = Attach("slow");
  Submit(200);
  // A lease of several tiles, as soon as the first was measured.
  const v1::Lease single = slow->grants().at(0);
  SayStarted("slow", *slow, single);
  clock_.Advance(absl::Milliseconds(10));
  Result(ResultOf(single, single.tiles(0), "slow"));
  const v1::Lease lease = slow->grants().at(1);
  ASSERT_GE(lease.tiles_size(), 3);
  // Its stream closes and comes back; meanwhile another worker does one of its tiles.
  SayStarted("slow", *slow, lease);
  dispatcher_->ControlClosed("slow", slow.get());
  const auto fast = Join(HelloOf("fast"));
  ASSERT_FALSE(fast->grants().empty());
  const v1::Lease copy = fast->grants().at(0);
  ASSERT_EQ(copy.tiles(0), lease.tiles(0)) << "returned tiles come first";
  const auto again = Join(HelloOf("slow", "one", 64));
  v1::ControlRequest request;
  v1::WorkerSync* sync = request.add_events()->mutable_sync();
  sync->set_seen_grant_sequence(slow->grants().back().id().sequence());
  v1::HeldLease* held = sync->add_held();
  *held->mutable_lease() = lease.id();
  held->set_state(v1::HeldLease::STATE_RUNNING);
  for (const uint64_t tile : lease.tiles()) held->add_open_tiles(tile);
  sync->mutable_credits()->set_tiles(64);
  dispatcher_->Heard("slow", again.get(), request);
  Result(ResultOf(copy, copy.tiles(0), "fast"));
  const auto taken_back = [&] {
    for (const v1::CoordinatorEvent& event : again->events()) {
      if (event.has_take_back() && event.take_back().tiles_size() > 0) return event.take_back();
    }
    return v1::TakeBack();
  }();
  ASSERT_EQ(taken_back.tiles_size(), 1);
  request.Clear();
  *request.add_events()->mutable_dropped()->mutable_lease() = lease.id();
  dispatcher_->Heard("slow", again.get(), request);

  dispatcher_->DetachInputs("slow", first.get());
  const auto second = Attach("slow");
  const std::vector<int64_t> rest(lease.tiles().begin() + 1, lease.tiles().end());
  ASSERT_TRUE(second->AwaitSent(rest.size()));
  const std::vector<int64_t> sent = second->sent();
  EXPECT_EQ(std::vector<int64_t>(sent.begin(), sent.begin() + static_cast<long>(rest.size())),
            rest);
}

}  // namespace
}  // namespace tilewright
