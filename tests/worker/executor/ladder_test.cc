#include "worker/executor/ladder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "tests/worker/executor/fake_engine.h"
#include "tests/worker/executor/stage_fixture.h"
#include "worker/executor/canary.h"

namespace tilewright {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr Size kShape{32, 32};

// A network whose memory is counted in pixels: a run of more than `pixels_max` runs out of it.
class LadderTest : public testing::Test {
 protected:
  absl::StatusOr<std::vector<NetworkTile>> Network(const std::vector<NetworkTile>& inputs) {
    ++runs_;
    int64_t pixels = 0;
    for (const NetworkTile& tile : inputs) pixels += tile.size.area();
    if (pixels > pixels_max_ || runs_ <= failing_runs_) {
      if (throws_) throw std::bad_alloc();
      return EngineError(v1::FAILURE_CAUSE_OUT_OF_MEMORY, "no room", 4096);
    }
    std::vector<NetworkTile> outputs = inputs;
    if (other_bits_when_small_ && pixels < batch_ * kShape.area()) outputs[0].values[0] += 1;
    return outputs;
  }

  std::unique_ptr<Ladder> Create(Rung first = Rung::kWholeBatch, bool with_cpu = false) {
    Ladder::Options options;
    options.first = first;
    options.engine = &engine_;
    options.cpu = with_cpu ? &cpu_ : nullptr;
    options.drop_caches = [this] { ++drops_; };
    StageNumbers numbers;
    numbers.shape = kShape;
    numbers.inputs = {{1, {}}};
    numbers.channels.samples_in = numbers.channels.network_in = 1;
    numbers.channels.samples_out = numbers.channels.network_out = 1;
    auto ladder =
        Ladder::Create(options, FakeModel(1, 1), {"digest", 0, kShape, 1, batch_, "fp32", ""},
                       numbers, /*halo=*/2, {});
    EXPECT_TRUE(ladder.ok()) << ladder.status();
    return *std::move(ladder);
  }

  absl::Status Run(Ladder& ladder, const v1::StageSpec& spec = {}) {
    std::vector<NetworkTile> tiles;
    for (int i = 0; i < batch_; ++i) {
      tiles.push_back({static_cast<uint64_t>(i), kShape, 1, std::vector<float>(32 * 32)});
      tiles.back().values[5] = 1;
    }
    LadderReport report;
    const auto outputs = ladder.Run(spec, tiles, &report);
    cost_.Clear();
    report.CopyTo(&cost_);
    proven_ = report.proven;
    device_seconds_ = report.device_seconds;
    if (!outputs.ok()) return outputs.status();
    for (int i = 0; i < batch_; ++i) {
      EXPECT_EQ((*outputs)[static_cast<size_t>(i)].index, static_cast<uint64_t>(i));
      if (!other_bits_when_small_) {
        EXPECT_EQ((*outputs)[static_cast<size_t>(i)].values, tiles[static_cast<size_t>(i)].values);
      }
    }
    return absl::OkStatus();
  }

  std::vector<v1::LadderStep> Steps() const {
    std::vector<v1::LadderStep> steps;
    for (int i = 0; i < cost_.ladder_size(); ++i) steps.push_back(cost_.ladder(i));
    EXPECT_EQ(cost_.steps_size(), cost_.ladder_size());
    return steps;
  }

  int batch_ = 1;
  int64_t pixels_max_ = 1 << 20;
  int failing_runs_ = 0;
  bool throws_ = false;
  bool other_bits_when_small_ = false;
  int runs_ = 0;
  int drops_ = 0;
  v1::TileCost cost_;
  bool proven_ = true;
  double device_seconds_ = 0;
  FakeEngine engine_{[this](const auto& inputs) { return Network(inputs); }, nullptr};
  int cpu_loads_ = 0;
  FakeEngine cpu_{
      [](const auto& inputs) { return absl::StatusOr<std::vector<NetworkTile>>(inputs); },
      &cpu_loads_};
};

v1::StageSpec Strict() {
  v1::StageSpec spec;
  spec.set_strict(true);
  return spec;
}

TEST_F(LadderTest, SaysNothingWhereMemorySuffices) {
  auto ladder = Create();
  ASSERT_TRUE(Run(*ladder).ok());
  EXPECT_THAT(Steps(), IsEmpty());
  EXPECT_TRUE(proven_);
  EXPECT_EQ(runs_, 1);
}

TEST_F(LadderTest, ReportsWhatRunsNote) {
  batch_ = 4;
  engine_.SetNotes({.device_seconds = 0.5, .without_graph = "no module"});
  auto whole = Create();
  ASSERT_TRUE(Run(*whole, Strict()).ok());
  EXPECT_THAT(Steps(), ElementsAre(v1::LADDER_STEP_NO_GRAPH));
  EXPECT_EQ(cost_.steps(0), "no module");
  EXPECT_TRUE(proven_) << "the bits are the same without a graph";
  EXPECT_EQ(device_seconds_, 0.5);
  auto halves = Create(Rung::kHalfBatch);
  ASSERT_TRUE(Run(*halves).ok());
  EXPECT_THAT(Steps(), ElementsAre(v1::LADDER_STEP_SMALLER_BATCH, v1::LADDER_STEP_NO_GRAPH));
  EXPECT_EQ(device_seconds_, 1) << "of two runs";
}

TEST_F(LadderTest, DropsCachesAndTriesOnceMore) {
  failing_runs_ = 1;
  for (const bool throws : {false, true}) {
    throws_ = throws;
    runs_ = drops_ = 0;
    auto ladder = Create();
    ASSERT_TRUE(Run(*ladder, Strict()).ok());
    EXPECT_THAT(Steps(), ElementsAre(v1::LADDER_STEP_DROPPED_CACHES));
    EXPECT_EQ(drops_, 1);
    EXPECT_EQ(runs_, 2);
    EXPECT_TRUE(proven_);
  }
}

TEST_F(LadderTest, HalvesTheBatchUntilItFitsAndStaysThere) {
  batch_ = 8;
  pixels_max_ = 2 * kShape.area();
  auto ladder = Create();
  ASSERT_TRUE(Run(*ladder).ok());
  EXPECT_THAT(Steps(), ElementsAre(v1::LADDER_STEP_DROPPED_CACHES, v1::LADDER_STEP_SMALLER_BATCH));
  EXPECT_EQ(cost_.steps(1), "executed 2 at once instead of 8");
  EXPECT_FALSE(proven_);
  runs_ = 0;
  ASSERT_TRUE(Run(*ladder).ok());
  EXPECT_EQ(runs_, 4);
  EXPECT_THAT(Steps(), ElementsAre(v1::LADDER_STEP_SMALLER_BATCH)) << "each tile's report says it";
}

TEST_F(LadderTest, CutsATileIntoSubTilesWithItsHalo) {
  pixels_max_ = 20 * 20;
  auto ladder = Create();
  ASSERT_TRUE(Run(*ladder).ok());
  EXPECT_THAT(Steps(), ElementsAre(v1::LADDER_STEP_DROPPED_CACHES, v1::LADDER_STEP_SUB_TILES));
  EXPECT_EQ(cost_.steps(1), "computed in 4 sub-tiles of 18x18");
}

TEST_F(LadderTest, HandsBackWithThePeakWhereNothingSuffices) {
  pixels_max_ = 10;
  auto ladder = Create(Rung::kWholeBatch, /*with_cpu=*/true);
  const absl::Status status = Run(*ladder);
  EXPECT_EQ(CauseOf(status), v1::FAILURE_CAUSE_OUT_OF_MEMORY);
  EXPECT_EQ(PeakBytesOf(status), 4096u);
  EXPECT_EQ(status.message(), "no room; the job does not allow the CPU");
  EXPECT_THAT(Steps(), ElementsAre(v1::LADDER_STEP_DROPPED_CACHES, v1::LADDER_STEP_HANDED_BACK));
  EXPECT_EQ(cpu_loads_, 0);
  pixels_max_ = 1 << 20;
  EXPECT_TRUE(Run(*ladder).ok()) << "the next tile begins in the whole";
  EXPECT_THAT(Steps(), IsEmpty());
}

TEST_F(LadderTest, FallsBackToTheCpuIfTheJobAllowsIt) {
  pixels_max_ = 10;
  auto ladder = Create(Rung::kWholeBatch, /*with_cpu=*/true);
  v1::StageSpec spec;
  spec.set_allow_cpu_fallback(true);
  ASSERT_TRUE(Run(*ladder, spec).ok());
  EXPECT_THAT(Steps(), ElementsAre(v1::LADDER_STEP_DROPPED_CACHES, v1::LADDER_STEP_CPU));
  EXPECT_FALSE(proven_);
}

TEST_F(LadderTest, StrictJobsTakeASmallerWayOnlyIfItsCanaryAgrees) {
  for (const bool differs : {false, true}) {
    other_bits_when_small_ = differs;
    batch_ = 4;
    auto ladder = Create();
    // What the canary gave when memory sufficed is the class.
    const auto canary = ladder->RunCanary(/*seed=*/9);
    ASSERT_TRUE(canary.ok());
    v1::StageSpec spec = Strict();
    spec.set_numeric_class(canary->digest);
    spec.set_canary_seed(9);
    pixels_max_ = 2 * kShape.area();
    const absl::Status status = Run(*ladder, spec);
    if (differs) {
      EXPECT_EQ(CauseOf(status), v1::FAILURE_CAUSE_OUT_OF_MEMORY);
      EXPECT_THAT(std::string(status.message()), HasSubstr("gives other bits"));
    } else {
      ASSERT_TRUE(status.ok()) << status;
      EXPECT_THAT(Steps(),
                  ElementsAre(v1::LADDER_STEP_DROPPED_CACHES, v1::LADDER_STEP_SMALLER_BATCH));
      EXPECT_TRUE(proven_);
    }
    // A tolerant job takes it without proof.
    EXPECT_TRUE(Run(*ladder).ok());
    pixels_max_ = 1 << 20;
  }
}

TEST_F(LadderTest, WithoutANamedClassItsOwnWholeBatchesDecide) {
  failing_runs_ = 2;  // the run and its repetition; then the proof finds memory
  auto ladder = Create();
  ASSERT_TRUE(Run(*ladder, Strict()).ok());
  EXPECT_THAT(Steps(), ElementsAre(v1::LADDER_STEP_DROPPED_CACHES, v1::LADDER_STEP_SUB_TILES));
  // Where whole batches never fit there is nothing to compare with.
  failing_runs_ = 0;
  pixels_max_ = 20 * 20;
  auto other = Create();
  const absl::Status status = Run(*other, Strict());
  EXPECT_THAT(std::string(status.message()), HasSubstr("cannot be shown"));
}

TEST_F(LadderTest, BeginsWhereItIsToldButStrictJobsBeginInTheWholeWithoutProof) {
  batch_ = 4;
  for (const auto& [first, step] : std::vector<std::pair<Rung, std::string>>{
           {Rung::kHalfBatch, "executed 2 at once instead of 4"},
           {Rung::kSingleTiles, "executed 1 at once instead of 4"},
           {Rung::kSubTiles, "computed in 4 sub-tiles of 18x18"}}) {
    other_bits_when_small_ = false;
    auto ladder = Create(first);
    ASSERT_TRUE(Run(*ladder).ok());
    EXPECT_THAT(cost_.steps(), ElementsAre(step));
    other_bits_when_small_ = true;
    auto strict = Create(first);
    ASSERT_TRUE(Run(*strict, Strict()).ok());
    EXPECT_THAT(cost_.steps(), IsEmpty());
  }
}

TEST_F(LadderTest, ACanaryClimbsDownAndItsWayIsTheClassOfTheWorker) {
  other_bits_when_small_ = true;
  pixels_max_ = 20 * 20;
  auto ladder = Create();
  const auto canary = ladder->RunCanary(9);
  ASSERT_TRUE(canary.ok()) << canary.status();
  pixels_max_ = 1 << 20;
  v1::StageSpec spec = Strict();
  spec.set_numeric_class(canary->digest);
  spec.set_canary_seed(9);
  ASSERT_TRUE(Run(*ladder, spec).ok());
  EXPECT_THAT(Steps(), ElementsAre(v1::LADDER_STEP_SUB_TILES)) << "its class is that of sub-tiles";
}

TEST_F(LadderTest, OtherFailuresPassThrough) {
  FakeEngine broken(
      [](const auto&) {
        return absl::StatusOr<std::vector<NetworkTile>>(
            EngineError(v1::FAILURE_CAUSE_MODEL_ERROR, "broken"));
      },
      nullptr);
  Ladder::Options options;
  options.engine = &broken;
  StageNumbers numbers;
  numbers.shape = kShape;
  auto ladder = Ladder::Create(options, FakeModel(1, 1), {"digest", 0, kShape, 1, 1, "fp32", ""},
                               numbers, 2, {});
  ASSERT_TRUE(ladder.ok());
  const absl::Status status = Run(**ladder);
  EXPECT_EQ(status.message(), "broken");
  EXPECT_THAT(Steps(), IsEmpty());
}

}  // namespace
}  // namespace tilewright
