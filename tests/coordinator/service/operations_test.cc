// Operations through the dispatcher: what users do reaches workers and jobs, and what cannot be
// done is refused with a reason.

#include <memory>
#include <string>
#include <vector>

#include "coordinator/service/dispatcher.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/wire/status_details.h"
#include "tests/coordinator/service/fakes.h"

namespace tilewright {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class OperationsTest : public testing::Test {
 protected:
  void Make(SchedulerOptions schedule = {}) {
    DispatcherOptions options;
    options.schedule = std::move(schedule);
    options.epoch = 7;
    options.keep_time = false;
    dispatcher_ = std::make_unique<Dispatcher>(options, clock_);
  }
  std::shared_ptr<FakeControl> Join(const std::string& name) {
    auto control = std::make_shared<FakeControl>();
    EXPECT_TRUE(dispatcher_->Hello(HelloOf(name, "one", 1), control).ok());
    return control;
  }
  absl::Status TrySubmit(const std::shared_ptr<FakeJob>& job, JobSpec spec) {
    return dispatcher_->Submit(spec, job);
  }
  std::shared_ptr<FakeJob> Submit(int64_t tiles, OnFailedTile on_failed_tile = OnFailedTile::kFail,
                                  const std::string& name = "jobs/a") {
    auto job = std::make_shared<FakeJob>(name, tiles);
    JobSpec spec = job->spec();
    spec.on_failed_tile = on_failed_tile;
    const absl::Status status = dispatcher_->Submit(spec, job);
    EXPECT_TRUE(status.ok()) << status;
    return job;
  }
  void Say(const std::string& worker, const FakeControl& control, const v1::WorkerEvent& event) {
    v1::ControlRequest request;
    *request.add_events() = event;
    dispatcher_->Heard(worker, &control, request);
  }
  void Start(const std::string& worker, const FakeControl& control, const v1::Lease& lease) {
    v1::WorkerEvent event;
    *event.mutable_started()->mutable_lease() = lease.id();
    Say(worker, control, event);
  }
  void Compute(const std::string& worker, const FakeControl& control, const v1::Lease& lease) {
    Start(worker, control, lease);
    for (const uint64_t tile : lease.tiles()) {
      clock_.Advance(absl::Milliseconds(1));
      std::vector<IncomingTile> tiles;
      tiles.push_back(ResultOf(lease, tile, worker));
      EXPECT_TRUE(dispatcher_->Results(worker, "one", std::move(tiles)).ok());
    }
  }
  void Fail(const std::string& worker, const FakeControl& control, const v1::Lease& lease) {
    Start(worker, control, lease);
    for (const uint64_t tile : lease.tiles()) {
      clock_.Advance(absl::Milliseconds(1));
      v1::WorkerEvent event;
      *event.mutable_failed()->mutable_lease() = lease.id();
      event.mutable_failed()->set_index(tile);
      event.mutable_failed()->set_cause(v1::FAILURE_CAUSE_MODEL_ERROR);
      event.mutable_failed()->set_text("it always fails here");
      event.mutable_failed()->set_batch(1);
      Say(worker, control, event);
    }
  }
  // Answers every lease until none is left: tile `bad` fails, the others succeed.
  void Work(const std::string& worker, const FakeControl& control, uint64_t bad, size_t* next) {
    for (; *next < control.grants().size(); ++*next) {
      const v1::Lease lease = control.grants()[*next];
      ASSERT_LT(*next, 100u) << "the tile is granted for ever";
      if (lease.tiles_size() == 1 && lease.tiles(0) == bad) {
        Fail(worker, control, lease);
      } else {
        Compute(worker, control, lease);
      }
    }
  }

  FakeClock clock_;
  std::unique_ptr<Dispatcher> dispatcher_;
};

TEST_F(OperationsTest, APausedJobIsGrantedNothingUntilItIsResumed) {
  Make();
  const auto job = Submit(4);
  ASSERT_TRUE(dispatcher_->Pause("jobs/a").ok());
  ASSERT_TRUE(dispatcher_->Pause("jobs/a").ok()) << "twice is once";
  const auto control = Join("w");
  EXPECT_THAT(control->grants(), IsEmpty());
  EXPECT_TRUE(dispatcher_->ViewJob("jobs/a")->paused);
  EXPECT_TRUE(job->HasNotice("job_paused"));

  ASSERT_TRUE(dispatcher_->Resume("jobs/a").ok());
  EXPECT_FALSE(dispatcher_->ViewJob("jobs/a")->paused);
  for (size_t i = 0; i < control->grants().size(); ++i)
    Compute("w", *control, control->grants()[i]);
  ASSERT_TRUE(job->AwaitEnded());
  EXPECT_TRUE(job->ended().ok()) << job->ended();
}

TEST_F(OperationsTest, AJobThatEndedTakesNoOperation) {
  Make();
  const auto job = Submit(1);
  dispatcher_->Stop("jobs/a", absl::CancelledError("enough"));
  ASSERT_TRUE(job->AwaitEnded());
  for (const absl::Status& status :
       {dispatcher_->Pause("jobs/a"), dispatcher_->Resume("jobs/a"),
        dispatcher_->SetPriority("jobs/a", 1), dispatcher_->RetryFailedTiles("jobs/a"),
        dispatcher_->AcceptHoles("jobs/a")}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
    EXPECT_EQ(ReasonOf(status), "JOB_ENDED");
    EXPECT_THAT(std::string(status.message()), HasSubstr("jobs/a has no more tiles to compute"));
  }
}

TEST_F(OperationsTest, APriorityIsCheckedAgainstTheRangeAndTheQuota) {
  SchedulerOptions schedule;
  schedule.quotas["default"].priority_max = 2;
  Make(schedule);
  const auto job = Submit(1);
  EXPECT_TRUE(dispatcher_->SetPriority("jobs/a", -5).ok());
  EXPECT_EQ(dispatcher_->ViewJob("jobs/a")->priority, -5);
  const absl::Status wild = dispatcher_->SetPriority("jobs/a", 6);
  EXPECT_EQ(wild.message(), "A priority lies between -5 and 5, not at 6.");
  EXPECT_EQ(ReasonOf(wild), "BAD_PRIORITY");
  const absl::Status high = dispatcher_->SetPriority("jobs/a", 3);
  EXPECT_EQ(high.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(high.message(), "Tenant default may use priorities up to 2, not 3.");
  EXPECT_EQ(dispatcher_->ViewJob("jobs/a")->priority, -5);
}

TEST_F(OperationsTest, AJobOverTheQuotaIsRefusedWithWhenToAskAgain) {
  SchedulerOptions schedule;
  schedule.default_quota.open_jobs_max = 1;
  Make(schedule);
  const auto first = Submit(1);
  const auto second = std::make_shared<FakeJob>("jobs/b", 1);
  const absl::Status refused = TrySubmit(second, second->spec());
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted) << refused;
  EXPECT_EQ(ReasonOf(refused), "QUOTA_EXCEEDED");
  ASSERT_TRUE(RetryAfterOf(refused).has_value());
  EXPECT_GT(*RetryAfterOf(refused), absl::ZeroDuration());
  EXPECT_FALSE(dispatcher_->ViewJob("jobs/b").has_value());

  dispatcher_->Stop("jobs/a", absl::CancelledError("enough"));
  ASSERT_TRUE(first->AwaitEnded());
  EXPECT_TRUE(TrySubmit(second, second->spec()).ok()) << "there is room again";
}

TEST_F(OperationsTest, AnAcceptedHoleReachesTheJobAndEndsIt) {
  Make();
  const auto control = Join("w");
  const auto job = Submit(3, OnFailedTile::kWait);
  size_t next = 0;
  Work("w", *control, 1, &next);
  ASSERT_TRUE(dispatcher_->ViewJob("jobs/a").has_value()) << job->ended();
  EXPECT_THAT(dispatcher_->ViewJob("jobs/a")->failed_tiles, ElementsAre(1));
  EXPECT_EQ(dispatcher_->ViewJob("jobs/a")->tiles_done, 2);

  ASSERT_TRUE(dispatcher_->RetryFailedTiles("jobs/a").ok());
  EXPECT_THAT(dispatcher_->ViewJob("jobs/a")->failed_tiles, IsEmpty());
  Work("w", *control, 1, &next);
  EXPECT_THAT(dispatcher_->ViewJob("jobs/a")->failed_tiles, ElementsAre(1)) << "it failed again";

  ASSERT_TRUE(dispatcher_->AcceptHoles("jobs/a").ok());
  ASSERT_TRUE(job->AwaitEnded());
  EXPECT_TRUE(job->ended().ok()) << job->ended();
  EXPECT_TRUE(job->finished());
  EXPECT_THAT(job->holes_told(), ElementsAre(1));
  EXPECT_THAT(job->holes(), ElementsAre(1));
  EXPECT_THAT(job->last().holes, ElementsAre(1));

  // What was done is done, also for somebody whose answer was lost.
  EXPECT_TRUE(dispatcher_->AcceptHoles("jobs/a").ok());
  EXPECT_TRUE(dispatcher_->RetryFailedTiles("jobs/a").ok());
  EXPECT_EQ(ReasonOf(dispatcher_->Resume("jobs/a")), "JOB_ENDED") << "it never was";
  EXPECT_EQ(ReasonOf(dispatcher_->Pause("jobs/a")), "JOB_ENDED");
}

TEST_F(OperationsTest, AFailedTileEndsItsJobWithAReason) {
  Make();
  const auto control = Join("w");
  const auto job = Submit(3);
  size_t next = 0;
  Work("w", *control, 1, &next);
  ASSERT_TRUE(job->AwaitEnded());
  EXPECT_EQ(job->ended().code(), absl::StatusCode::kFailedPrecondition) << job->ended();
  EXPECT_EQ(ReasonOf(job->ended()), "TILE_FAILED");
  EXPECT_THAT(job->holes(), IsEmpty());
}

TEST_F(OperationsTest, ADrainedWorkerGetsNothingUntilItIsResumed) {
  Make();
  const auto control = Join("w");
  const auto drained = dispatcher_->Drain("w", false);
  ASSERT_TRUE(drained.ok()) << drained.status();
  EXPECT_TRUE(drained->draining());
  const auto job = Submit(1);
  EXPECT_THAT(control->grants(), IsEmpty());
  ASSERT_EQ(dispatcher_->ListWorkers().size(), 1u);
  EXPECT_TRUE(dispatcher_->ListWorkers()[0].draining());

  const auto resumed = dispatcher_->ResumeWorker("w");
  ASSERT_TRUE(resumed.ok()) << resumed.status();
  EXPECT_FALSE(resumed->draining());
  EXPECT_EQ(control->grants().size(), 1u);
}

TEST_F(OperationsTest, WhatIsDoneToAWorkerThatIsAwayHoldsWhenItComesBack) {
  Make();
  const auto job = Submit(1);
  dispatcher_->ControlClosed("w", Join("w").get());
  const auto drained = dispatcher_->Drain("w", false);
  ASSERT_TRUE(drained.ok()) << drained.status();
  EXPECT_TRUE(drained->draining());
  EXPECT_TRUE(drained->away());
  EXPECT_THAT(dispatcher_->ListWorkers(), IsEmpty());
  const auto second = Join("w");
  EXPECT_FALSE(dispatcher_->ClearBlocklist("w")->away());
  EXPECT_THAT(second->grants(), IsEmpty()) << "it is drained";

  dispatcher_->ControlClosed("w", second.get());
  clock_.Advance(absl::Hours(5));
  dispatcher_->Tick();
  const auto resumed = dispatcher_->ResumeWorker("w");
  ASSERT_TRUE(resumed.ok()) << "a drain is remembered: " << resumed.status();
  EXPECT_TRUE(resumed->away());
  EXPECT_FALSE(resumed->draining());
  clock_.Advance(absl::Hours(2));
  dispatcher_->Tick();
  EXPECT_EQ(ReasonOf(dispatcher_->Drain("w", false).status()), "UNKNOWN_WORKER")
      << "nothing is left to remember";
}

TEST_F(OperationsTest, AWorkerThatIsNotConnectedIsNamedInTheRefusal) {
  Make();
  for (const auto& worker :
       {dispatcher_->Drain("nobody", true), dispatcher_->ResumeWorker("nobody"),
        dispatcher_->ClearBlocklist("nobody")}) {
    EXPECT_EQ(worker.status().code(), absl::StatusCode::kNotFound);
    EXPECT_EQ(ReasonOf(worker.status()), "UNKNOWN_WORKER");
    EXPECT_THAT(std::string(worker.status().message()), HasSubstr("no worker 'nobody'"));
  }
}

}  // namespace
}  // namespace tilewright
