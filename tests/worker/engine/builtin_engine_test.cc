#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "tests/worker/engine/tiling.h"
#include "worker/engine/capabilities.h"
#include "worker/engine/engine.h"
#include "worker/engine/resample.h"

namespace tilewright {
namespace {

using ::testing::HasSubstr;

LocalModel Builtin(const std::string& entry, uint32_t scale) {
  LocalModel model;
  model.digest = entry;
  model.manifest.set_engine("builtin");
  model.manifest.set_entry(entry);
  model.manifest.set_scale_p(scale);
  model.manifest.add_inputs()->set_name("image");
  model.manifest.add_outputs()->set_name("image");
  return model;
}

TEST(BuiltinEngine, GivesTheWholePicturesBitsTileByTile) {
  const auto engine = CreateBuiltinEngine();
  for (const auto& [name, scale, halo] :
       {std::tuple("identity", 1, 0), std::tuple("lanczos2x", 2, 3), std::tuple("lanczos3x", 3, 3),
        std::tuple("lanczos4x", 4, 3), std::tuple("gaussian-blur", 1, 6)}) {
    const LocalModel model = Builtin(name, static_cast<uint32_t>(scale));
    for (int channels = 1; channels <= 4; ++channels) {
      for (const Size size : {Size{1, 1}, Size{23, 24}, Size{25, 73}, Size{101, 1}, Size{64, 47}}) {
        const Picture picture = NoisePicture(size, channels, 7);
        const auto whole = RunWhole(*engine, model, picture);
        const auto tiled = RunTiled(*engine, model, picture, 24, halo);
        ASSERT_TRUE(whole.ok()) << whole.status();
        ASSERT_TRUE(tiled.ok()) << tiled.status();
        EXPECT_TRUE(Compare(*whole, *tiled).same_bits)
            << name << " " << channels << " channels " << ToString(size) << ": "
            << Compare(*whole, *tiled).Text();
      }
    }
  }
}

TEST(BuiltinEngine, DiffersWithAHaloOneTooSmall) {
  const auto engine = CreateBuiltinEngine();
  for (const auto& [name, scale, halo] :
       {std::tuple("lanczos2x", 2, 3), std::tuple("lanczos4x", 4, 3),
        std::tuple("gaussian-blur", 1, 6)}) {
    const LocalModel model = Builtin(name, static_cast<uint32_t>(scale));
    // No slack: the cuts lie exactly halo - 1 inside each tile.
    const int64_t width = 24 + 3 * (24 - 2 * (halo - 1));
    const Picture picture = NoisePicture({width, 24}, 3, 7);
    const auto whole = RunWhole(*engine, model, picture);
    const auto tiled = RunTiled(*engine, model, picture, 24, halo - 1);
    ASSERT_TRUE(whole.ok() && tiled.ok());
    EXPECT_FALSE(Compare(*whole, *tiled).same_bits) << name;
  }
}

TEST(BuiltinEngine, DisagreesBetweenTilesByAWholeNumberOfSteps) {
  const auto engine = CreateBuiltinEngine();
  StageKey key;
  key.shape = {2, 1};
  key.channels = 1;
  key.batch = 64;
  key.dtype = "fp32";
  auto stage = engine->Load(Builtin("disagree", 1), key, {});
  ASSERT_TRUE(stage.ok()) << stage.status();
  std::vector<NetworkTile> tiles;
  for (uint64_t i = 0; i < 64; ++i) tiles.push_back({i, {2, 1}, 1, {0.0f, 0.25f}});
  const auto outputs = (*stage)->Run(tiles);
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  std::set<int> steps;
  for (const NetworkTile& tile : *outputs) {
    const double step = double{tile.values[0]} * 255;
    EXPECT_NEAR(step, std::round(step), 1e-4);
    EXPECT_NEAR(tile.values[1] - tile.values[0], 0.25, 1e-6);
    steps.insert(static_cast<int>(std::round(step)));
  }
  EXPECT_GT(steps.size(), 20u) << "64 tiles should disagree with each other";
  EXPECT_GE(*steps.begin(), 0);
  EXPECT_LE(*steps.rbegin(), 63);
}

TEST(BuiltinEngine, RefusesTypedWhatItCannotDo) {
  const auto engine = CreateBuiltinEngine();
  StageKey key;
  key.shape = {4, 4};
  key.channels = 1;
  key.dtype = "fp32";
  const auto unknown = engine->Load(Builtin("sharpen", 1), key, {});
  EXPECT_EQ(CauseOf(unknown.status()), v1::FAILURE_CAUSE_MODEL_ERROR);
  EXPECT_THAT(std::string(unknown.status().message()), HasSubstr("no operator 'sharpen'"));
  const auto scale = engine->Load(Builtin("lanczos2x", 3), key, {});
  EXPECT_THAT(std::string(scale.status().message()), HasSubstr("scales by 2, its manifest says 3"));

  auto stage = engine->Load(Builtin("identity", 1), key, {});
  ASSERT_TRUE(stage.ok()) << stage.status();
  const NetworkTile good{0, {4, 4}, 1, std::vector<float>(16)};
  EXPECT_TRUE((*stage)->Run({&good, 1}).ok()) << "the control";
  const NetworkTile wrong{5, {4, 3}, 1, std::vector<float>(12)};
  EXPECT_EQ(CauseOf((*stage)->Run({&wrong, 1}).status()), v1::FAILURE_CAUSE_REFUSED);
  EXPECT_EQ(CauseOf((*stage)->Run({}).status()), v1::FAILURE_CAUSE_REFUSED);
}

TEST(Resample, WeightsSumToOneAndLanczosIsSymmetric) {
  for (int s : {2, 3, 4}) {
    const PhaseFilter filter = LanczosFilter(s);
    ASSERT_EQ(filter.taps.size(), static_cast<size_t>(s));
    for (int r = 0; r < s; ++r) {
      const auto& taps = filter.taps[static_cast<size_t>(r)];
      const auto& mirror = filter.taps[static_cast<size_t>(s - 1 - r)];
      double sum = 0;
      for (size_t k = 0; k < taps.size(); ++k) {
        sum += double{taps[k]};
        EXPECT_NEAR(taps[k], mirror[taps.size() - 1 - k], 1e-7);
      }
      EXPECT_NEAR(sum, 1, 1e-6) << "x" << s << " phase " << r;
    }
  }
  const PhaseFilter third = LanczosFilter(3);
  EXPECT_EQ(third.taps[1][3], 1.0f) << "the middle phase of an odd scale copies the pixel";
}

TEST(Resample, MatchesTheDefinitionOfLanczos) {
  // One bright pixel at 5 of 11: output 4x + r is the kernel at its distance, normalised over the
  // taps.
  std::vector<float> input(11);
  input[5] = 1;
  const std::vector<float> output = FilterImage(LanczosFilter(4), {11, 1}, 1, input);
  const auto kernel = [](double t) {
    if (t == 0) return 1.0;
    if (std::abs(t) >= 3) return 0.0;
    const double a = 3.14159265358979323846 * t;
    return std::sin(a) / a * std::sin(a / 3) / (a / 3);
  };
  for (int x = 16; x < 28; ++x) {
    const double position = (x + 0.5) / 4 - 0.5;
    double sum = 0;
    for (int k = 0; k < 11; ++k) sum += kernel(k - position);
    EXPECT_NEAR(output[static_cast<size_t>(x)], kernel(5 - position) / sum, 1e-6) << x;
  }
}

TEST(EngineError, KeepsCauseAndPeak) {
  const absl::Status status =
      EngineError(v1::FAILURE_CAUSE_OUT_OF_MEMORY, "no room", /*peak_bytes=*/12345);
  EXPECT_EQ(status.message(), "no room");
  EXPECT_EQ(CauseOf(status), v1::FAILURE_CAUSE_OUT_OF_MEMORY);
  EXPECT_EQ(PeakBytesOf(status), 12345u);
  EXPECT_EQ(CauseOf(absl::InternalError("other")), v1::FAILURE_CAUSE_MODEL_ERROR);
  EXPECT_EQ(PeakBytesOf(absl::InternalError("other")), 0u);
}

TEST(Capabilities, GatherEnginesAndTheirKeys) {
  v1::Capabilities capabilities;
  capabilities.set_device_kind("cpu");
  capabilities.set_probe_flops(5);
  AddEngine(*CreateBuiltinEngine(), &capabilities);
  EXPECT_EQ(capabilities.engines(0), "builtin");
  EXPECT_THAT(capabilities.environment_key(), HasSubstr("builtin/"));
  EXPECT_EQ(capabilities.probe_flops(), 5) << "the builtin engine measures nothing of its own";
}

}  // namespace
}  // namespace tilewright
