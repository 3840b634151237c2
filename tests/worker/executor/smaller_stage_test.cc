#include "worker/executor/smaller_stage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/worker/executor/fake_engine.h"

namespace tilewright {
namespace {

using ::testing::HasSubstr;

LocalModel Builtin(const std::string& name, uint32_t scale) {
  LocalModel model;
  model.digest = name;
  model.manifest.set_engine("builtin");
  model.manifest.set_entry(name);
  model.manifest.set_scale_p(scale);
  return model;
}

NetworkTile Noise(Size size, int channels) {
  NetworkTile tile{7, size, channels, {}};
  uint32_t state = 1;
  for (int64_t i = 0; i < size.area() * channels; ++i) {
    state = state * 1664525u + 1013904223u;
    tile.values.push_back(static_cast<float>(state >> 8) / 16777216.0f);
  }
  return tile;
}

SubTileRules Rules(int64_t halo, int64_t alignment = 1, int64_t scale = 1) {
  return {halo, alignment, alignment, *Scale::Create(scale, 1)};
}

// The whole tile and the same in sub-tiles, by a builtin operator.
void ExpectSameBits(const std::string& name, uint32_t scale, Size size, int parts, int64_t halo,
                    bool same = true) {
  const std::unique_ptr<Engine> engine = CreateBuiltinEngine();
  const LocalModel model = Builtin(name, scale);
  StageKey key{name, 0, size, 3, 1, "fp32", ""};
  const NetworkTile tile = Noise(size, 3);
  const auto whole = (*engine->Load(model, key, {}))->Run(absl::MakeConstSpan(&tile, 1));
  ASSERT_TRUE(whole.ok()) << whole.status();
  const auto tiling = PlanSubTiles(size, parts, Rules(halo, 1, scale));
  ASSERT_TRUE(tiling.ok()) << tiling.status();
  EXPECT_GT(tiling->count(), 1);
  StageKey small = key;
  small.shape = tiling->shape();
  const auto parted =
      InSubTiles(key, *tiling, *engine->Load(model, small, {}))->Run(absl::MakeConstSpan(&tile, 1));
  ASSERT_TRUE(parted.ok()) << parted.status();
  EXPECT_EQ((*parted)[0].index, 7u);
  EXPECT_EQ((*parted)[0].size, (*whole)[0].size);
  EXPECT_EQ((*parted)[0].values == (*whole)[0].values, same)
      << name << " " << ToString(size) << " in " << parts << " with halo " << halo;
}

TEST(SubTiles, OfBuiltinOperatorsHaveTheBitsOfTheWholeTile) {
  for (const int parts : {2, 4}) {
    ExpectSameBits("lanczos2x", 2, {64, 48}, parts, 3);
    ExpectSameBits("lanczos3x", 3, {65, 41}, parts, 3);
    ExpectSameBits("lanczos4x", 4, {64, 64}, parts, 3);
    ExpectSameBits("gaussian-blur", 1, {97, 80}, parts, 6);
    ExpectSameBits("disagree", 1, {50, 50}, parts, 0);
  }
  // The control: with less halo than the operator reaches the seams are there.
  ExpectSameBits("gaussian-blur", 1, {97, 80}, 2, 5, /*same=*/false);
}

TEST(SubTiles, BelowTheHaloAreRefusedWithTheNumbers) {
  const auto tiling = PlanSubTiles({64, 64}, 2, Rules(31));
  EXPECT_EQ(tiling.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(tiling.status().message()),
              HasSubstr("a tile of 64x64 cannot be cut into 2 sub-tiles a side"));
  EXPECT_THAT(std::string(tiling.status().message()), HasSubstr("halo 31"));
  SubTileRules wide = Rules(4);
  wide.minimum = 64;
  EXPECT_THAT(std::string(PlanSubTiles({64, 64}, 2, wide).status().message()),
              HasSubstr("its sub-tiles would be at least 64 a side"));
}

TEST(SubTiles, KeepTheAlignmentAndAreSmallerThanTheTile) {
  for (const int64_t alignment : {1, 4, 8}) {
    for (const int parts : {2, 4, 8}) {
      const auto tiling = PlanSubTiles({512, 256}, parts, Rules(9, alignment));
      ASSERT_TRUE(tiling.ok()) << tiling.status();
      EXPECT_EQ(tiling->shape().width % alignment, 0);
      EXPECT_EQ(tiling->columns.Input(1).begin % alignment, 0);
      EXPECT_LT(tiling->shape().area(), 512 * 256 * 2 / parts) << parts;
    }
  }
}

TEST(SmallerBatches, RunInOrderAndTheLastOneIsShort) {
  std::vector<size_t> runs;
  auto fake = std::make_unique<FakeStage>(
      [&runs](const std::vector<NetworkTile>& inputs) -> absl::StatusOr<std::vector<NetworkTile>> {
        runs.push_back(inputs.size());
        return inputs;
      });
  StageKey key{"m", 0, {2, 2}, 1, 5, "fp32", ""};
  std::vector<NetworkTile> tiles;
  for (uint64_t i = 0; i < 5; ++i) tiles.push_back({i, {2, 2}, 1, std::vector<float>(4)});
  const auto outputs = InSmallerBatches(key, 2, std::move(fake))->Run(tiles);
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  EXPECT_EQ(runs, (std::vector<size_t>{2, 2, 1}));
  for (size_t i = 0; i < 5; ++i) EXPECT_EQ((*outputs)[i].index, i);
}

}  // namespace
}  // namespace tilewright
