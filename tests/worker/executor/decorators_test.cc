#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/ostream_sink.h>

#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "tests/worker/executor/stage_fixture.h"
#include "worker/executor/checking_executor.h"
#include "worker/executor/executor.h"
#include "worker/executor/logging_executor.h"
#include "worker/executor/timing_executor.h"

namespace tilewright {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Answers each task by a function and remembers which tiles came.
class FakeExecutor : public Executor {
 public:
  using Answer = std::function<TileOutcome(const TileTask&)>;
  explicit FakeExecutor(Answer answer, std::vector<uint64_t>* seen = nullptr)
      : answer_(std::move(answer)), seen_(seen) {}
  absl::Status Prepare(const v1::StageSpec&, const LocalModel&,
                       const std::function<void(std::string)>& progress) override {
    progress("half way");
    return EngineError(v1::FAILURE_CAUSE_MODEL_ERROR, "cannot load");
  }
  InFlight<Outcomes> Begin(const v1::StageSpec&, std::vector<TileTask> tasks) override {
    return InFlight<Outcomes>([this, tasks = std::move(tasks)] {
      Outcomes outcomes;
      for (const TileTask& task : tasks) {
        if (seen_ != nullptr) seen_->push_back(task.index);
        outcomes.push_back(answer_(task));
      }
      return outcomes;
    });
  }
  absl::StatusOr<CanaryOutcome> RunCanary(const v1::StageSpec&, uint64_t) override {
    return CanaryOutcome{"abc", 0.5};
  }

 private:
  const Answer answer_;
  std::vector<uint64_t>* const seen_;
};

TileOutcome Echo(const TileTask& task) {
  TileOutcome outcome;
  outcome.index = task.index;
  outcome.samples = task.samples;
  return outcome;
}

TEST(CheckingExecutor, PassesWhatIsRight) {
  auto executor = CreateCheckingExecutor(std::make_unique<FakeExecutor>(Echo));
  const v1::StageSpec stage = FakeStageSpec(1, 1);
  const auto outcomes = executor->Execute(stage, {FakeTask(1, stage), FakeTask(2, stage)});
  ASSERT_EQ(outcomes.size(), 2u);
  EXPECT_TRUE(outcomes[0].samples.ok()) << outcomes[0].samples.status();
  EXPECT_TRUE(outcomes[1].samples.ok()) << outcomes[1].samples.status();
  EXPECT_EQ(outcomes[1].index, 2u);
}

TEST(CheckingExecutor, KeepsWrongTasksFromTheEngineAndTheOrderOfTheRest) {
  std::vector<uint64_t> seen;
  auto executor = CreateCheckingExecutor(std::make_unique<FakeExecutor>(Echo, &seen));
  v1::StageSpec stage = FakeStageSpec(1, 1);
  stage.set_batch(2);
  std::vector<TileTask> tasks;
  for (uint64_t i = 0; i < 7; ++i) tasks.push_back(FakeTask(i, stage));
  tasks[0].samples.pop_back();
  tasks[2].contribution.width = 5;
  tasks[3].input.width = 3;
  tasks[4].index = 1;
  const auto outcomes = executor->Execute(stage, tasks);
  EXPECT_THAT(seen, ElementsAre(1, 5)) << "the batch of two is full then";
  ASSERT_EQ(outcomes.size(), 7u);
  const auto message = [&outcomes](size_t i) {
    EXPECT_EQ(CauseOf(outcomes[i].samples.status()), v1::FAILURE_CAUSE_REFUSED) << i;
    return std::string(outcomes[i].samples.status().message());
  };
  EXPECT_EQ(message(0), "tile 0: it came with 7 bytes instead of 8");
  EXPECT_TRUE(outcomes[1].samples.ok());
  EXPECT_EQ(message(2), "tile 2: its contribution 5x2+8+0 is not within its output 4x2+8+0");
  EXPECT_EQ(message(3), "tile 3: its input is 3x2+12+0, the stage's tiles are 4x2");
  EXPECT_EQ(message(4), "tile 1 came twice in one batch");
  EXPECT_TRUE(outcomes[5].samples.ok());
  EXPECT_EQ(message(6), "tile 6 is beyond the batch of 2");
}

TEST(CheckingExecutor, TurnsAResultOfTheWrongSizeIntoABadResult) {
  auto executor = CreateCheckingExecutor(std::make_unique<FakeExecutor>([](const TileTask& task) {
    TileOutcome outcome = Echo(task);
    outcome.samples = std::vector<std::byte>(outcome.samples->size() + 1);
    return outcome;
  }));
  const v1::StageSpec stage = FakeStageSpec(1, 1);
  const auto outcomes = executor->Execute(stage, {FakeTask(0, stage)});
  EXPECT_EQ(CauseOf(outcomes[0].samples.status()), v1::FAILURE_CAUSE_BAD_RESULT);
  EXPECT_THAT(std::string(outcomes[0].samples.status().message()),
              HasSubstr("the result has 9 bytes, its contribution 4x2+0+0 has 8"));
}

TEST(TimingExecutor, SharesTheSecondsOfABatch) {
  auto executor = CreateTimingExecutor(std::make_unique<FakeExecutor>([](const TileTask& task) {
    volatile double sink = 1;
    for (int i = 0; i < 200000; ++i) sink = sink * 1.0000001;
    return Echo(task);
  }));
  const v1::StageSpec stage = FakeStageSpec(1, 1);
  const auto outcomes = executor->Execute(stage, {FakeTask(0, stage), FakeTask(1, stage)});
  EXPECT_GT(outcomes[0].cost.total_seconds(), 1e-5);
  EXPECT_LT(outcomes[0].cost.total_seconds(), 10);
  EXPECT_EQ(outcomes[0].cost.total_seconds(), outcomes[1].cost.total_seconds());
}

TEST(TimingExecutor, MeasuresTheSpeedOfBatchesThatTheEngineComputedUnhindered) {
  Measurements measurements;
  v1::Capabilities capabilities;
  capabilities.add_engine_offers()->set_name("fake");
  bool fails = false;
  bool climbs = false;
  auto executor = CreateTimingExecutor(std::make_unique<FakeExecutor>([&](const TileTask& task) {
                                         TileOutcome outcome = Echo(task);
                                         outcome.cost.set_engine_seconds(0.5);
                                         if (fails) outcome.samples = absl::InternalError("no");
                                         if (climbs)
                                           outcome.cost.add_ladder(v1::LADDER_STEP_DROPPED_CACHES);
                                         return outcome;
                                       }),
                                       &measurements);
  const v1::StageSpec stage = FakeStageSpec(1, 1);
  const auto execute = [&](double flops_per_pixel) {
    LocalModel model = FakeModel(1, 1);
    model.manifest.set_flops_per_pixel(flops_per_pixel);
    executor->Prepare(stage, model, [](const std::string&) {}).IgnoreError();
    executor->Execute(stage, {FakeTask(0, stage), FakeTask(1, stage)});
    return measurements.TakeChanges(&capabilities);
  };
  EXPECT_FALSE(execute(kFlopsPerPixelMin - 1)) << "hardly a computation";
  fails = true;
  EXPECT_FALSE(execute(1e6));
  fails = false;
  climbs = true;
  EXPECT_FALSE(execute(1e6));
  climbs = false;
  EXPECT_TRUE(execute(1e6));
  EXPECT_DOUBLE_EQ(capabilities.probe_flops(), 1e6 * 4 * 2 / 0.5);
}

TEST(LoggingExecutor, NamesJobTileLeaseAndCauseInEveryLine) {
  std::ostringstream text;
  auto logger = std::make_shared<spdlog::logger>(
      "test", std::make_shared<spdlog::sinks::ostream_sink_st>(text));
  logger->set_level(spdlog::level::debug);
  auto executor = CreateLoggingExecutor(std::make_unique<FakeExecutor>([](const TileTask& task) {
                                          TileOutcome outcome = Echo(task);
                                          if (task.index == 8) {
                                            outcome.samples = EngineError(
                                                v1::FAILURE_CAUSE_BAD_RESULT, "not finite");
                                          }
                                          return outcome;
                                        }),
                                        logger);
  const v1::StageSpec stage = FakeStageSpec(1, 1);
  std::vector<TileTask> tasks = {FakeTask(7, stage), FakeTask(8, stage)};
  tasks[0].lease = tasks[1].lease = "3/17";
  executor->Execute(stage, tasks);
  EXPECT_FALSE(executor->Prepare(stage, FakeModel(0, 0), {}).ok());
  EXPECT_TRUE(executor->RunCanary(stage, 5).ok());
  logger->flush();
  EXPECT_THAT(text.str(), HasSubstr("job=jobs/a stage=0 model=models/fake/versions/1 tile=7 "
                                    "lease=3/17 computed in"));
  EXPECT_THAT(text.str(),
              HasSubstr("tile=8 lease=3/17 failed: not finite (FAILURE_CAUSE_BAD_RESULT)"));
  EXPECT_THAT(text.str(), HasSubstr("preparing: half way"));
  EXPECT_THAT(text.str(), HasSubstr("cannot be prepared: cannot load (FAILURE_CAUSE_MODEL_ERROR)"));
  EXPECT_THAT(text.str(), HasSubstr("canary 5: abc"));
}

}  // namespace
}  // namespace tilewright
