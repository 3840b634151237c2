// The scheduler at the edges of its clocks, and what its views say. Stories stand in testdata.

#include "coordinator/schedule/scheduler.h"

#include <functional>

#include "gtest/gtest.h"

namespace tilewright {
namespace {

constexpr absl::Duration kNs = absl::Nanoseconds(1);

Instant At(absl::Duration since_start) { return Instant::FromStart(since_start); }

JobSpec Job(int64_t tiles) {
  JobSpec job;
  job.name = "jobs/1";
  job.tile_count = tiles;
  job.plan_digest = "plan";
  job.model_digest = "model";
  job.model_name = "model";
  job.engine = "builtin";
  return job;
}

WorkerJoined Join(const std::string& name) {
  WorkerJoined joined;
  joined.worker = name;
  joined.incarnation = name + "-1";
  joined.offer.engines = {"builtin"};
  joined.offer.dtypes = {"fp32"};
  joined.offer.credit_tiles = 16;
  return joined;
}

ResultArrived Result(const std::string& worker, const LeaseKey& lease, int64_t tile) {
  ResultArrived result;
  result.job = "jobs/1";
  result.generation = 1;
  result.tile = tile;
  result.lease = lease;
  result.worker = worker;
  result.incarnation = worker + "-1";
  result.plan_digest = "plan";
  result.model_digest = "model";
  return result;
}

bool Has(const Decisions& decisions, const std::string& kind) {
  for (const Notice& notice : decisions.notices) {
    if (notice.kind == kind) return true;
  }
  return false;
}

// Prepares a scheduler, then expects that nothing with this notice happens a nanosecond before
// `deadline` and that it happens at it.
void ExpectAt(absl::Duration deadline, const std::string& kind,
              const std::function<void(Scheduler&)>& prepare,
              const SchedulerOptions& options = {}) {
  Scheduler scheduler(options, 1);
  prepare(scheduler);
  EXPECT_EQ(scheduler.next_deadline(), At(deadline)) << kind;
  EXPECT_FALSE(Has(scheduler.Handle(Tick{}, At(deadline - kNs)), kind)) << kind;
  EXPECT_TRUE(Has(scheduler.Handle(Tick{}, At(deadline)), kind)) << kind;
  const absl::Status invariants = scheduler.CheckInvariants();
  EXPECT_TRUE(invariants.ok()) << invariants;
}

void Hear(Scheduler& scheduler, const std::string& worker, absl::Duration until) {
  for (absl::Duration t = absl::Seconds(1); t <= until; t += absl::Seconds(1)) {
    scheduler.Handle(WorkerHeard{worker}, At(t));
  }
}

TEST(Boundary, SilenceIsNoticedAfterEightSeconds) {
  ExpectAt(absl::Seconds(8), "worker_gone",
           [](Scheduler& s) { s.Handle(Join("w1"), At(absl::ZeroDuration())); });
}

TEST(Boundary, SilenceCountsFromTheLastSignOfLife) {
  ExpectAt(absl::Seconds(11), "worker_gone", [](Scheduler& s) {
    s.Handle(Join("w1"), At(absl::ZeroDuration()));
    s.Handle(WorkerHeard{"w1"}, At(absl::Seconds(3)));
  });
}

TEST(Boundary, AFirstTileHasSixtySeconds) {
  ExpectAt(absl::Seconds(61), "lease_lapsed", [](Scheduler& s) {
    s.Handle(Join("w1"), At(absl::ZeroDuration()));
    s.Handle(JobSubmitted{Job(2)}, At(absl::ZeroDuration()));
    s.Handle(LeaseStarted{"w1", {1, 1}}, At(absl::Seconds(1)));
    Hear(s, "w1", absl::Seconds(60));
  });
}

TEST(Boundary, ALeaseMustStartWithinTheGrace) {
  ExpectAt(absl::Seconds(5), "lease_not_started", [](Scheduler& s) {
    s.Handle(Join("w1"), At(absl::ZeroDuration()));
    s.Handle(JobSubmitted{Job(2)}, At(absl::ZeroDuration()));
  });
}

TEST(Boundary, EverySettledTileRestartsTheClock) {
  ExpectAt(
      absl::Seconds(1 + 1 + 30), "lease_lapsed",
      [](Scheduler& s) {
        s.Handle(Join("w1"), At(absl::ZeroDuration()));
        s.Handle(JobSubmitted{Job(100)}, At(absl::ZeroDuration()));
        s.Handle(LeaseStarted{"w1", {1, 1}}, At(absl::ZeroDuration()));
        // One second a tile and a lease of 11 tiles: 3 × 11 s for the first, 3 × 10 s for the
        // others.
        const Decisions granted = s.Handle(Result("w1", {1, 1}, 0), At(absl::Seconds(1)));
        ASSERT_EQ(granted.grants[0].tiles.size(), 11u);
        s.Handle(LeaseStarted{"w1", granted.grants[0].lease}, At(absl::Seconds(1)));
        s.Handle(Result("w1", granted.grants[0].lease, 1), At(absl::Seconds(2)));
        Hear(s, "w1", absl::Seconds(31));
      },
      [] {
        SchedulerOptions options;
        options.lease_work = absl::Seconds(11);
        return options;
      }());
}

TEST(Boundary, AJobWithoutAWorkerEndsAfterTheGrace) {
  Scheduler scheduler({}, 1);
  scheduler.Handle(JobSubmitted{Job(2)}, At(absl::Seconds(1)));
  EXPECT_EQ(scheduler.next_deadline(), At(absl::Seconds(61)));
  EXPECT_TRUE(scheduler.Handle(Tick{}, At(absl::Seconds(61) - kNs)).job_ends.empty());
  const Decisions decisions = scheduler.Handle(Tick{}, At(absl::Seconds(61)));
  ASSERT_EQ(decisions.job_ends.size(), 1u);
  EXPECT_EQ(decisions.job_ends[0].status,
            absl::FailedPreconditionError(
                "No connected worker could take tiles of jobs/1 (model model) within 60 s: "
                "none is connected."));
  EXPECT_EQ(scheduler.next_deadline(), Instant::Never());
}

TEST(Scheduler, AResultAtTheDeadlineIsLateButAccepted) {
  Scheduler scheduler({}, 1);
  scheduler.Handle(Join("w1"), At(absl::ZeroDuration()));
  scheduler.Handle(JobSubmitted{Job(1)}, At(absl::ZeroDuration()));
  scheduler.Handle(LeaseStarted{"w1", {1, 1}}, At(absl::ZeroDuration()));
  Hear(scheduler, "w1", absl::Seconds(59));
  const Decisions decisions = scheduler.Handle(Result("w1", {1, 1}, 0), At(absl::Seconds(60)));
  EXPECT_TRUE(Has(decisions, "lease_lapsed"));
  EXPECT_TRUE(Has(decisions, "late_result_accepted"));
  ASSERT_TRUE(decisions.verdict.has_value());
  EXPECT_EQ(decisions.verdict->verdict, Verdict::kAccepted);
}

TEST(Scheduler, ReportsAJobAsItStands) {
  Scheduler scheduler({}, 1);
  EXPECT_EQ(scheduler.ViewJob("jobs/1"), std::nullopt);
  scheduler.Handle(Join("w1"), At(absl::ZeroDuration()));
  scheduler.Handle(JobSubmitted{Job(3)}, At(absl::Seconds(1)));
  scheduler.Handle(LeaseStarted{"w1", {1, 1}}, At(absl::Seconds(1)));
  EXPECT_EQ(scheduler.ViewJob("jobs/1")->remaining, std::nullopt);
  scheduler.Handle(Result("w1", {1, 1}, 0), At(absl::Seconds(3)));
  const std::optional<JobView> view = scheduler.ViewJob("jobs/1");
  ASSERT_TRUE(view.has_value());
  EXPECT_EQ(view->tiles_done, 1);
  EXPECT_EQ(view->first_grant, At(absl::Seconds(1)));
  EXPECT_EQ(view->last_accept, At(absl::Seconds(3)));
  ASSERT_TRUE(view->remaining.has_value());
  EXPECT_EQ(*view->remaining, absl::Seconds(4)) << "two tiles of 2 s";
  EXPECT_EQ(scheduler.ViewWorkers().size(), 1u);
}

TEST(Scheduler, ForgetsOnlyEndedJobs) {
  Scheduler scheduler({}, 1);
  scheduler.Handle(JobSubmitted{Job(3)}, At(absl::ZeroDuration()));
  scheduler.Forget("jobs/1");
  EXPECT_TRUE(scheduler.ViewJob("jobs/1").has_value());
  scheduler.Handle(JobStopped{"jobs/1", "Enough."}, At(absl::ZeroDuration()));
  EXPECT_TRUE(scheduler.ViewJob("jobs/1").has_value());
  scheduler.Forget("jobs/1");
  EXPECT_FALSE(scheduler.ViewJob("jobs/1").has_value());
}

TEST(Scheduler, ForgetsAWorkerThatLeftAnHourAgo) {
  Scheduler scheduler({}, 1);
  scheduler.Handle(Join("w1"), At(absl::ZeroDuration()));
  scheduler.Handle(JobSubmitted{Job(3)}, At(absl::ZeroDuration()));
  scheduler.Handle(LeaseStarted{"w1", {1, 1}}, At(absl::ZeroDuration()));
  scheduler.Handle(StreamClosed{"w1", "w1-1"}, At(absl::Seconds(1)));
  scheduler.Handle(Tick{}, At(absl::Hours(2)));
  EXPECT_EQ(scheduler.next_deadline(), Instant::Never());
  // Its result is judged like any other, but a strict job wants to know its environment.
  const Decisions decisions = scheduler.Handle(Result("w1", {1, 1}, 0), At(absl::Hours(2)));
  ASSERT_TRUE(decisions.verdict.has_value());
  EXPECT_TRUE(scheduler.CheckInvariants().ok()) << scheduler.CheckInvariants();
}

TEST(Scheduler, EndsAnEmptyJobAtOnce) {
  Scheduler scheduler({}, 1);
  const Decisions decisions = scheduler.Handle(JobSubmitted{Job(0)}, At(absl::ZeroDuration()));
  ASSERT_EQ(decisions.job_ends.size(), 1u);
  EXPECT_TRUE(decisions.job_ends[0].status.ok());
}

TEST(Scheduler, LimitsNoticesOfOneKind) {
  SchedulerOptions options;
  options.notices_per_kind_max = 3;
  Scheduler scheduler(options, 1);
  scheduler.Handle(Join("w1"), At(absl::ZeroDuration()));
  scheduler.Handle(JobSubmitted{Job(2)}, At(absl::ZeroDuration()));
  int notices = 0;
  std::string last;
  for (int i = 0; i < 10; ++i) {
    ResultArrived wrong = Result("w1", {1, 77}, 0);
    wrong.generation = 9;
    for (const Notice& notice : scheduler.Handle(wrong, At(absl::ZeroDuration())).notices) {
      ++notices;
      last = notice.text;
    }
  }
  EXPECT_EQ(notices, 3);
  EXPECT_NE(last.find("Further notices of this kind are left out."), std::string::npos) << last;
}

// Its lease lapsed before its silence was noticed: the job must learn of the second as well.
TEST(Scheduler, TellsTheJobThatAWorkerWithALapsedLeaseIsGone) {
  Scheduler scheduler({}, 1);
  JobSpec job = Job(1);
  job.tile_timeout = absl::Seconds(3);
  scheduler.Handle(Join("w1"), At(absl::ZeroDuration()));
  scheduler.Handle(JobSubmitted{job}, At(absl::ZeroDuration()));
  scheduler.Handle(LeaseStarted{"w1", {1, 1}}, At(absl::ZeroDuration()));
  EXPECT_TRUE(Has(scheduler.Handle(Tick{}, At(absl::Seconds(3))), "lease_lapsed"));
  std::string told;
  for (const Notice& notice : scheduler.Handle(Tick{}, At(absl::Seconds(8))).notices) {
    if (notice.kind == "worker_gone") told = notice.job;
  }
  EXPECT_EQ(told, "jobs/1");
}

}  // namespace
}  // namespace tilewright
