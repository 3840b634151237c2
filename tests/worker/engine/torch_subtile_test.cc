// Which tiles LibTorch computes in sub-tiles to the same bits: what a strict job may hope for when
// memory runs out. The canary decides in each case; this states what was measured, and that noise,
// which canaries are made of, tells what holds for a picture.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "tests/worker/engine/tiling.h"
#include "tests/worker/engine/torch_fixture.h"
#include "worker/device/cpu.h"
#include "worker/executor/smaller_stage.h"

namespace tilewright {
namespace {

constexpr int64_t kHalo = 18;  // the radius of srvgg16x4

absl::StatusOr<SubTiling> Cut(Size tile, int parts, int64_t halo) {
  return PlanSubTiles(tile, parts, {halo, 1, 1, *Scale::Create(4, 1)});
}

// The largest difference of network values between a tile and the same in sub-tiles.
double InSubTilesAgainstWhole(const Picture& picture, const SubTiling& tiling) {
  const LocalModel model = TestModel("srvgg16x4");
  const NetworkTile tile{0, picture.size, picture.channels, picture.values};
  StageKey key;
  key.model_digest = model.digest;
  key.shape = picture.size;
  key.channels = picture.channels;
  key.dtype = "fp32";
  StageKey small = key;
  small.shape = tiling.shape();
  const auto whole_stage = TestTorchEngine().Load(model, key, {});
  auto small_stage = TestTorchEngine().Load(model, small, {});
  EXPECT_TRUE(whole_stage.ok() && small_stage.ok());
  if (!whole_stage.ok() || !small_stage.ok()) return INFINITY;
  const auto whole = (*whole_stage)->Run(absl::MakeConstSpan(&tile, 1));
  const auto parted =
      InSubTiles(key, tiling, *std::move(small_stage))->Run(absl::MakeConstSpan(&tile, 1));
  EXPECT_TRUE(whole.ok() && parted.ok());
  if (!whole.ok() || !parted.ok()) return INFINITY;
  const std::vector<float>& a = (*whole)[0].values;
  const std::vector<float>& b = (*parted)[0].values;
  EXPECT_EQ(a.size(), b.size());
  double largest = 0;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    largest = std::max(largest, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
  }
  return largest;
}

// Measured with LibTorch 2.11.0 on an AVX2 processor, with the kernels of AVX2 and of SSE 4.1: all
// of these. Where wider kernels are chosen only the canary is to be trusted.
TEST(TorchSubTiles, OfTheseShapesHaveTheBitsOfTheWholeTile) {
  const bool measured = !absl::StrContains(CpuInstructionSets(RealFiles()), "avx512");
  for (const auto& [side, parts] :
       std::vector<std::pair<int64_t, int>>{{96, 2}, {128, 2}, {128, 4}, {192, 4}, {256, 4}}) {
    const auto tiling = Cut({side, side}, parts, kHalo);
    ASSERT_TRUE(tiling.ok()) << tiling.status();
    const double difference =
        InSubTilesAgainstWhole(SmoothPicture({side, side}, 3, /*seed=*/7), *tiling);
    const double of_noise =
        InSubTilesAgainstWhole(NoisePicture({side, side}, 3, /*seed=*/8), *tiling);
    const std::string what = ToString(Size{side, side}) + " in " + ToString(tiling->shape());
    std::cout << what << ": " << (difference == 0 ? "same bits" : std::to_string(difference))
              << "\n";
    EXPECT_TRUE(difference == 0 || !measured) << what;
    EXPECT_TRUE(difference == 0 || of_noise > 0) << what << ": the canary would not have seen it";
  }
}

TEST(TorchSubTiles, WithHalfTheHaloDiffer) {
  const auto tiling = Cut({128, 128}, 2, kHalo / 2);
  ASSERT_TRUE(tiling.ok()) << tiling.status();
  EXPECT_GT(InSubTilesAgainstWhole(SmoothPicture({128, 128}, 3, /*seed=*/7), *tiling), 1e-4);
}

TEST(TorchSubTiles, WithoutRoomBetweenTheirHalosAreRefused) {
  EXPECT_TRUE(Cut({40, 40}, 2, kHalo).ok()) << "two pixels between them";
  EXPECT_EQ(Cut({38, 38}, 2, kHalo).status().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace tilewright
