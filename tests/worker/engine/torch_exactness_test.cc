// Tiled against whole-image inference with LibTorch: equal where the halo holds the receptive
// radius, not where it does not.

#include <gtest/gtest.h>

#include <iostream>

#include "tests/worker/engine/tiling.h"
#include "tests/worker/engine/torch_fixture.h"

namespace tilewright {
namespace {

constexpr int64_t kTile = 128;
constexpr int64_t kRadius = 18;  // of srvgg16x4

Difference TiledAgainstWhole(const std::string& name, Size size, int64_t tile, int64_t halo) {
  const LocalModel model = TestModel(name);
  const Picture picture = SmoothPicture(size, 3, /*seed=*/42);
  const auto whole = RunWhole(TestTorchEngine(), model, picture);
  const auto tiled = RunTiled(TestTorchEngine(), model, picture, tile, halo);
  EXPECT_TRUE(whole.ok()) << whole.status();
  EXPECT_TRUE(tiled.ok()) << tiled.status();
  if (!whole.ok() || !tiled.ok()) return {};
  const Difference difference = Compare(*whole, *tiled);
  std::cout << name << " " << ToString(size) << ", tile " << tile << ", halo " << halo << ": "
            << difference.Text() << "\n";
  return difference;
}

// At most 1 LSB on at most 0.01 % of the samples.
void ExpectExact(const Difference& difference) {
  EXPECT_GT(difference.samples, 0);
  EXPECT_LE(difference.max_lsb, 1) << difference.Text();
  EXPECT_LE(difference.off * 10000, difference.samples) << difference.Text();
}

TEST(SrvggExactness, HoldsOnAPhotographsCrop) {
  ExpectExact(TiledAgainstWhole("srvgg16x4", {700, 500}, kTile, kRadius));
}

TEST(SrvggExactness, HoldsAtAwkwardSizes) {
  for (const Size size : {Size{1, 1}, Size{kRadius, kRadius}, Size{kTile - 1, kTile - 1},
                          Size{kTile + 1, kTile / 2}}) {
    ExpectExact(TiledAgainstWhole("srvgg16x4", size, kTile, kRadius));
  }
}

TEST(SrvggExactness, IsLostWithHalfTheHalo) {
  const Difference difference =
      TiledAgainstWhole("srvgg16x4", {kTile + 2 * (kTile - kRadius), kTile}, kTile, kRadius / 2);
  EXPECT_GT(difference.off * 10000, difference.samples) << difference.Text();
}

TEST(ReachExactness, HoldsAtTheRadiusAndNotOneBelowIt) {
  for (const auto& [name, radius] : {std::pair("reach-8", 8), std::pair("reach-16", 16)}) {
    for (int64_t k : {2, 3, 5}) {
      const int64_t tile = 64;
      // Widths that leave the cuts no slack: each contribution begins exactly the halo inside its
      // tile.
      const int64_t good = tile + k * (tile - 2 * radius);
      EXPECT_TRUE(TiledAgainstWhole(name, {good, tile + 11}, tile, radius).same_bits);
      const int64_t bad = tile + k * (tile - 2 * (radius - 1));
      EXPECT_GE(TiledAgainstWhole(name, {bad, tile + 11}, tile, radius - 1).max_lsb, 8);
    }
  }
}

TEST(ReachExactness, MovesTheOutputAtItsRadiusByEightLsb) {
  const LocalModel model = TestModel("reach-16");
  Picture picture{{65, 65}, 3, std::vector<float>(65 * 65 * 3)};
  const auto before = RunWhole(TestTorchEngine(), model, picture);
  for (size_t c = 0; c < 3; ++c) picture.values[(32 * 65 + 32) * 3 + c] = 1.0f;
  const auto after = RunWhole(TestTorchEngine(), model, picture);
  ASSERT_TRUE(before.ok() && after.ok());
  const auto change = [&](int64_t x, int64_t y) {
    const auto i = static_cast<size_t>((y * 65 + x) * 3);
    return 255 * (after->values[i] - before->values[i]);
  };
  EXPECT_GE(change(16, 16), 8);
  EXPECT_GE(change(48, 16), 8);
  EXPECT_EQ(change(15, 15), 0) << "beyond the radius nothing changes";
}

}  // namespace
}  // namespace tilewright
