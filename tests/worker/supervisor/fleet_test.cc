// The fleet as a state machine: what it orders after each event, at literal times.

#include "worker/supervisor/fleet.h"

#include <signal.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "worker/exit_code.h"
#include "worker/supervisor/status_file.h"

namespace tilewright {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr Instant At(absl::Duration since_start) { return Instant::FromStart(since_start); }
Instant At(double seconds) { return At(absl::Seconds(seconds)); }

class FleetTest : public testing::Test {
 protected:
  void Begin(std::vector<WorkerPlace> workers, bool cpu_fallback = false) {
    FleetOptions options;
    options.restart.cpu_fallback = cpu_fallback;
    Places places;
    places.workers = std::move(workers);
    places.fallback_threads = 4;
    fleet_.emplace(
        options, places, [] { return 1.0; }, At(0));
  }
  void BeginOne() { Begin({{"w", "cpu", 2}}); }

  // Launches and signals in order, as text; what was said goes to said_.
  std::string Told(const Orders& orders) {
    std::vector<std::string> told;
    for (const Order& order : orders) {
      if (const auto* launch = std::get_if<Launch>(&order)) {
        told.push_back(absl::StrCat("launch ", launch->name, " ", launch->device, " t",
                                    launch->threads, " r", launch->rung));
      } else if (const auto* send = std::get_if<SendSignal>(&order)) {
        told.push_back(absl::StrCat("signal ", send->process, " ", send->signal));
      } else {
        said_ = std::get<Say>(order).text;
      }
    }
    return absl::StrJoin(told, ", ");
  }
  std::string Tick(double seconds) { return Told(fleet_->OnTick(At(seconds))); }
  std::string Exit(int process, WorkerExit code, double seconds) {
    return Told(fleet_->OnEnd(process, {.exit_code = static_cast<int>(code)}, At(seconds)));
  }
  void Start(size_t slot, int process, double seconds) {
    Told(fleet_->Started(slot, process, At(seconds)));
  }
  SlotState state(size_t slot = 0) { return fleet_->slots()[slot].state; }
  // One worker that runs as process 10 from second 0.
  void RunOne() {
    BeginOne();
    EXPECT_EQ(Tick(0), "launch w cpu t2 r0");
    Start(0, 10, 0);
  }

  std::optional<Fleet> fleet_;
  std::string said_;
};

const std::string kTerm = absl::StrCat(SIGTERM);
const std::string kKill = absl::StrCat(SIGKILL);

TEST_F(FleetTest, EveryWorkerIsLaunchedAtOnceAndOnlyOnce) {
  Begin({{"a", "cpu", 2}, {"b", "cuda:0", 1}});
  EXPECT_EQ(Tick(0), "launch a cpu t2 r0, launch b cuda:0 t1 r0");
  Start(0, 10, 0);
  Start(1, 11, 0);
  EXPECT_EQ(Tick(1), "");
  EXPECT_EQ(fleet_->next_due(), Instant::Never());
  EXPECT_FALSE(fleet_->over());
}

TEST_F(FleetTest, ADeadWorkerStartsAgainWhenItsPauseIsOverAndNotBefore) {
  RunOne();
  EXPECT_EQ(Exit(10, WorkerExit::kInternal, 5), "");
  EXPECT_EQ(said_, "w: internal error (exit code 1); starting again in 1s");
  EXPECT_EQ(state(), SlotState::kWaiting);
  EXPECT_EQ(fleet_->next_due(), At(6));
  EXPECT_EQ(Told(fleet_->OnTick(At(absl::Seconds(6) - absl::Nanoseconds(1)))), "");
  EXPECT_EQ(Tick(6), "launch w cpu t2 r0");
  Start(0, 12, 6);
  EXPECT_EQ(fleet_->slots()[0].starts, 2);
  EXPECT_EQ(Exit(10, WorkerExit::kInternal, 7), "") << "of an earlier life";
  EXPECT_EQ(state(), SlotState::kRunning);
}

TEST_F(FleetTest, AWorkerThatRanOutOfMemoryStartsSmaller) {
  RunOne();
  Exit(10, WorkerExit::kOutOfMemory, 5);
  EXPECT_THAT(said_, HasSubstr("memory ran out (exit code 8); starting again in 1s with half"));
  EXPECT_EQ(Tick(6), "launch w cpu t2 r1");
}

TEST_F(FleetTest, AHealthySmallWorkerIsDrainedAndStartsAgainWithMore) {
  RunOne();
  Exit(10, WorkerExit::kHang, 5);
  Tick(6);
  Start(0, 11, 6);
  EXPECT_EQ(Tick(605.9), "");
  EXPECT_EQ(Tick(606), absl::StrCat("signal 11 ", kTerm));
  EXPECT_EQ(state(), SlotState::kDraining);
  EXPECT_EQ(Exit(11, WorkerExit::kStopped, 608), "");
  EXPECT_EQ(Tick(608), "launch w cpu t2 r0");
}

TEST_F(FleetTest, ADrainToStartAgainBecomesOneForGoodWithoutASecondSignal) {
  RunOne();
  Exit(10, WorkerExit::kHang, 5);
  Tick(6);
  Start(0, 11, 6);
  Tick(606);
  EXPECT_EQ(Told(fleet_->OnEndRequest(At(607))), "") << "a second SIGTERM would mean: stop now";
  Exit(11, WorkerExit::kStopped, 608);
  EXPECT_TRUE(fleet_->over());
}

TEST_F(FleetTest, AGpuThatIsGivenUpIsToldAndServesOnTheCpuUnderAnotherName) {
  Begin({{"g", "cuda:0", 1}}, /*cpu_fallback=*/true);
  Tick(0);
  for (int death = 1; death <= 6; ++death) {
    Start(0, death, 100 * death);
    Exit(death, WorkerExit::kLaunchTimeout, 100 * death + 1);
    if (death < 6) {
      EXPECT_THAT(Tick(100 * death + 99), HasSubstr("launch g cuda:0 t1"));
    }
  }
  EXPECT_THAT(said_, HasSubstr("on the CPU as g-on-cpu: cuda:0 is given up"));
  EXPECT_EQ(Tick(700), "launch g-on-cpu cpu t4 r0");
  EXPECT_THAT(StatusJson(*fleet_, 1, At(700), absl::UnixEpoch()),
              HasSubstr(R"("name": "g-on-cpu", "device": "cpu", "asked_device": "cuda:0")"));
}

TEST_F(FleetTest, AWorkerThatSomebodyEndedStaysEndedAndTheOthersGoOn) {
  Begin({{"a", "cpu", 1}, {"b", "cpu", 1}});
  Tick(0);
  Start(0, 10, 0);
  Start(1, 11, 0);
  Exit(10, WorkerExit::kStopped, 3);
  EXPECT_THAT(said_, HasSubstr("not started again, because nobody here ended it"));
  EXPECT_EQ(Tick(1000), "");
  EXPECT_FALSE(fleet_->over());
  Exit(11, WorkerExit::kStopped, 1001);
  EXPECT_TRUE(fleet_->over());
  EXPECT_EQ(fleet_->exit_code(), 0);
}

TEST_F(FleetTest, WrongFlagsEndTheProgramWithTwo) {
  RunOne();
  Exit(10, WorkerExit::kUsage, 1);
  EXPECT_TRUE(fleet_->over());
  EXPECT_EQ(fleet_->exit_code(), 2);
}

TEST_F(FleetTest, AProgramThatCannotBeExecutedIsTriedSlowly) {
  BeginOne();
  Tick(0);
  Told(fleet_->NotStarted(0, "/x: No such file or directory", At(0)));
  EXPECT_EQ(said_, "w: /x: No such file or directory; starting again in 30s");
  EXPECT_EQ(fleet_->slots()[0].starts, 0);
  EXPECT_EQ(Tick(30), "launch w cpu t2 r0");
}

TEST_F(FleetTest, TheFirstRequestDrainsTheSecondStopsAndLatenessKills) {
  Begin({{"a", "cpu", 1}, {"b", "cpu", 1}});
  Tick(0);
  Start(0, 10, 0);
  Start(1, 11, 0);
  Exit(11, WorkerExit::kInternal, 1);  // waits for its next start
  EXPECT_EQ(Told(fleet_->OnEndRequest(At(1.5))), absl::StrCat("signal 10 ", kTerm));
  EXPECT_EQ(state(1), SlotState::kEnded);
  EXPECT_EQ(Tick(31.4), "") << "20 s to drain and 10 s of grace";
  EXPECT_EQ(Told(fleet_->OnEndRequest(At(31.4))), absl::StrCat("signal 10 ", kTerm));
  EXPECT_EQ(Told(fleet_->OnEndRequest(At(31.4))), "") << "a third says nothing new";
  EXPECT_EQ(Tick(41.3), "");
  EXPECT_EQ(Tick(41.4), absl::StrCat("signal 10 ", kKill));
  EXPECT_EQ(Tick(500), "") << "killed once";
  Told(fleet_->OnEnd(10, {.signal = SIGKILL}, At(501)));
  EXPECT_TRUE(fleet_->over());
  EXPECT_EQ(fleet_->exit_code(), 0);
}

TEST_F(FleetTest, AWorkerThatDrainsTooLongIsStoppedAndThenKilled) {
  RunOne();
  Told(fleet_->OnEndRequest(At(1)));
  EXPECT_EQ(Tick(30.9), "");
  EXPECT_EQ(Tick(31), absl::StrCat("signal 10 ", kTerm));
  EXPECT_EQ(state(), SlotState::kStopping);
  EXPECT_EQ(Tick(41), absl::StrCat("signal 10 ", kKill));
}

TEST_F(FleetTest, TheEndOfAProcessThatIsNoWorkersIsIgnored) {
  RunOne();
  EXPECT_EQ(Exit(99, WorkerExit::kInternal, 1), "");
  EXPECT_EQ(Exit(0, WorkerExit::kInternal, 1), "");
  EXPECT_EQ(state(), SlotState::kRunning);
}

TEST_F(FleetTest, TheStatusTellsEachWorkersStandingInWords) {
  Begin({{"a", "cpu", 1}, {"say \"b\"", "cuda:0", 1}});
  Tick(0);
  Start(0, 10, 1);
  Start(1, 11, 1);
  Exit(11, WorkerExit::kOutOfMemory, 5);
  const std::string json = StatusJson(*fleet_, 77, At(6), absl::FromUnixSeconds(1'000'000'000));
  EXPECT_EQ(json, R"json({
  "version": 1,
  "supervisor": 77,
  "state": "running",
  "workers": [
    {"name": "a", "device": "cpu", "asked_device": "cpu", "state": "running", "since": "2001-09-09T01:46:35.000Z", "process": 10, "starts": 1, "rung": 0, "last_end": ""},
    {"name": "say \"b\"", "device": "cuda:0", "asked_device": "cuda:0", "state": "waiting", "since": "2001-09-09T01:46:39.000Z", "next_start": "2001-09-09T01:46:40.000Z", "process": 0, "starts": 1, "rung": 1, "last_end": "memory ran out (exit code 8)"}
  ]
}
)json");
  Told(fleet_->OnEndRequest(At(7)));
  EXPECT_THAT(StatusJson(*fleet_, 77, At(7), absl::UnixEpoch()),
              HasSubstr("\"state\": \"draining\",\n  \"workers\""));
  Exit(10, WorkerExit::kStopped, 8);
  EXPECT_THAT(StatusJson(*fleet_, 77, At(8), absl::UnixEpoch()), Not(HasSubstr("draining")));
}

}  // namespace
}  // namespace tilewright
