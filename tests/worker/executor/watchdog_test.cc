#include "worker/executor/watchdog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/worker/executor/fake_engine.h"
#include "tests/worker/executor/stage_fixture.h"
#include "worker/executor/core_executor.h"

namespace tilewright {
namespace {

class WatchdogTest : public testing::Test {
 protected:
  void Pass(absl::Duration time) { now_ = now_ + time; }

  Instant now_ = Instant::FromStart(absl::Seconds(100));
  Watchdog watchdog_{WatchdogLimits(), [this] { return now_; }};
};

TEST_F(WatchdogTest, WaitsTenDeadlinesAndAtLeastAMinute) {
  for (const auto& [deadline, patience] :
       std::vector<std::pair<absl::Duration, absl::Duration>>{{absl::Seconds(5), absl::Seconds(60)},
                                                              {absl::Seconds(6), absl::Seconds(60)},
                                                              {absl::Seconds(7), absl::Seconds(70)},
                                                              {absl::Hours(1), absl::Hours(10)}}) {
    watchdog_.Expect(deadline, "tile 3");
    watchdog_.Begin();
    Pass(patience - absl::Nanoseconds(1));
    EXPECT_FALSE(watchdog_.Blown().has_value()) << deadline;
    Pass(absl::Nanoseconds(1));
    EXPECT_TRUE(watchdog_.Blown().has_value()) << deadline;
    watchdog_.End();
    EXPECT_FALSE(watchdog_.Blown().has_value()) << "nothing runs";
  }
}

TEST_F(WatchdogTest, SaysWhatHung) {
  watchdog_.Expect(absl::Seconds(9), "tile 3 of jobs/a");
  watchdog_.Begin();
  Pass(absl::Seconds(95));
  EXPECT_EQ(watchdog_.Blown().value_or(""),
            "the device has made no progress for 1m35s with tile 3 of jobs/a, whose deadline was "
            "9s");
}

TEST_F(WatchdogTest, LeavesWorkAloneWhoseDeadlineNobodySaid) {
  watchdog_.Expect(absl::ZeroDuration(), "tile 3");
  watchdog_.Begin();
  Pass(absl::Hours(100));
  EXPECT_FALSE(watchdog_.Blown().has_value());
}

TEST_F(WatchdogTest, GivesLoadingABudgetThatEachWordOfProgressRenews) {
  bool blown_early = false;
  bool blown_late = false;
  class SlowToLoad : public FakeEngine {
   public:
    SlowToLoad(std::function<void(const std::function<void(std::string)>&)> load)
        : FakeEngine({}, nullptr), load_(std::move(load)) {}
    absl::StatusOr<std::unique_ptr<Stage>> Load(
        const LocalModel& model, const StageKey& key,
        const std::function<void(std::string)>& progress) override {
      load_(progress);
      return FakeEngine::Load(model, key, {});
    }

   private:
    const std::function<void(const std::function<void(std::string)>&)> load_;
  };
  const auto engine = CreateWatchedEngine(
      std::make_unique<SlowToLoad>([&](const std::function<void(std::string)>& progress) {
        for (int i = 0; i < 3; ++i) {
          Pass(absl::Minutes(10) - absl::Nanoseconds(1));
          blown_early = blown_early || watchdog_.Blown().has_value();
          progress("it moves");
        }
        Pass(absl::Minutes(10));
        blown_late = watchdog_.Blown() == "there has been no progress for 10m with loading network";
      }),
      &watchdog_);
  ASSERT_TRUE(engine->Load(FakeModel(1, 1), {}, {}).ok());
  EXPECT_FALSE(blown_early);
  EXPECT_TRUE(blown_late);
  EXPECT_FALSE(watchdog_.Blown().has_value()) << "it is loaded";
}

TEST_F(WatchdogTest, EachAttemptOfTheLadderCountsForItself) {
  int runs = 0;
  bool blown = false;
  std::vector<std::unique_ptr<Engine>> engines;
  engines.push_back(CreateWatchedEngine(
      std::make_unique<FakeEngine>(
          [&](const std::vector<NetworkTile>& inputs) -> absl::StatusOr<std::vector<NetworkTile>> {
            blown = blown || watchdog_.Blown().has_value();
            Pass(absl::Seconds(59));
            blown = blown || watchdog_.Blown().has_value();
            if (++runs < 3) return EngineError(v1::FAILURE_CAUSE_OUT_OF_MEMORY, "no room");
            return inputs;
          },
          nullptr),
      &watchdog_));
  const auto executor = CreateWatchedExecutor(CreateCoreExecutor(std::move(engines)), &watchdog_);
  v1::StageSpec stage = FakeStageSpec(1, 1);
  stage.set_deadline_ms(1000);
  ASSERT_TRUE(executor->Prepare(stage, FakeModel(1, 1), {}).ok());
  const auto outcomes = executor->Execute(stage, {FakeTask(0, stage)});
  ASSERT_TRUE(outcomes[0].samples.ok()) << outcomes[0].samples.status();
  EXPECT_GE(runs, 3);
  EXPECT_FALSE(blown);
  // The control: a single run of that length is a hang.
  watchdog_.Begin();
  Pass(absl::Seconds(60));
  EXPECT_TRUE(watchdog_.Blown().has_value());
}

}  // namespace
}  // namespace tilewright
