// Jobs of several stages in the core: tiles that are held back, one share for all stages, one fate.

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/schedule/continued.h"
#include "coordinator/schedule/scheduler.h"
#include "coordinator/schedule/tile_table.h"
#include "gtest/gtest.h"

namespace tilewright {
namespace {

using schedule::TileState;
using schedule::TileTable;

JobSpec StageSpecOf(const std::string& name, int64_t tiles, const std::string& job = "") {
  JobSpec spec;
  spec.name = name;
  spec.job_of_stage = job;
  spec.tile_count = tiles;
  spec.plan_digest = "plan of " + name;
  spec.model_digest = spec.model_name = "model of " + name;
  spec.engine = "builtin";
  return spec;
}

JobSubmitted TwoStages(int64_t tiles = 4, const std::string& name = "jobs/1") {
  return {StageSpecOf(name, tiles), {StageSpecOf(name + "/stages/1", tiles, name)}};
}

// One worker that does whatever it is given; a scheduler whose invariants hold after every event.
class StagesTest : public testing::Test {
 protected:
  Decisions Tell(const Event& event) {
    now_ += absl::Milliseconds(10);
    Decisions decisions = scheduler_.Handle(event, Instant::FromStart(now_));
    const absl::Status invariants = scheduler_.CheckInvariants();
    EXPECT_TRUE(invariants.ok()) << invariants;
    for (const Grant& grant : decisions.grants) grants_.push_back(grant);
    for (const JobEnd& end : decisions.job_ends) ends_[end.job] = end.status;
    for (const Hole& hole : decisions.holes) holes_.push_back(hole);
    for (const Record& record : decisions.records)
      EXPECT_TRUE(Apply(record, snapshot_).ok()) << record.job;
    return decisions;
  }
  void Join(const std::string& worker = "w1", int credit = 1) {
    WorkerJoined joined{worker, worker + "-1", {}};
    joined.offer.engines = {"builtin"};
    joined.offer.dtypes = {"fp32"};
    joined.offer.credit_tiles = credit;
    Tell(joined);
    Tell(WorkerSynced{worker, 0, {}, credit, 0});
  }
  // Computes what was granted last.
  Decisions Finish(const Grant& grant) {
    Tell(LeaseStarted{grant.worker, grant.lease});
    Decisions last;
    for (int64_t tile : grant.tiles) {
      ResultArrived result;
      result.job = grant.job;
      result.generation = 1;
      result.tile = tile;
      result.lease = grant.lease;
      result.worker = grant.worker;
      result.incarnation = grant.worker + "-1";
      result.plan_digest = "plan of " + grant.job;
      result.model_digest = "model of " + grant.job;
      last = Tell(result);
      EXPECT_EQ(last.verdict->verdict, Verdict::kAccepted) << last.verdict->text;
    }
    return last;
  }
  // What the worker was given and has not done.
  Grant Next() {
    EXPECT_FALSE(grants_.empty());
    if (grants_.empty()) return {};
    const Grant grant = grants_.front();
    grants_.erase(grants_.begin());
    return grant;
  }
  JobView View(const std::string& job) { return scheduler_.ViewJob(job).value(); }

  SchedulerOptions options_;
  Scheduler scheduler_{options_, 1};
  absl::Duration now_ = absl::ZeroDuration();
  std::vector<Grant> grants_;
  std::map<std::string, absl::Status> ends_;
  std::vector<Hole> holes_;
  Snapshot snapshot_;
};

TEST_F(StagesTest, ALaterStageWaitsUntilItsTilesAreReadyAndThenComesFirst) {
  Tell(TwoStages());
  Join();
  Finish(Next());
  const Grant second = Next();
  EXPECT_EQ(second.job, "jobs/1") << "nothing of the second stage is ready";
  EXPECT_TRUE(grants_.empty());
  Tell(TilesReady{"jobs/1/stages/1", {2}, {}});
  EXPECT_TRUE(grants_.empty()) << "the worker is busy";
  Finish(second);
  const Grant later = Next();
  EXPECT_EQ(later.job, "jobs/1/stages/1") << "what waits between two stages is used up first";
  EXPECT_EQ(later.tiles, std::vector<int64_t>{2});
  Finish(later);
  EXPECT_EQ(Next().job, "jobs/1");
}

TEST_F(StagesTest, EachStageEndsForItselfAndTheFailureOfOneEndsAll) {
  Tell(TwoStages(1));
  Join();
  Finish(Next());
  ASSERT_EQ(ends_.size(), 1u) << "the first stage is done, the second has not begun";
  EXPECT_TRUE(ends_.at("jobs/1").ok());
  Tell(TilesReady{"jobs/1/stages/1", {0}, {}});
  Finish(Next());
  EXPECT_TRUE(ends_.at("jobs/1/stages/1").ok());
  EXPECT_TRUE(snapshot_.jobs.empty());

  ends_.clear();
  Tell(TwoStages(2, "jobs/2"));
  Tell(JobStopped{"jobs/2", "Enough."});
  EXPECT_EQ(ends_.size(), 2u);
  for (const auto& [name, status] : ends_) EXPECT_TRUE(absl::IsCancelled(status)) << name;
}

// Tiles of the last stage are done, and the first has only those that the others need.
TEST_F(StagesTest, TheLastStageGoesOnAndTheFirstDoesWhatItNeeds) {
  const auto continued = [](absl::btree_set<int64_t> accepted) {
    auto from = std::make_shared<ContinuedTiles>();
    from->accepted = std::move(accepted);
    from->promise = Promise::kStrict;
    from->numeric_class = "same";
    return from;
  };
  JobSubmitted job{StageSpecOf("jobs/1", 1), {StageSpecOf("jobs/1/stages/1", 3, "jobs/1")}};
  job.later_stages[0].continued = continued({0, 2});
  job.job.continued = continued({});
  Tell(job);
  EXPECT_EQ(View("jobs/1").promise, Promise::kStrict) << "what was promised of its tiles holds";
  EXPECT_EQ(View("jobs/1").numeric_class, "same");
  EXPECT_EQ(View("jobs/1/stages/1").tiles_done, 2);
  WorkerJoined joined{"w1", "w1-1", {}};
  joined.offer.engines = {"builtin"};
  joined.offer.dtypes = {"fp32"};
  joined.offer.environment_key = "same";
  Tell(joined);
  Tell(WorkerSynced{"w1", 0, {}, 1, 0});
  Finish(Next());
  EXPECT_TRUE(ends_.at("jobs/1").ok());
  Tell(TilesReady{"jobs/1/stages/1", {0, 1}, {}});
  const Grant last = Next();
  EXPECT_EQ(last.tiles, std::vector<int64_t>{1}) << "the others are done";
  Finish(last);
  EXPECT_TRUE(ends_.at("jobs/1/stages/1").ok());
  EXPECT_TRUE(grants_.empty());

  // All was done, and merging stopped before the end.
  ends_.clear();
  JobSubmitted done{StageSpecOf("jobs/2", 0), {StageSpecOf("jobs/2/stages/1", 2, "jobs/2")}};
  done.later_stages[0].continued = continued({0, 1});
  Tell(done);
  EXPECT_EQ(ends_.size(), 2u);
  for (const auto& [name, status] : ends_) EXPECT_TRUE(status.ok()) << name;
  EXPECT_TRUE(grants_.empty());
}

TEST_F(StagesTest, WhatUsersDoHoldsForAllStagesEvenOnceTheFirstIsDone) {
  Tell(TwoStages(1));
  Join();
  Finish(Next());
  scheduler_.Forget("jobs/1");
  EXPECT_TRUE(scheduler_.AdmitPriority("jobs/1", 2).ok());
  Tell(JobPriority{"jobs/1", 2});
  Tell(JobPaused{"jobs/1"});
  Tell(TilesReady{"jobs/1/stages/1", {0}, {}});
  EXPECT_TRUE(View("jobs/1/stages/1").paused);
  EXPECT_EQ(View("jobs/1/stages/1").priority, 2);
  EXPECT_TRUE(grants_.empty());
  Tell(JobResumed{"jobs/1"});
  Finish(Next());
  EXPECT_TRUE(ends_.at("jobs/1/stages/1").ok());
}

TEST_F(StagesTest, StagesBeforeAFullOneBeginNothing) {
  JobSubmitted job = TwoStages(6);
  job.later_stages[0].ready_max = 2;
  job.later_stages[0].engine = "other";  // the worker cannot take it
  Tell(job);
  Join();
  Finish(Next());
  Finish(Next());
  Tell(TilesReady{"jobs/1/stages/1", {0}, {}});
  Finish(Next());
  Tell(TilesReady{"jobs/1/stages/1", {1}, {}});
  Finish(Next());
  EXPECT_TRUE(grants_.empty()) << "two tiles are ready, and nobody takes them";
  WorkerJoined able{"w2", "w2-1", {}};
  able.offer.engines = {"other"};
  able.offer.dtypes = {"fp32"};
  Tell(able);
  Tell(WorkerSynced{"w2", 0, {}, 1, 0});
  EXPECT_EQ(Next().job, "jobs/1/stages/1");
  Tell(Tick{});
  EXPECT_EQ(Next().job, "jobs/1") << "one of them is under way, so the first stage goes on";
}

TEST_F(StagesTest, TilesThatReadAHoleAreLeftOut) {
  Tell(TwoStages(2));
  Tell(TilesReady{"jobs/1/stages/1", {0}, {1}});
  ASSERT_EQ(holes_.size(), 1u);
  EXPECT_EQ(holes_[0].job, "jobs/1/stages/1");
  EXPECT_EQ(holes_[0].tile, 1);
  Tell(TilesReady{"jobs/1/stages/1", {1}, {0}});
  EXPECT_EQ(holes_.size(), 1u) << "what is no longer held back stays as it is";
  EXPECT_EQ(View("jobs/1/stages/1").holes, std::vector<int64_t>{1});
}

TEST_F(StagesTest, AllStagesTogetherGetTheTurnsOfOneJob) {
  std::vector<int64_t> ready;
  for (int64_t tile = 0; tile < 200; ++tile) ready.push_back(tile);
  JobSubmitted job = TwoStages(200);
  job.job.flops_per_tile = job.later_stages[0].flops_per_tile = 1e9;
  Tell(job);
  Tell(TilesReady{"jobs/1/stages/1", ready, {}});
  JobSpec other = StageSpecOf("jobs/2", 200);
  other.flops_per_tile = 1e9;
  Tell(JobSubmitted{other});
  Join();
  std::map<std::string, int64_t> tiles;
  for (int i = 0; i < 100; ++i) {
    const Grant grant = Next();
    tiles[grant.job.substr(0, 6)] += static_cast<int64_t>(grant.tiles.size());
    Finish(grant);
  }
  EXPECT_NEAR(static_cast<double>(tiles["jobs/1"]) / static_cast<double>(tiles["jobs/2"]), 1, 0.1);
}

TEST_F(StagesTest, AJobOfSeveralStagesIsOneOpenJobOfItsTenant) {
  SchedulerOptions options;
  options.quotas["default"] = {.open_jobs_max = 1, .open_bytes_max = 1000};
  Scheduler scheduler(options, 1);
  JobSubmitted job = TwoStages(1);
  job.job.output_bytes = 400;
  job.later_stages[0].output_bytes = 700;
  absl::Duration retry;
  EXPECT_TRUE(absl::IsResourceExhausted(scheduler.Admit(job, &retry))) << "1,100 bytes together";
  job.later_stages[0].output_bytes = 600;
  EXPECT_TRUE(scheduler.Admit(job, &retry).ok());
}

TEST_F(StagesTest, AfterARestartTilesAreHeldBackAgainButThoseUnderWayGoOn) {
  Tell(TwoStages(3));
  Join();
  Finish(Next());
  Tell(TilesReady{"jobs/1/stages/1", {0, 1}, {}});
  Finish(Next());
  const Grant grant = Next();
  ASSERT_EQ(grant.job, "jobs/1/stages/1");
  Scheduler next(options_, 2, snapshot_, Instant());
  WorkerJoined joined{"w1", "w1-1", {}};
  joined.offer.engines = {"builtin"};
  joined.offer.dtypes = {"fp32"};
  next.Handle(joined, Instant());
  WorkerSynced synced{"w1", 0, {}, 1, 0};
  synced.held.push_back({grant.lease, HeldState::kRunning, grant.tiles, grant.job, 1});
  next.Handle(synced, Instant());
  EXPECT_EQ(next.ViewJob("jobs/1/stages/1")->tiles_leased, 1);
  EXPECT_TRUE(next.CheckInvariants().ok()) << next.CheckInvariants();
  next.Handle(JobPaused{"jobs/1"}, Instant());
  EXPECT_TRUE(next.ViewJob("jobs/1/stages/1")->paused) << "they are still stages of one job";
}

TEST(HeldTiles, AreNeitherReadyNorOpenInTheOrderOfWork) {
  TileTable tiles(5, true);
  EXPECT_EQ(tiles.ready(), 0);
  EXPECT_EQ(tiles.held(), 5);
  EXPECT_EQ(tiles.NextFresh(0), 5);
  tiles.MarkReady(3);
  tiles.MarkReady(1);
  EXPECT_EQ(tiles.ready(), 2);
  EXPECT_EQ(tiles.NextFresh(0), 1);
  EXPECT_EQ(tiles.NextFresh(2), 3);
  EXPECT_EQ(tiles.LowestOpen(), 1) << "what cannot begin keeps nobody waiting";
  tiles.AddAttempt(1, 7);
  tiles.MarkLeased(1);
  EXPECT_EQ(tiles.NextFresh(0), 3);
  EXPECT_EQ(tiles.LowestOpen(), 1);
  tiles.RemoveAttempt(1, 7);
  tiles.MarkAccepted(1);
  EXPECT_EQ(tiles.LowestOpen(), 3);
  tiles.MarkHole(0);
  tiles.MarkAccepted(2);  // a result from before a restart
  tiles.MarkFailed(3);
  EXPECT_EQ(tiles.LowestOpen(), 5);
  tiles.MarkRetried(3);
  EXPECT_EQ(tiles.LowestOpen(), 3);
  EXPECT_EQ(tiles.held(), 1);
  EXPECT_EQ(tiles.state(4), TileState::kHeld);
  EXPECT_TRUE(tiles.Check().ok()) << tiles.Check();
}

}  // namespace
}  // namespace tilewright
