// The shell around the scheduler, with fakes for clock, streams and jobs: what reaches whom, and in
// which order.

#include "coordinator/service/dispatcher.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/wire/status_details.h"
#include "tests/coordinator/service/fakes.h"

namespace tilewright {
namespace {

class DispatcherTest : public testing::Test {
 protected:
  void Make(DispatcherOptions options = {}) {
    options.epoch = 7;
    options.keep_time = false;
    auto store = std::make_unique<FakeStore>();
    store_ = store.get();
    dispatcher_ = std::make_unique<Dispatcher>(options, clock_, std::move(store));
  }

  std::shared_ptr<FakeControl> Join(const v1::Hello& hello) {
    auto control = std::make_shared<FakeControl>();
    const absl::Status status = dispatcher_->Hello(hello, control);
    EXPECT_TRUE(status.ok()) << status;
    return control;
  }
  std::shared_ptr<FakeInputs> Attach(const std::string& worker) {
    auto inputs = std::make_shared<FakeInputs>();
    const auto feed = dispatcher_->AttachInputs(worker, "one", inputs);
    EXPECT_TRUE(feed.ok()) << feed.status();
    if (feed.ok()) feed_ = *feed;
    return inputs;
  }
  std::shared_ptr<FakeJob> Submit(int64_t tiles, size_t tile_bytes = 100) {
    auto job = std::make_shared<FakeJob>("jobs/a", tiles, tile_bytes);
    const absl::Status status = dispatcher_->Submit(job->spec(), job);
    EXPECT_TRUE(status.ok()) << status;
    return job;
  }
  v1::TileVerdict Result(IncomingTile tile) {
    const std::string worker = tile.header.worker();
    const std::string incarnation = tile.header.incarnation();
    std::vector<IncomingTile> tiles;
    tiles.push_back(std::move(tile));
    return dispatcher_->Results(worker, incarnation, std::move(tiles)).value().at(0);
  }
  void SayStarted(const std::string& worker, const FakeControl& control, const v1::Lease& lease) {
    v1::ControlRequest request;
    *request.add_events()->mutable_started()->mutable_lease() = lease.id();
    dispatcher_->Heard(worker, &control, request);
  }
  // Answers every tile of every lease until no new one comes; the time of a tile passes for each.
  void ComputeAll(const std::string& worker, const FakeControl& control) {
    for (size_t done = 0; done < control.grants().size(); ++done) {
      const v1::Lease lease = control.grants()[done];
      SayStarted(worker, control, lease);
      for (const uint64_t tile : lease.tiles()) {
        clock_.Advance(absl::Milliseconds(1));
        Result(ResultOf(lease, tile, worker));
      }
    }
  }

  FakeClock clock_;
  FakeStore* store_ = nullptr;  // of dispatcher_
  std::unique_ptr<Dispatcher> dispatcher_;
  std::shared_ptr<InputPump::Feed> feed_;
};

TEST_F(DispatcherTest, AGrantIsFollowedByItsInputsAndResultsAreMerged) {
  Make();
  const auto control = Join(HelloOf("w"));
  const auto inputs = Attach("w");
  const auto job = Submit(10);
  ASSERT_EQ(control->grants().size(), 1u);
  EXPECT_TRUE(job->started());
  const v1::Lease lease = control->grants()[0];
  EXPECT_EQ(lease.id().epoch(), 7u);
  EXPECT_EQ(lease.stage().job(), "jobs/a");
  EXPECT_TRUE(inputs->AwaitSent(static_cast<size_t>(lease.tiles_size())));

  ComputeAll("w", *control);
  ASSERT_TRUE(job->AwaitEnded());
  EXPECT_TRUE(job->ended().ok()) << job->ended();
  EXPECT_TRUE(job->finished());
  EXPECT_FALSE(job->abandoned());
  std::vector<int64_t> merged = job->merged();
  std::sort(merged.begin(), merged.end());
  std::vector<int64_t> all(10);
  std::iota(all.begin(), all.end(), 0);
  EXPECT_EQ(merged, all);
  EXPECT_EQ(job->last().tiles_done, 10);
  EXPECT_FALSE(dispatcher_->ViewJob("jobs/a").has_value()) << "an ended job is forgotten";
}

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

TEST_F(DispatcherTest, ASecondResultOfATileIsADuplicateAndNotMerged) {
  Make();
  const auto control = Join(HelloOf("w"));
  const auto job = Submit(10);
  const v1::Lease lease = control->grants().at(0);
  EXPECT_EQ(Result(ResultOf(lease, lease.tiles(0), "w")).verdict(),
            v1::TileVerdict::VERDICT_ACCEPTED);
  EXPECT_EQ(Result(ResultOf(lease, lease.tiles(0), "w")).verdict(),
            v1::TileVerdict::VERDICT_DUPLICATE);
  ComputeAll("w", *control);
  ASSERT_TRUE(job->AwaitEnded());
  EXPECT_EQ(job->merged().size(), 10u);
  EXPECT_EQ(Result(ResultOf(lease, lease.tiles(0), "w")).verdict(),
            v1::TileVerdict::VERDICT_DUPLICATE)
      << "after the end of the job";
}

TEST_F(DispatcherTest, AWrongChecksumIsRefusedAndCountsAsAFailure) {
  Make();
  const auto control = Join(HelloOf("w"));
  const auto job = Submit(10);
  const v1::Lease lease = control->grants().at(0);
  SayStarted("w", *control, lease);
  IncomingTile result = ResultOf(lease, lease.tiles(0), "w");
  result.intact = false;
  const v1::TileVerdict verdict = Result(std::move(result));
  EXPECT_EQ(verdict.verdict(), v1::TileVerdict::VERDICT_REFUSED);
  EXPECT_EQ(verdict.reason(), "CHECKSUM_MISMATCH");
  EXPECT_TRUE(job->HasNotice("tile_failed"));
  ComputeAll("w", *control);
  ASSERT_TRUE(job->AwaitEnded());
  EXPECT_TRUE(job->ended().ok()) << "the tile was computed again: " << job->ended();
}

TEST_F(DispatcherTest, StrangeResultsAreRefusedWithAReason) {
  Make();
  const auto control = Join(HelloOf("w"));
  Submit(10);
  const v1::Lease lease = control->grants().at(0);
  const uint64_t tile = lease.tiles(0);

  IncomingTile result = ResultOf(lease, tile, "w");
  result.header.mutable_tile()->set_job("jobs/b");
  EXPECT_EQ(Result(result).reason(), "UNKNOWN_JOB");
  result = ResultOf(lease, tile, "w");
  result.header.mutable_tile()->set_stage(1);
  EXPECT_EQ(Result(result).reason(), "STAGE_MISMATCH");
  std::vector<IncomingTile> tiles = {ResultOf(lease, tile, "w")};
  EXPECT_EQ(dispatcher_->Results("w", "two", tiles).value().at(0).reason(), "WORKER_MISMATCH");
  result = ResultOf(lease, tile, "w");
  result.header.set_model_digest("another");
  EXPECT_EQ(Result(result).reason(), "MODEL_MISMATCH");
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

TEST_F(DispatcherTest, AReadErrorFailsTheJobWithItsSentence) {
  Make();
  const auto control = Join(HelloOf("w"));
  const auto inputs = Attach("w");
  auto job = std::make_shared<FakeJob>("jobs/a", 10);
  job->FailReads(absl::DataLossError("'in.png' is truncated"));
  ASSERT_TRUE(dispatcher_->Submit(job->spec(), job).ok());
  ASSERT_TRUE(job->AwaitEnded());
  EXPECT_EQ(job->ended(), absl::DataLossError("'in.png' is truncated"));
  EXPECT_TRUE(job->abandoned());
  EXPECT_FALSE(job->finished());
}

TEST_F(DispatcherTest, AMergeErrorFailsTheJobAndNothingMoreIsMerged) {
  Make();
  const auto control = Join(HelloOf("w"));
  auto job = std::make_shared<FakeJob>("jobs/a", 10);
  job->FailMerges(absl::ResourceExhaustedError("the disk is full"));
  ASSERT_TRUE(dispatcher_->Submit(job->spec(), job).ok());
  const v1::Lease lease = control->grants().at(0);
  Result(ResultOf(lease, lease.tiles(0), "w"));
  ASSERT_TRUE(job->AwaitEnded());
  EXPECT_EQ(job->ended(), absl::ResourceExhaustedError("the disk is full"));
  EXPECT_TRUE(job->abandoned());
  EXPECT_FALSE(job->finished());
  EXPECT_TRUE(job->merged().empty());
  EXPECT_EQ(Result(ResultOf(lease, 5, "w")).verdict(), v1::TileVerdict::VERDICT_DUPLICATE);
}

TEST_F(DispatcherTest, StoppingAJobEndsItOnceWithThatStatus) {
  Make();
  Join(HelloOf("w"));
  const auto job = Submit(10);
  dispatcher_->Stop("jobs/a", absl::CancelledError("enough"));
  dispatcher_->Stop("jobs/a", absl::InternalError("too late"));
  ASSERT_TRUE(job->AwaitEnded());
  EXPECT_EQ(job->ended(), absl::CancelledError("enough"));
  dispatcher_->Stop("jobs/unknown", absl::CancelledError("nothing happens"));
}

TEST_F(DispatcherTest, ResultsWaitWhileMergingIsBehind) {
  DispatcherOptions options;
  options.merges.queued_bytes_max = 50;  // half a tile
  Make(options);
  const auto control = Join(HelloOf("w"));
  const auto job = Submit(100);
  job->HoldMerging(true);
  const auto source = std::make_shared<FakeSource>();
  EXPECT_TRUE(dispatcher_->HasRoom(source));
  const v1::Lease lease = control->grants().at(0);
  Result(ResultOf(lease, lease.tiles(0), "w"));
  EXPECT_FALSE(dispatcher_->HasRoom(source));
  EXPECT_FALSE(source->resumed());
  // Nobody gets work meanwhile: a newcomer waits until merging has caught up.
  clock_.Advance(absl::Milliseconds(10));
  const auto idle = Join(HelloOf("newcomer"));
  EXPECT_TRUE(idle->grants().empty());
  job->HoldMerging(false);
  EXPECT_TRUE(source->AwaitResumed());
  EXPECT_TRUE(dispatcher_->HasRoom(source));
  EXPECT_EQ(idle->grants().size(), 1u);
}

TEST_F(DispatcherTest, ShutdownEndsJobsAndStreams) {
  Make();
  const auto control = Join(HelloOf("w"));
  const auto inputs = Attach("w");
  const auto job = Submit(10);
  dispatcher_->Shutdown();
  EXPECT_EQ(job->ended().code(), absl::StatusCode::kUnavailable) << job->ended();
  EXPECT_TRUE(job->abandoned());
  EXPECT_TRUE(control->closed().has_value());
  EXPECT_TRUE(inputs->closed().has_value());
  auto late = std::make_shared<FakeJob>("jobs/b", 1);
  EXPECT_EQ(dispatcher_->Submit(late->spec(), late).code(), absl::StatusCode::kUnavailable);
}

TEST_F(DispatcherTest, WithoutAnyWorkerAJobFailsAfterTheGrace) {
  DispatcherOptions options;
  options.schedule.worker_grace = absl::Seconds(5);
  Make(options);
  const auto job = Submit(10);
  clock_.Advance(absl::Seconds(5));
  dispatcher_->Tick();
  ASSERT_TRUE(job->AwaitEnded());
  EXPECT_EQ(job->ended().code(), absl::StatusCode::kFailedPrecondition) << job->ended();
}

TEST_F(DispatcherTest, RecordsAreKeptBeforeAnythingIsSent) {
  Make();
  const auto control = Join(HelloOf("w"));
  size_t grants_then = 99;
  store_->OnAppend([&](const Record& record) {
    if (record.kind == Record::Kind::kJobClass) grants_then = control->grants().size();
  });
  const auto job = Submit(10);
  EXPECT_EQ(grants_then, 0u);
  EXPECT_EQ(control->grants().size(), 1u);

  const v1::Lease lease = control->grants()[0];
  size_t merged_then = 99;
  store_->OnAppend([&](const Record& record) {
    if (record.kind != Record::Kind::kTileAccepted) return;
    grants_then = control->grants().size();
    merged_then = job->merged().size();
  });
  Result(ResultOf(lease, lease.tiles(0), "w"));
  EXPECT_EQ(grants_then, 1u) << "the next lease waits for the record";
  EXPECT_EQ(merged_then, 0u) << "and so does merging";
  EXPECT_EQ(control->grants().size(), 2u);
  const absl::StatusOr<Snapshot> snapshot = store_->Load();
  ASSERT_TRUE(snapshot.ok()) << snapshot.status();
  ASSERT_EQ(snapshot->jobs.size(), 1u);
  EXPECT_EQ(snapshot->jobs[0].accepted, (absl::btree_set<int64_t>{0}));
  EXPECT_EQ(snapshot->workers, (std::set<std::string>{"w"}));
}

TEST_F(DispatcherTest, ResultsOfOneMessageAreKeptTogether) {
  Make();
  const auto control = Join(HelloOf("w"));
  const auto job = Submit(10);
  const v1::Lease lease = control->grants().at(0);
  std::vector<IncomingTile> tiles;
  tiles.push_back(ResultOf(lease, lease.tiles(0), "w"));
  tiles.push_back(ResultOf(lease, 7, "w"));  // of an earlier lease: welcome
  const int before = store_->appends();
  const auto verdicts = dispatcher_->Results("w", "one", std::move(tiles));
  ASSERT_TRUE(verdicts.ok()) << verdicts.status();
  for (const v1::TileVerdict& verdict : *verdicts) {
    EXPECT_EQ(verdict.verdict(), v1::TileVerdict::VERDICT_ACCEPTED);
  }
  EXPECT_EQ(store_->appends(), before + 1);
  EXPECT_EQ(store_->Load()->jobs.at(0).accepted, (absl::btree_set<int64_t>{0, 7}));
}

TEST_F(DispatcherTest, AfterTheStoreFailedNothingLeavesAndAllEndsWithItsSentence) {
  Make();
  const auto control = Join(HelloOf("w"));
  const auto inputs = Attach("w");
  const auto job = Submit(10);
  const v1::Lease lease = control->grants().at(0);
  store_->Fail(absl::InternalError("the disk is on fire"));
  std::vector<IncomingTile> tiles;
  tiles.push_back(ResultOf(lease, lease.tiles(0), "w"));
  const absl::Status failed = dispatcher_->Results("w", "one", tiles).status();
  EXPECT_EQ(failed.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(failed.message(),
            "the coordinator cannot keep its records (the disk is on fire): its jobs have ended, "
            "and it takes no others until it is started again");
  EXPECT_EQ(ReasonOf(failed), "STORE_FAILED");
  ASSERT_TRUE(job->AwaitEnded());
  EXPECT_EQ(job->ended(), failed);
  EXPECT_TRUE(job->abandoned());
  EXPECT_TRUE(job->merged().empty());
  EXPECT_EQ(control->grants().size(), 1u);
  EXPECT_EQ(control->closed(), failed);
  EXPECT_EQ(inputs->closed(), failed);

  auto late = std::make_shared<FakeJob>("jobs/b", 1);
  EXPECT_EQ(dispatcher_->Submit(late->spec(), late), failed);
  EXPECT_EQ(dispatcher_->Hello(HelloOf("v"), std::make_shared<FakeControl>()), failed);
  EXPECT_EQ(dispatcher_->Results("w", "one", tiles).status(), failed);
  dispatcher_->Tick();
  dispatcher_->Shutdown();
}

TEST_F(DispatcherTest, AJobWhoseSubmissionCannotBeKeptEnds) {
  Make();
  const auto control = Join(HelloOf("w"));
  store_->Fail(absl::InternalError("the disk is on fire"));
  const auto job = Submit(10);
  ASSERT_TRUE(job->AwaitEnded());
  EXPECT_EQ(job->ended().code(), absl::StatusCode::kUnavailable) << job->ended();
  EXPECT_TRUE(control->grants().empty());
}

}  // namespace
}  // namespace tilewright
