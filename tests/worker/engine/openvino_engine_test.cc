#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <string>

#include "tests/worker/engine/further_inputs.h"
#include "tests/worker/engine/interleave.h"
#include "tests/worker/engine/openvino_fixture.h"
#include "tests/worker/engine/tiling.h"
#include "worker/engine/engine.h"

namespace tilewright {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::StartsWith;

absl::Status RunOnce(const LocalModel& model) {
  auto stage = TestEngine().Load(model, KeyFor(model, {16, 16}), {});
  if (!stage.ok()) return stage.status();
  const NetworkTile tile{9, {16, 16}, 3, NoisePicture({16, 16}, 3, 3).values};
  return (*stage)->Run({&tile, 1}).status();
}

TEST(OpenVinoEngine, MovesTheOutputAtTheRadiusOfANetworkByEightLsb) {
  const LocalModel model = TestModel("reach-16");
  Picture picture{{65, 65}, 3, std::vector<float>(65 * 65 * 3)};
  const auto before = RunWhole(TestEngine(), model, picture);
  for (size_t c = 0; c < 3; ++c) picture.values[(32 * 65 + 32) * 3 + c] = 1.0f;
  const auto after = RunWhole(TestEngine(), model, picture);
  ASSERT_TRUE(before.ok()) << before.status();
  ASSERT_TRUE(after.ok()) << after.status();
  const auto change = [&](int64_t x, int64_t y) {
    const auto i = static_cast<size_t>((y * 65 + x) * 3);
    return 255 * (after->values[i] - before->values[i]);
  };
  EXPECT_GE(change(16, 16), 8);
  EXPECT_GE(change(48, 16), 8);
  EXPECT_GE(change(32, 32), 100);
  EXPECT_EQ(change(15, 15), 0) << "beyond the radius nothing changes";
}

TEST(OpenVinoEngine, GivesTheWholePicturesPixelsTileByTile) {
  for (const auto& [name, halo] : {std::pair("reach-16", 16), std::pair("srvgg16x4", 18)}) {
    const LocalModel model = TestModel(name);
    // With a quarter of the halo the cuts have no slack at this width.
    const int64_t tile = 96;
    const int64_t bad = halo / 4;
    const Picture picture = SmoothPicture({2 * tile - 2 * bad, 100}, 3, 42);
    const auto whole = RunWhole(TestEngine(), model, picture);
    const auto tiled = RunTiled(TestEngine(), model, picture, tile, halo);
    const auto seams = RunTiled(TestEngine(), model, picture, tile, bad);
    ASSERT_TRUE(whole.ok()) << whole.status();
    ASSERT_TRUE(tiled.ok()) << tiled.status();
    ASSERT_TRUE(seams.ok()) << seams.status();
    const Difference difference = Compare(*whole, *tiled);
    std::cout << name << ", tile 96: " << difference.Text() << "\n";
    EXPECT_LE(difference.max_lsb, 1);
    EXPECT_LE(difference.off * 10000, difference.samples) << difference.Text();
    EXPECT_GT(Compare(*whole, *seams).off * 10000, difference.samples) << "the control";
  }
}

TEST(OpenVinoEngine, GivesTheSameBitsInEverySlotAndInAPaddedBatch) {
  const LocalModel model = TestModel("srvgg16x4");
  auto single = TestEngine().Load(model, KeyFor(model, {64, 64}), {});
  auto triple = TestEngine().Load(model, KeyFor(model, {64, 64}, 3), {});
  ASSERT_TRUE(single.ok()) << single.status();
  ASSERT_TRUE(triple.ok()) << triple.status();
  const std::vector<NetworkTile> tiles = NoiseTiles(3, {64, 64});
  const auto batch = (*triple)->Run(tiles);
  const auto padded = (*triple)->Run({tiles.data() + 1, 1});
  ASSERT_TRUE(batch.ok()) << batch.status();
  ASSERT_TRUE(padded.ok()) << padded.status();
  ASSERT_EQ(padded->size(), 1u) << "padding is not handed out";
  EXPECT_EQ((*padded)[0].index, 1u);
  EXPECT_TRUE((*batch)[1].values == (*padded)[0].values);
  EXPECT_FALSE((*batch)[0].values == (*batch)[1].values) << "the control: other tiles differ";
  const auto one = (*single)->Run({&tiles[1], 1});
  ASSERT_TRUE(one.ok()) << one.status();
  std::cout << "batch 3 against batch 1: "
            << ((*one)[0].values == (*batch)[1].values ? "same" : "other") << " bits\n";
}

TEST(OpenVinoEngine, GivesEachInputOfANetworkItsChannels) {
  ExpectFurtherInputs(TestEngine(), TestModel("fill-masked"), TestModel("mix-previous"));
  LocalModel alone = TestModel("mix-previous");
  alone.manifest.mutable_inputs()->RemoveLast();
  const absl::Status refused = RunOnce(alone);
  EXPECT_EQ(CauseOf(refused), v1::FAILURE_CAUSE_MODEL_ERROR);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("takes 2 inputs, its manifest says 1"));
}

TEST(OpenVinoEngine, StagesNeverTakeEachOthersPlace) {
  const auto make = [] { return MakeOpenVinoEngine(); };
  for (const bool evict : {true, false}) {
    const Interleaving found = Interleave(make, TestModel("reach-8"), TestModel("reach-16"), evict);
    EXPECT_TRUE(found.same_bits);
    EXPECT_TRUE(found.stages_differ) << "the control";
    EXPECT_EQ(found.loads, evict ? found.calls : 4);
  }
  const Interleaving confused = Interleave([&make] { return KeyedByShapeAlone(make()); },
                                           TestModel("reach-8"), TestModel("reach-16"), true);
  EXPECT_FALSE(confused.same_bits) << "the control: stages kept by shape alone";
}

TEST(OpenVinoEngine, TypesTheFailuresOfNetworks) {
  const absl::Status shape = RunOnce(TestModel("wrong-shape"));
  EXPECT_EQ(CauseOf(shape), v1::FAILURE_CAUSE_BAD_RESULT) << shape;
  EXPECT_THAT(std::string(shape.message()),
              HasSubstr("gives the shape [1 8 8 3] for a batch of 1; its manifest promises 3 "
                        "channels of 16x16"));
  const absl::Status hungry = RunOnce(TestModel("hungry"));
  EXPECT_EQ(CauseOf(hungry), v1::FAILURE_CAUSE_OUT_OF_MEMORY) << hungry;
  EXPECT_TRUE(RunOnce(TestModel("reach-8")).ok()) << "the control: the engine still works";
}

TEST(OpenVinoEngine, TypesTheFailuresOfFiles) {
  LocalModel model = TestModel("reach-8");
  model.manifest.set_entry("absent.xml");
  const absl::Status absent = RunOnce(model);
  EXPECT_EQ(CauseOf(absent), v1::FAILURE_CAUSE_MODEL_ERROR);
  EXPECT_THAT(std::string(absent.message()), StartsWith("reading "));
  model.manifest.set_entry("manifest.textproto");
  const absl::Status other = RunOnce(model);
  EXPECT_EQ(CauseOf(other), v1::FAILURE_CAUSE_MODEL_ERROR);
  EXPECT_THAT(std::string(other.message()), HasSubstr("not manifest.textproto"));
}

TEST(OpenVinoEngine, RunsInADtypeIfModelAndDeviceHaveIt) {
  const std::vector<std::string> dtypes = TestEngine().ExamineDevice().dtypes;
  EXPECT_THAT(dtypes, Contains("fp32"));
  const LocalModel model = TestModel("srvgg16x4");
  for (const std::string dtype : {"fp32", "fp16", "bf16"}) {
    StageKey key = KeyFor(model, {32, 32});
    key.dtype = dtype;
    const auto stage = TestEngine().Load(model, key, {});
    const bool offered = std::find(dtypes.begin(), dtypes.end(), dtype) != dtypes.end();
    EXPECT_EQ(stage.ok(), offered) << dtype << ": " << stage.status();
    std::cout << dtype << (offered ? " works\n" : " is not there\n");
  }
  StageKey key = KeyFor(TestModel("reach-8"), {32, 32});
  key.dtype = "bf16";
  EXPECT_THAT(std::string(TestEngine().Load(TestModel("reach-8"), key, {}).status().message()),
              HasSubstr("manifest allows fp32, not bf16"));
}

TEST(OpenVinoEngine, SaysWhatDecidesItsBitsAndThatADeviceIsNotThere) {
  EXPECT_THAT(TestEngine().environment_key(), StartsWith("openvino/2026."));
  EXPECT_THAT(TestEngine().environment_key(), HasSubstr(" CPU ["));
  EXPECT_GT(TestEngine().ExamineDevice().flops, 1e8);
  std::cout << TestEngine().environment_key() << "\n";
  const auto absent = CreateOpenVinoEngine({"GPU.7", 1});
  EXPECT_EQ(absent.status().code(), absl::StatusCode::kUnavailable) << absent.status();
  EXPECT_THAT(std::string(absent.status().message()),
              HasSubstr("finds no device GPU.7 (it finds CPU"));
}

}  // namespace
}  // namespace tilewright
