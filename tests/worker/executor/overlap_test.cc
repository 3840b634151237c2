// A batch in flight: the executor, in its decorators, on a device that goes on by itself.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/worker/executor/fake_device.h"
#include "tests/worker/executor/stage_fixture.h"
#include "worker/executor/checking_executor.h"
#include "worker/executor/core_executor.h"
#include "worker/executor/logging_executor.h"
#include "worker/executor/memory_reporter.h"
#include "worker/executor/repeat_guard.h"
#include "worker/executor/timing_executor.h"
#include "worker/executor/watchdog.h"

namespace tilewright {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

using Clock = std::chrono::steady_clock;

class OverlapTest : public testing::Test {
 protected:
  // Composed as the worker does it.
  std::unique_ptr<Executor> Create(FakeDevice::Staging staging = FakeDevice::Staging::kOfEachRun) {
    device_ = std::make_unique<FakeDevice>(&log_, staging);
    std::unique_ptr<Engine> engine =
        std::make_unique<FakeDeviceEngine>(device_.get(), [this](const LocalModel& model) {
          return [this, digest = model.digest](const std::vector<NetworkTile>& inputs) {
            return Compute(digest, inputs);
          };
        });
    engine = CreateMemoryReporter(std::move(engine), &measurements_, [this] { return now_; });
    engine = CreateRepeatGuard(std::move(engine));
    engine = CreateWatchedEngine(std::move(engine), &watchdog_);
    std::vector<std::unique_ptr<Engine>> engines;
    engines.push_back(std::move(engine));
    std::unique_ptr<Executor> executor = CreateCoreExecutor(std::move(engines));
    executor = CreateWatchedExecutor(std::move(executor), &watchdog_);
    executor = CreateCheckingExecutor(std::move(executor));
    executor = CreateTimingExecutor(std::move(executor), &measurements_);
    executor = CreateLoggingExecutor(std::move(executor), spdlog::default_logger());
    for (const char* digest : {"a", "b"}) {
      LocalModel model = FakeModel(1, 1);
      model.digest = digest;
      const absl::Status prepared = executor->Prepare(Spec(digest), model, {});
      EXPECT_TRUE(prepared.ok()) << prepared;
    }
    return executor;
  }

  // Model a adds 1 step, b adds 2.
  Stage::Outputs Compute(const std::string& digest, std::vector<NetworkTile> tiles) {
    const uint64_t first = tiles.front().index;
    if (fail_once_ == first && tiles.size() > 1) {
      fail_once_.reset();
      return EngineError(v1::FAILURE_CAUSE_OUT_OF_MEMORY, "no room", 4096);
    }
    if (tiles.size() > tiles_max_) {
      return EngineError(v1::FAILURE_CAUSE_OUT_OF_MEMORY, "no room", 4096);
    }
    if (seconds_ > 0) {
      for (const auto start = Clock::now();
           std::chrono::duration<double>(Clock::now() - start).count() < seconds_;) {
      }
    }
    for (NetworkTile& tile : tiles) {
      for (float& value : tile.values) value += (digest == "a" ? 1.0f : 2.0f) / 255;
    }
    return tiles;
  }

  static v1::StageSpec Spec(const std::string& digest) {
    v1::StageSpec spec = FakeStageSpec(1, 1);
    spec.set_model_digest(digest);
    spec.set_batch(2);
    return spec;
  }
  // Two tiles, `first` and the one behind it, whose samples are their own.
  static std::vector<TileTask> Tasks(const v1::StageSpec& spec, uint64_t first) {
    std::vector<TileTask> tasks;
    for (const uint64_t index : {first, first + 1}) {
      tasks.push_back(FakeTask(index, spec, static_cast<int>(10 * index)));
    }
    return tasks;
  }

  // Batch k of the models is that of tiles 2k and 2k + 1, each begun before the one before it
  // lands.
  std::vector<TileOutcome> RunAhead(Executor& executor, const std::string& models) {
    std::vector<v1::StageSpec> specs;
    for (const char model : models) specs.push_back(Spec(std::string(1, model)));
    std::vector<TileOutcome> all;
    std::deque<InFlight<Executor::Outcomes>> in_flight;
    const auto land = [&] {
      for (TileOutcome& outcome : std::move(in_flight.front()).Land()) {
        all.push_back(std::move(outcome));
      }
      in_flight.pop_front();
    };
    for (size_t k = 0; k < specs.size(); ++k) {
      in_flight.push_back(executor.Begin(specs[k], Tasks(specs[k], 2 * k)));
      if (k > 0) land();
    }
    land();
    return all;
  }

  // Whether each outcome is the tile's own of its model.
  static bool Right(const std::vector<TileOutcome>& outcomes, const std::string& models) {
    if (outcomes.size() != 2 * models.size()) return false;
    for (size_t i = 0; i < outcomes.size(); ++i) {
      if (outcomes[i].index != i || !outcomes[i].samples.ok()) return false;
      const int step = models[i / 2] == 'a' ? 1 : 2;
      for (int s = 0; s < 8; ++s) {
        if (AsInts(outcomes[i].samples->bytes())[static_cast<size_t>(s)] !=
            static_cast<int>(10 * i) + s + step) {
          return false;
        }
      }
    }
    return true;
  }

  std::vector<std::string> log_;
  Instant now_ = Instant::FromStart(absl::Seconds(100));
  Measurements measurements_;
  Watchdog watchdog_{WatchdogLimits(), [this] { return now_; }};
  std::unique_ptr<FakeDevice> device_;
  std::optional<uint64_t> fail_once_;  // the whole batch that begins with that tile
  size_t tiles_max_ = 2;               // for which there is memory
  double seconds_ = 0;                 // of a run
};

TEST_F(OverlapTest, ABatchBeginsBeforeTheOneBeforeItLands) {
  const auto executor = Create();
  EXPECT_TRUE(Right(RunAhead(*executor, "aaa"), "aaa"));
  EXPECT_THAT(log_, ElementsAre("begin 0", "begin 2", "done 0", "land 0", "begin 4", "done 2",
                                "land 2", "done 4", "land 4"));
}

TEST_F(OverlapTest, ADeviceThatIsAheadOfItsReaderChangesNothing) {
  const auto executor = Create();
  const v1::StageSpec spec = Spec("a");
  InFlight<Executor::Outcomes> first = executor->Begin(spec, Tasks(spec, 0));
  InFlight<Executor::Outcomes> second = executor->Begin(spec, Tasks(spec, 2));
  EXPECT_TRUE(first.overlaps() && second.overlaps());
  device_->DoNext();
  device_->DoNext();
  std::vector<TileOutcome> all = std::move(first).Land();
  for (TileOutcome& outcome : std::move(second).Land()) all.push_back(std::move(outcome));
  EXPECT_TRUE(Right(all, "aa"));
}

TEST_F(OverlapTest, BatchesKeepTheirOwnBitsWhateverIsInFlightBesideThem) {
  for (const char* models : {"abababab", "aaaa", "bbbb", "aabbaabb"}) {
    const auto executor = Create();
    EXPECT_TRUE(Right(RunAhead(*executor, models), models)) << models;
  }
}

TEST_F(OverlapTest, OneStagingBufferForAllIsSeen) {
  const auto executor = Create(FakeDevice::Staging::kShared);
  EXPECT_FALSE(Right(RunAhead(*executor, "aaaa"), "aaaa")) << "the control";
}

TEST_F(OverlapTest, AnotherStageWaitsForWhatIsInFlight) {
  const auto executor = Create();
  const v1::StageSpec a = Spec("a");
  const v1::StageSpec b = Spec("b");
  InFlight<Executor::Outcomes> first = executor->Begin(a, Tasks(a, 0));
  InFlight<Executor::Outcomes> second = executor->Begin(b, Tasks(b, 2));
  EXPECT_FALSE(second.overlaps());
  std::vector<TileOutcome> all = std::move(first).Land();
  InFlight<Executor::Outcomes> third = executor->Begin(a, Tasks(a, 4));
  EXPECT_FALSE(third.overlaps()) << "the one before it has not even begun";
  for (TileOutcome& outcome : std::move(second).Land()) all.push_back(std::move(outcome));
  for (TileOutcome& outcome : std::move(third).Land()) all.push_back(std::move(outcome));
  EXPECT_TRUE(Right(all, "aba"));
  EXPECT_TRUE(executor->Begin(a, Tasks(a, 6)).overlaps()) << "alone again";
}

TEST_F(OverlapTest, ABatchThatFailsLetsTheOneBehindItLandAndThenClimbsDown) {
  const auto executor = Create();
  fail_once_ = 0;
  const std::vector<TileOutcome> outcomes = RunAhead(*executor, "aaa");
  EXPECT_TRUE(Right(outcomes, "aaa"));
  EXPECT_THAT(log_, ElementsAre("begin 0", "begin 2", "done 0", "land 0", "done 2", "land 2",
                                "begin 0", "done 0", "land 0", "begin 4", "done 4", "land 4"));
  EXPECT_THAT(outcomes[0].cost.ladder(), ElementsAre(v1::LADDER_STEP_DROPPED_CACHES));
  EXPECT_THAT(outcomes[2].cost.ladder(), IsEmpty()) << "it had come out before";
}

TEST_F(OverlapTest, BatchesInFlightThatBothFailComeOutOfTheLadderBoth) {
  const auto executor = Create();
  tiles_max_ = 1;
  const std::vector<TileOutcome> outcomes = RunAhead(*executor, "aaa");
  EXPECT_TRUE(Right(outcomes, "aaa"));
  for (const size_t i : {size_t{0}, size_t{2}, size_t{4}}) {
    EXPECT_EQ(outcomes[i].cost.ladder(outcomes[i].cost.ladder_size() - 1),
              v1::LADDER_STEP_SMALLER_BATCH);
  }
}

TEST_F(OverlapTest, OfAStrictJobOnlyWhatIsOfItsClassBeginsAhead) {
  const auto executor = Create();
  v1::StageSpec spec = Spec("a");
  spec.set_strict(true);
  spec.set_canary_seed(7);
  const auto canary = executor->RunCanary(spec, 7);
  ASSERT_TRUE(canary.ok()) << canary.status();
  spec.set_numeric_class(canary->digest);
  InFlight<Executor::Outcomes> begun = executor->Begin(spec, Tasks(spec, 0));
  EXPECT_TRUE(begun.overlaps());
  EXPECT_TRUE(Right(std::move(begun).Land(), "a"));
  spec.set_numeric_class("another");
  InFlight<Executor::Outcomes> refused = executor->Begin(spec, Tasks(spec, 2));
  EXPECT_FALSE(refused.overlaps());
  EXPECT_FALSE(std::move(refused).Land()[0].samples.ok());
}

TEST_F(OverlapTest, NoMomentCountsTwice) {
  const auto executor = Create();
  seconds_ = 0.002;
  const auto start = Clock::now();
  const std::vector<TileOutcome> outcomes = RunAhead(*executor, "aaaa");
  const std::chrono::duration<double> wall = Clock::now() - start;
  double engine = 0;
  double total = 0;
  for (const TileOutcome& outcome : outcomes) {
    engine += outcome.cost.engine_seconds();
    total += outcome.cost.total_seconds();
  }
  EXPECT_GE(engine, 4 * seconds_);
  EXPECT_LE(engine, wall.count());
  EXPECT_LE(total, wall.count());
}

TEST_F(OverlapTest, ARunThatNeverEndsIsNoticedWithAnotherInFlight) {
  const auto executor = Create();
  v1::StageSpec spec = Spec("a");
  spec.set_deadline_ms(1000);
  InFlight<Executor::Outcomes> first = executor->Begin(spec, Tasks(spec, 0));
  InFlight<Executor::Outcomes> second = executor->Begin(spec, Tasks(spec, 2));
  now_ = now_ + absl::Seconds(59);
  EXPECT_FALSE(watchdog_.Blown().has_value());
  std::move(first).Land();
  now_ = now_ + absl::Seconds(59);
  EXPECT_FALSE(watchdog_.Blown().has_value()) << "the device came to the end of the first";
  now_ = now_ + absl::Seconds(1);
  EXPECT_THAT(watchdog_.Blown().value_or(""), testing::HasSubstr("tile 2 of jobs/a"));
  std::move(second).Land();
  EXPECT_FALSE(watchdog_.Blown().has_value());
}

}  // namespace
}  // namespace tilewright
