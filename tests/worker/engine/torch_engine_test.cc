#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "tests/worker/engine/further_inputs.h"
#include "tests/worker/engine/tiling.h"
#include "tests/worker/engine/torch_fixture.h"
#include "worker/engine/capabilities.h"
#include "worker/engine/engine.h"
#include "worker/engine/testnets.h"

namespace tilewright {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

absl::Status RunOnce(const LocalModel& model, int channels) {
  auto stage = TestTorchEngine().Load(model, KeyFor(model, {16, 16}, 1, channels), {});
  if (!stage.ok()) return stage.status();
  const Picture noise = NoisePicture({16, 16}, channels, 3);
  const NetworkTile tile{9, noise.size, channels, noise.values};
  return (*stage)->Run({&tile, 1}).status();
}

TEST(TorchEngine, ComputesWhatTheShippedLanczosPromises) {
  const LocalModel torch = ShippedModel("lanczos4x-torch");
  const LocalModel builtin = ShippedModel("lanczos4x");
  const auto builtin_engine = CreateBuiltinEngine();
  for (int channels = 1; channels <= 4; ++channels) {
    const Picture noise = NoisePicture({61, 43}, channels, 11);
    const auto a = RunWhole(TestTorchEngine(), torch, noise);
    const auto b = RunWhole(*builtin_engine, builtin, noise);
    ASSERT_TRUE(a.ok()) << a.status();
    ASSERT_TRUE(b.ok()) << b.status();
    EXPECT_LE(Compare(*a, *b).max_lsb, 1) << Compare(*a, *b).Text();
    EXPECT_LT(Compare(*a, *b).max_raw, 1e-5) << Compare(*a, *b).Text();
  }
}

TEST(TorchEngine, ShipsTheLanczosThatItsProgramWrites) {
  const std::string path = ::testing::TempDir() + "/model.pt";
  ASSERT_TRUE(WriteLanczos4x(path).ok());
  const auto read = [](const std::string& name) {
    std::ifstream stream(name, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>());
  };
  const std::string shipped =
      std::string(TILEWRIGHT_SOURCE_DIR) + "/deploy/models/lanczos4x-torch/1/model.pt";
  EXPECT_EQ(read(path).size(), read(shipped).size());
  EXPECT_TRUE(read(path) == read(shipped))
      << "run tilewright-testnets --lanczos4x " << shipped << " and commit the file";
}

TEST(TorchEngine, GivesTheLanczosOfTheWholePictureTileByTile) {
  const LocalModel model = ShippedModel("lanczos4x-torch");
  const Picture noise = NoisePicture({150, 90}, 3, 5);
  const auto whole = RunWhole(TestTorchEngine(), model, noise);
  const auto tiled = RunTiled(TestTorchEngine(), model, noise, 64, 3);
  ASSERT_TRUE(whole.ok()) << whole.status();
  ASSERT_TRUE(tiled.ok()) << tiled.status();
  EXPECT_LE(Compare(*whole, *tiled).max_lsb, 1);
  std::cout << "lanczos4x-torch, tile 64: " << Compare(*whole, *tiled).Text() << "\n";
}

TEST(TorchEngine, TypesTheFailuresOfNetworks) {
  const absl::Status shape = RunOnce(TestModel("wrong-shape"), 3);
  EXPECT_EQ(CauseOf(shape), v1::FAILURE_CAUSE_BAD_RESULT) << shape;
  EXPECT_THAT(std::string(shape.message()),
              HasSubstr("returned the shape [Float 1 3 8 8] for a batch of 1; its manifest "
                        "promises 3 channels of 16x16"));
  const absl::Status raised = RunOnce(TestModel("raises"), 3);
  EXPECT_EQ(CauseOf(raised), v1::FAILURE_CAUSE_MODEL_ERROR) << raised;
  EXPECT_THAT(std::string(raised.message()), HasSubstr("this network always fails"));
  const absl::Status hungry = RunOnce(TestModel("hungry"), 3);
  EXPECT_EQ(CauseOf(hungry), v1::FAILURE_CAUSE_OUT_OF_MEMORY) << hungry;
  EXPECT_TRUE(RunOnce(TestModel("grey-sharpen"), 1).ok()) << "the control: the engine still works";
}

TEST(TorchEngine, TypesTheFailuresOfFiles) {
  LocalModel model = TestModel("grey-sharpen");
  model.manifest.set_entry("absent.pt");
  const absl::Status absent = RunOnce(model, 1);
  EXPECT_EQ(CauseOf(absent), v1::FAILURE_CAUSE_MODEL_ERROR);
  EXPECT_THAT(std::string(absent.message()), HasSubstr("cannot open the model file"));
  model.manifest.set_entry("manifest.textproto");
  const absl::Status garbage = RunOnce(model, 1);
  EXPECT_EQ(CauseOf(garbage), v1::FAILURE_CAUSE_MODEL_ERROR);
  EXPECT_THAT(std::string(garbage.message()), StartsWith("loading "));
}

TEST(TorchEngine, RefusesAKeyThatTheModelCannotServe) {
  const LocalModel model = TestModel("grey-sharpen");
  EXPECT_THAT(std::string(RunOnce(model, 3).message()), HasSubstr("takes 1 channels, not 3"));
  StageKey half = KeyFor(model, {16, 16}, 1, 1);
  half.dtype = "fp16";
  EXPECT_THAT(std::string(TestTorchEngine().Load(model, half, {}).status().message()),
              HasSubstr("manifest allows fp32, not fp16"));
  half.dtype = "int8";
  EXPECT_THAT(std::string(TestTorchEngine().Load(model, half, {}).status().message()),
              HasSubstr("fp32, fp16 or bf16, not in int8"));
}

TEST(TorchEngine, GivesTheSameBitsInEverySlotAndInAPaddedBatch) {
  const LocalModel model = TestModel("srvgg16x4");
  auto single = TestTorchEngine().Load(model, KeyFor(model, {64, 64}), {});
  auto triple = TestTorchEngine().Load(model, KeyFor(model, {64, 64}, /*batch=*/3), {});
  ASSERT_TRUE(single.ok()) << single.status();
  ASSERT_TRUE(triple.ok()) << triple.status();
  const std::vector<NetworkTile> tiles = NoiseTiles(3, {64, 64});
  const auto batch = (*triple)->Run(tiles);
  const auto padded = (*triple)->Run({tiles.data() + 1, 1});
  ASSERT_TRUE(batch.ok()) << batch.status();
  ASSERT_TRUE(padded.ok()) << padded.status();
  ASSERT_EQ(batch->size(), 3u);
  ASSERT_EQ(padded->size(), 1u) << "padding is not handed out";
  EXPECT_EQ((*padded)[0].index, 1u);
  EXPECT_TRUE((*batch)[1].values == (*padded)[0].values);
  EXPECT_FALSE((*batch)[0].values == (*batch)[1].values) << "the control: other tiles differ";
  bool alone = true;
  for (size_t i = 0; i < 3; ++i) {
    const auto one = (*single)->Run({&tiles[i], 1});
    ASSERT_TRUE(one.ok()) << one.status();
    alone = alone && (*one)[0].values == (*batch)[i].values;
  }
  std::cout << "srvgg16x4 at 64x64, batch 3 against batch 1: " << (alone ? "same" : "other")
            << " bits\n";
}

TEST(TorchEngine, GivesEachInputOfANetworkItsChannels) {
  ExpectFurtherInputs(TestTorchEngine(), TestModel("fill-masked"), TestModel("mix-previous"));
  EXPECT_THAT(std::string(RunOnce(TestModel("mix-previous"), 3).message()),
              HasSubstr("takes 6 channels, not 3"));
  LocalModel alone = TestModel("mix-previous");
  alone.manifest.mutable_inputs()->RemoveLast();
  EXPECT_EQ(CauseOf(RunOnce(alone, 3)), v1::FAILURE_CAUSE_MODEL_ERROR) << "the network takes two";
}

TEST(TorchEngine, RepeatsItsBitsFromTheFirstRunOn) {
  const LocalModel model = TestModel("srvgg16x4");
  auto stage = TestTorchEngine().Load(model, KeyFor(model, {64, 64}), {});
  ASSERT_TRUE(stage.ok()) << stage.status();
  const NetworkTile tile{0, {64, 64}, 3, NoisePicture({64, 64}, 3, 1).values};
  const auto first = (*stage)->Run({&tile, 1});
  ASSERT_TRUE(first.ok()) << first.status();
  for (int i = 0; i < 4; ++i) {
    const auto next = (*stage)->Run({&tile, 1});
    ASSERT_TRUE(next.ok()) << next.status();
    EXPECT_TRUE((*next)[0].values == (*first)[0].values) << "run " << i + 2;
  }
}

TEST(TorchEngine, SaysWhatDecidesItsBits) {
  v1::Capabilities capabilities;
  capabilities.set_device_kind("cpu");
  AddEngine(TestTorchEngine(), &capabilities);
  EXPECT_THAT(capabilities.environment_key(), StartsWith("torch/2."));
  EXPECT_THAT(capabilities.environment_key(), HasSubstr(" cpu "));
  EXPECT_GT(capabilities.probe_flops(), 1e8);
  ASSERT_EQ(capabilities.engine_offers_size(), 1);
  EXPECT_EQ(capabilities.engine_offers(0).name(), "torch");
  EXPECT_EQ(capabilities.engine_offers(0).dtypes(0), "fp32");
  EXPECT_NEAR(
      capabilities.engine_offers(0).reference_seconds_per_mpx() * capabilities.probe_flops(),
      16 * 73728e6, 1e6);
  std::cout << capabilities.environment_key() << "; " << capabilities.probe_flops() / 1e9
            << " GFLOP/s\n";
}

TEST(TorchEngine, SaysThatACudaDeviceIsNotThere) {
  const auto engine = CreateTorchEngine({"cuda:999", 1});
  EXPECT_EQ(engine.status().code(), absl::StatusCode::kUnavailable) << engine.status();
  EXPECT_EQ(CreateTorchEngine({"tpu", 1}).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(CreateTorchEngine({"cpu", 0}).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace tilewright
