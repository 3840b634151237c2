// Stages of LibTorch's side by side: none takes another's place, and what is done to a network when
// it is loaded leaves its bits alone.

#include <ATen/Functions.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/script.h>

#include <algorithm>
#include <iostream>

#include "tests/worker/engine/interleave.h"
#include "tests/worker/engine/tiling.h"
#include "tests/worker/engine/torch_fixture.h"
#include "worker/engine/measurements.h"

namespace tilewright {
namespace {

std::unique_ptr<Engine> MakeTorchEngine() {
  auto engine = CreateTorchEngine({"cpu", 1});
  EXPECT_TRUE(engine.ok()) << engine.status();
  return engine.ok() ? *std::move(engine) : nullptr;
}

TEST(TorchStages, NeverTakeEachOthersPlace) {
  for (const bool evict : {true, false}) {
    const Interleaving found =
        Interleave(MakeTorchEngine, TestModel("reach-8"), TestModel("reach-16"), evict);
    EXPECT_TRUE(found.same_bits);
    EXPECT_TRUE(found.stages_differ) << "the control";
    EXPECT_EQ(found.loads, evict ? found.calls : 4);
  }
}

TEST(TorchStages, AreSeenToTakeEachOthersPlaceWhenKeptByShapeAlone) {
  const Interleaving found = Interleave([] { return KeyedByShapeAlone(MakeTorchEngine()); },
                                        TestModel("reach-8"), TestModel("reach-16"), true);
  EXPECT_TRUE(found.stages_differ);
  EXPECT_FALSE(found.same_bits);
}

// The file as it was saved, in the interpreter: nothing frozen, nothing fused, nothing repacked.
Picture RunPlain(const LocalModel& model, const Picture& picture) {
  const c10::InferenceMode inference;
  const torch::jit::GraphOptimizerEnabledGuard plain(false);
  torch::jit::Module module = torch::jit::load(model.folder + "/" + model.manifest.entry());
  module.eval();
  const torch::Tensor input =
      torch::from_blob(const_cast<float*>(picture.values.data()),
                       {picture.size.height, picture.size.width, int64_t{picture.channels}})
          .permute({2, 0, 1})
          .contiguous()
          .unsqueeze(0);
  const torch::Tensor result =
      module.forward({input}).toTensor().squeeze(0).permute({1, 2, 0}).contiguous();
  const float* values = result.const_data_ptr<float>();
  return {{result.size(1), result.size(0)},
          static_cast<int>(result.size(2)),
          std::vector<float>(values, values + result.numel())};
}

TEST(TorchStages, KeepTheBitsOfThePlainModuleWhenFrozenAndOptimised) {
  const LocalModel model = TestModel("srvgg16x4");
  for (const int64_t side : {128, 256}) {
    const Picture picture = NoisePicture({side, side}, 3, 17);
    const auto frozen = RunWhole(TestTorchEngine(), model, picture);
    ASSERT_TRUE(frozen.ok()) << frozen.status();
    const Difference difference = Compare(*frozen, RunPlain(model, picture));
    std::cout << "frozen against plain at " << side << ": " << difference.Text() << "\n";
    EXPECT_TRUE(difference.same_bits) << side;
  }
  Picture other = NoisePicture({128, 128}, 3, 17);
  other.values[0] += 0.25f;
  const auto changed = RunWhole(TestTorchEngine(), model, other);
  ASSERT_TRUE(changed.ok()) << changed.status();
  EXPECT_FALSE(Compare(*changed, RunPlain(model, NoisePicture({128, 128}, 3, 17))).same_bits)
      << "the control: one sample of the input differs";
}

TEST(TorchStages, KnowTheMemoryOfARunBeforeIt) {
  const LocalModel model = TestModel("srvgg16x4");
  const Picture picture = NoisePicture({160, 192}, 3, 17);
  StageKey key;
  key.model_digest = model.digest;
  key.shape = picture.size;
  key.channels = 3;
  key.batch = 2;
  key.dtype = "fp32";
  Measurements measurements;
  const auto engine = CreateTorchEngine({"cpu", 1, &measurements});
  ASSERT_TRUE(engine.ok()) << engine.status();
  const auto stage = (*engine)->Load(model, key, {});
  ASSERT_TRUE(stage.ok()) << stage.status();
  const auto expected = static_cast<double>((*stage)->MemoryEstimate());
  const NetworkTile tile{0, picture.size, 3, picture.values};
  const auto result = (*stage)->Run({&tile, 1});
  ASSERT_TRUE(result.ok()) << result.status();
  const auto measured = static_cast<double>((*stage)->MemoryEstimate());
  std::cout << "srvgg16x4, two tiles of 160x192: " << expected / 1e6 << " MB expected, "
            << measured / 1e6 << " MB measured\n";
  EXPECT_NEAR(expected / measured, 1, 0.25);
  EXPECT_GT(measured, 2.0 * 160 * 192 * 64 * 4) << "an activation at least";

  v1::Capabilities capabilities;
  ASSERT_TRUE(measurements.TakeChanges(&capabilities));
  ASSERT_EQ(capabilities.memory_models_size(), 1);
  EXPECT_EQ(capabilities.memory_models(0).model_digest(), model.digest);
  EXPECT_EQ(capabilities.memory_models(0).dtype(), "fp32");
  EXPECT_GT(capabilities.memory_models(0).bytes_per_pixel(), 64 * 4);
  ASSERT_TRUE((*engine)->Load(model, key, {}).ok());
  EXPECT_FALSE(measurements.TakeChanges(&capabilities)) << "measured once for all its stages";
}

TEST(TorchStages, ComputeInTheDtypesThatTheDeviceWasSeenToHave) {
  const std::vector<std::string> dtypes = TestTorchEngine().ExamineDevice().dtypes;
  ASSERT_FALSE(dtypes.empty());
  EXPECT_EQ(dtypes[0], "fp32");
  const LocalModel model = TestModel("srvgg16x4");
  const Picture picture = SmoothPicture({32, 32}, 3, 17);
  const auto reference = RunWhole(TestTorchEngine(), model, picture);
  ASSERT_TRUE(reference.ok()) << reference.status();
  for (const std::string& dtype : dtypes) {
    StageKey key;
    key.model_digest = model.digest;
    key.shape = picture.size;
    key.channels = 3;
    key.dtype = dtype;
    const auto stage = TestTorchEngine().Load(model, key, {});
    ASSERT_TRUE(stage.ok()) << stage.status();
    const NetworkTile tile{0, picture.size, 3, picture.values};
    const auto result = (*stage)->Run({&tile, 1});
    ASSERT_TRUE(result.ok()) << dtype << ": " << result.status();
    const Difference difference = Compare(*reference, {(*result)[0].size, 3, (*result)[0].values});
    std::cout << dtype << " against fp32: " << difference.Text() << "\n";
    EXPECT_EQ(difference.same_bits, dtype == "fp32");
    EXPECT_LE(difference.max_lsb, 8);
  }
}

}  // namespace
}  // namespace tilewright
