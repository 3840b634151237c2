#include "worker/executor/core_executor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/worker/executor/fake_engine.h"
#include "tests/worker/executor/stage_fixture.h"

namespace tilewright {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;

absl::StatusOr<std::vector<NetworkTile>> Copy(const std::vector<NetworkTile>& inputs) {
  return inputs;
}

std::unique_ptr<Executor> Core(FakeNetwork network, int* loads = nullptr) {
  std::vector<std::unique_ptr<Engine>> engines;
  engines.push_back(CreateBuiltinEngine());
  engines.push_back(std::make_unique<FakeEngine>(std::move(network), loads));
  return CreateCoreExecutor(std::move(engines));
}

std::vector<TileOutcome> ExecuteOne(Executor& executor, const v1::StageSpec& stage, TileTask task) {
  std::vector<TileTask> tasks;
  tasks.push_back(std::move(task));
  return executor.Execute(stage, std::move(tasks));
}

TEST(CoreExecutor, ReturnsExactlyTheContribution) {
  auto executor = Core(Copy);
  const v1::StageSpec stage = FakeStageSpec(1, 1);
  ASSERT_TRUE(executor->Prepare(stage, FakeModel(0, 0), {}).ok());
  TileTask task = FakeTask(3, stage, 10);
  EXPECT_THAT(AsInts(ExecuteOne(*executor, stage, task)[0].samples->bytes()),
              ElementsAre(10, 11, 12, 13, 14, 15, 16, 17));
  task.contribution = {13, 1, 2, 1};
  const auto outcomes = ExecuteOne(*executor, stage, task);
  ASSERT_EQ(outcomes.size(), 1u);
  EXPECT_EQ(outcomes[0].index, 3u);
  EXPECT_THAT(AsInts(outcomes[0].samples->bytes()), ElementsAre(15, 16));
  EXPECT_EQ(outcomes[0].cost.batch(), 1u);
  EXPECT_GE(outcomes[0].cost.engine_seconds(), 0);
}

TEST(CoreExecutor, KeepsEveryBitOfU16AndPicksTheEngineOfTheManifest) {
  auto executor = Core([](const auto&) -> absl::StatusOr<std::vector<NetworkTile>> {
    return absl::InternalError("the fake engine must not be asked");
  });
  v1::StageSpec stage = FakeStageSpec(2, 2);
  stage.set_input_sample(v1::SAMPLE_TYPE_U16);
  stage.set_output_sample(v1::SAMPLE_TYPE_U16);
  LocalModel model = FakeModel(0, 0);
  model.manifest.set_engine("builtin");
  model.manifest.set_entry("identity");
  const absl::Status prepared = executor->Prepare(stage, model, {});
  ASSERT_TRUE(prepared.ok()) << prepared;
  TileTask task = FakeTask(0, stage);
  task.samples.resize(32);
  for (size_t i = 0; i < task.samples.size(); ++i) {
    task.samples[i] = static_cast<std::byte>(i * 37 + 11);
  }
  const auto outcomes = ExecuteOne(*executor, stage, task);
  ASSERT_TRUE(outcomes[0].samples.ok()) << outcomes[0].samples.status();
  EXPECT_EQ(outcomes[0].samples->bytes(), absl::MakeSpan(task.samples));
}

TEST(CoreExecutor, GivesEachInputValuesOfItsOwnRange) {
  std::vector<float> seen;
  auto executor = Core([&seen](std::vector<NetworkTile> tiles) {
    seen = tiles[0].values;
    NetworkTile answer = tiles[0];
    answer.channels = 1;
    answer.values.assign(8, 0.0f);
    return absl::StatusOr<std::vector<NetworkTile>>({answer});
  });
  LocalModel model = FakeModel(2, 1);
  v1::TensorManifest* beside = model.manifest.add_inputs();
  beside->set_channels(1);
  beside->mutable_range()->set_lo(-1.0f);
  beside->mutable_range()->set_hi(1.0f);
  const v1::StageSpec stage = FakeStageSpec(3, 1);
  const absl::Status prepared = executor->Prepare(stage, model, {});
  ASSERT_TRUE(prepared.ok()) << prepared;
  ASSERT_TRUE(ExecuteOne(*executor, stage, FakeTask(0, stage, 10))[0].samples.ok());
  ASSERT_EQ(seen.size(), 24u);
  for (size_t i = 0; i < seen.size(); ++i) {
    const double unit = (10.0 + static_cast<double>(i)) / 255;
    EXPECT_EQ(seen[i], static_cast<float>(i % 3 == 2 ? -1 + 2 * unit : unit)) << i;
  }
}

TEST(CoreExecutor, AveragesTheThreeAnswersToAGreyTileBeforeQuantising) {
  // 0.4, 0.4 and 0.8 steps: the mean is 0.53, one step after rounding; rounded first, the mean
  // would be 0.33, none.
  auto executor = Core([](std::vector<NetworkTile> tiles) {
    for (size_t i = 0; i < tiles[0].values.size(); ++i) {
      tiles[0].values[i] += (i % 3 == 2 ? 0.8f : 0.4f) / 255.0f;
    }
    return absl::StatusOr<std::vector<NetworkTile>>(tiles);
  });
  const v1::StageSpec stage = FakeStageSpec(1, 1);
  ASSERT_TRUE(executor->Prepare(stage, FakeModel(3, 3), {}).ok());
  EXPECT_THAT(AsInts(ExecuteOne(*executor, stage, FakeTask(0, stage, 10))[0].samples->bytes()),
              ElementsAre(11, 12, 13, 14, 15, 16, 17, 18));
}

TEST(CoreExecutor, LeavesAlphaOutOfAColourModelAndResizesIt) {
  int channels_seen = 0;
  auto executor = Core([&channels_seen](std::vector<NetworkTile> tiles) {
    channels_seen = tiles[0].channels;
    for (float& value : tiles[0].values) value = 0;
    return absl::StatusOr<std::vector<NetworkTile>>(tiles);
  });
  v1::StageSpec stage = FakeStageSpec(4, 4);
  ASSERT_TRUE(executor->Prepare(stage, FakeModel(3, 3), {}).ok());
  const auto outcome = ExecuteOne(*executor, stage, FakeTask(0, stage));
  ASSERT_TRUE(outcome[0].samples.ok()) << outcome[0].samples.status();
  EXPECT_EQ(channels_seen, 3);
  std::vector<int> expected;
  for (int i = 0; i < 8; ++i) expected.insert(expected.end(), {0, 0, 0, 4 * i + 3});
  EXPECT_THAT(AsInts(outcome[0].samples->bytes()), ElementsAreArray(expected));

  stage.set_output_sample(v1::SAMPLE_TYPE_U16);
  const auto wide = ExecuteOne(*executor, stage, FakeTask(0, stage));
  ASSERT_TRUE(wide[0].samples.ok()) << wide[0].samples.status();
  EXPECT_EQ(wide[0].samples->size(), 64u);
  EXPECT_EQ(static_cast<int>(wide[0].samples->bytes()[6]), 3) << "3 of 255 is 771 of 65535: 0x0303";
  EXPECT_EQ(static_cast<int>(wide[0].samples->bytes()[7]), 3);
}

TEST(CoreExecutor, RefusesAlphaWithoutTheImagesSize) {
  auto executor = Core(Copy);
  v1::StageSpec stage = FakeStageSpec(2, 2);
  stage.clear_image_width();
  ASSERT_TRUE(executor->Prepare(stage, FakeModel(1, 1), {}).ok());
  const auto outcome = ExecuteOne(*executor, stage, FakeTask(0, stage));
  EXPECT_EQ(CauseOf(outcome[0].samples.status()), v1::FAILURE_CAUSE_REFUSED);
  EXPECT_THAT(std::string(outcome[0].samples.status().message()), HasSubstr("image's size"));
}

TEST(CoreExecutor, RefusesColourForAModelOfOneChannel) {
  auto executor = Core(Copy);
  const absl::Status status = executor->Prepare(FakeStageSpec(3, 1), FakeModel(1, 1), {});
  EXPECT_EQ(CauseOf(status), v1::FAILURE_CAUSE_MODEL_ERROR) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("convert it to grey"));
  EXPECT_TRUE(executor->Prepare(FakeStageSpec(1, 1), FakeModel(1, 1), {}).ok()) << "the control";
}

TEST(CoreExecutor, FailsOnlyTheTileThatIsNotFinite) {
  auto executor = Core([](std::vector<NetworkTile> tiles) {
    tiles[1].values[5] = std::numeric_limits<float>::quiet_NaN();
    return absl::StatusOr<std::vector<NetworkTile>>(tiles);
  });
  const v1::StageSpec stage = FakeStageSpec(1, 1);
  ASSERT_TRUE(executor->Prepare(stage, FakeModel(0, 0), {}).ok());
  const auto outcomes =
      executor->Execute(stage, {FakeTask(0, stage), FakeTask(1, stage), FakeTask(2, stage)});
  EXPECT_TRUE(outcomes[0].samples.ok());
  EXPECT_EQ(CauseOf(outcomes[1].samples.status()), v1::FAILURE_CAUSE_BAD_RESULT);
  EXPECT_TRUE(outcomes[2].samples.ok());
  EXPECT_EQ(outcomes[0].cost.batch(), 3u);
}

TEST(CoreExecutor, GivesTheCauseOfAFailedBatchToEachOfItsTiles) {
  auto executor = Core([](const auto&) -> absl::StatusOr<std::vector<NetworkTile>> {
    return EngineError(v1::FAILURE_CAUSE_OUT_OF_MEMORY, "no room", 77);
  });
  const v1::StageSpec stage = FakeStageSpec(1, 1);
  ASSERT_TRUE(executor->Prepare(stage, FakeModel(0, 0), {}).ok());
  const auto outcomes = executor->Execute(stage, {FakeTask(4, stage), FakeTask(5, stage)});
  ASSERT_EQ(outcomes.size(), 2u);
  for (const TileOutcome& outcome : outcomes) {
    EXPECT_EQ(CauseOf(outcome.samples.status()), v1::FAILURE_CAUSE_OUT_OF_MEMORY);
    EXPECT_EQ(PeakBytesOf(outcome.samples.status()), 77u);
    EXPECT_EQ(outcome.cost.batch(), 2u);
  }
  EXPECT_EQ(outcomes[1].index, 5u);
}

TEST(CoreExecutor, TakesNoTileOfAnotherShapeFromAnEngine) {
  const v1::StageSpec stage = FakeStageSpec(1, 1);
  const auto cause = [&stage](FakeNetwork network) {
    auto executor = Core(std::move(network));
    EXPECT_TRUE(executor->Prepare(stage, FakeModel(0, 0), {}).ok());
    return CauseOf(ExecuteOne(*executor, stage, FakeTask(0, stage))[0].samples.status());
  };
  using Tiles = std::vector<NetworkTile>;
  EXPECT_EQ(cause([](const Tiles&) { return absl::StatusOr<Tiles>(Tiles()); }),
            v1::FAILURE_CAUSE_BAD_RESULT);
  EXPECT_EQ(cause([](Tiles tiles) {
              tiles[0].size.height = 1;
              return absl::StatusOr<Tiles>(tiles);
            }),
            v1::FAILURE_CAUSE_BAD_RESULT);
  EXPECT_EQ(cause([](Tiles tiles) {
              tiles[0].values.pop_back();
              return absl::StatusOr<Tiles>(tiles);
            }),
            v1::FAILURE_CAUSE_BAD_RESULT);
}

TEST(CoreExecutor, LoadsAStageOnceAndForgetsTheLeastRecentlyUsed) {
  int loads = 0;
  // Room for eight stages of 100 bytes and one run of 50.
  std::vector<std::unique_ptr<Engine>> engines;
  engines.push_back(std::make_unique<FakeEngine>(Copy, &loads, FakeBytes{100, 50}));
  auto executor = CreateCoreExecutor(std::move(engines), {.stage_bytes_max = 850});
  const LocalModel model = FakeModel(0, 0);
  v1::StageSpec stage = FakeStageSpec(1, 1);
  const auto prepare = [&](uint32_t number) {
    stage.set_stage(number);
    ASSERT_TRUE(executor->Prepare(stage, model, {}).ok());
  };
  for (uint32_t number = 0; number < 8; ++number) prepare(number);
  EXPECT_EQ(loads, 8);
  prepare(0);
  EXPECT_EQ(loads, 8) << "a prepared stage is not loaded again";
  prepare(8);
  EXPECT_EQ(loads, 9);
  stage.set_stage(1);
  const auto forgotten = ExecuteOne(*executor, stage, FakeTask(0, stage));
  EXPECT_EQ(CauseOf(forgotten[0].samples.status()), v1::FAILURE_CAUSE_REFUSED);
  EXPECT_THAT(std::string(forgotten[0].samples.status().message()), HasSubstr("was not prepared"));
  stage.set_stage(0);
  EXPECT_TRUE(ExecuteOne(*executor, stage, FakeTask(0, stage))[0].samples.ok());
}

TEST(CoreExecutor, RefusesAStageThatItsModelDoesNotFit) {
  auto executor = Core(Copy);
  v1::StageSpec stage = FakeStageSpec(1, 1);
  const auto refusal = [&](const LocalModel& model) {
    const absl::Status status = executor->Prepare(stage, model, {});
    EXPECT_EQ(CauseOf(status), v1::FAILURE_CAUSE_REFUSED) << status;
    return std::string(status.message());
  };
  EXPECT_THAT(refusal(FakeModel(0, 0, 2)), HasSubstr("the stage says scale 1/1"));
  EXPECT_THAT(refusal(FakeModel(1, 3)), HasSubstr("wants 1 output channels, the model gives 3"));
  LocalModel other = FakeModel(0, 0);
  other.digest = "another";
  EXPECT_THAT(refusal(other), HasSubstr("wants the model digest, this one is another"));
  LocalModel unknown = FakeModel(0, 0);
  unknown.manifest.set_engine("onnx");
  EXPECT_THAT(refusal(unknown), HasSubstr("no engine 'onnx'; it has builtin, fake"));
  stage.set_output_sample(v1::SAMPLE_TYPE_UNSPECIFIED);
  EXPECT_THAT(refusal(FakeModel(0, 0)), HasSubstr("sample type"));
}

}  // namespace
}  // namespace tilewright
