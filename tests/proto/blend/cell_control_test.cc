// Controls: arithmetic that other programs use, which the comparisons of cell_test.cc must tell
// apart.

#include <cmath>
#include <cstdint>
#include <random>

#include "gtest/gtest.h"
#include "proto/blend/cell.h"
#include "tests/proto/blend/cell_reference.h"

namespace tilewright {
namespace {

float FusedMix(float p, float r, uint32_t w) {
  return std::fma(r - p, static_cast<float>(w) / 256.0f, p);
}

float SummedMix(float p, float r, uint32_t w) {
  const float weight = static_cast<float>(w) / 256.0f;
  return p * (1.0f - weight) + r * weight;
}

TEST(BlendCellControl, AFusedMultiplyAddIsSeen) {
  const Scene scene = MakeScene(SampleType::kF32, 3, {131, 9}, true, true, 41);
  EXPECT_EQ(Stated(scene), Blend(InstructionSet::kBaseline, scene.job));
  EXPECT_NE(Stated(scene, FusedMix), Blend(InstructionSet::kBaseline, scene.job));
}

TEST(BlendCellControl, AWeightedSumIsSeen) {
  const Scene scene = MakeScene(SampleType::kF32, 3, {131, 9}, true, false, 43);
  EXPECT_NE(Stated(scene, SummedMix), Blend(InstructionSet::kBaseline, scene.job));
}

TEST(BlendCellControl, AFloatAccumulatorDependsOnTheOrderOfArrival) {
  std::mt19937 random(47);
  int differing = 0;
  for (int i = 0; i < 1000; ++i) {
    const uint32_t wx = random() % 257, wy = random() % 257;
    float term[4];
    for (int k = 0; k < 4; ++k) {
      const float sample = static_cast<float>(random() % 65536);
      const float column = static_cast<float>((k & 1) != 0 ? wx : 256 - wx) / 256.0f;
      const float line = static_cast<float>((k & 2) != 0 ? wy : 256 - wy) / 256.0f;
      term[k] = sample * (column * line);
    }
    const float one = ((term[0] + term[1]) + term[2]) + term[3];
    const float other = ((term[3] + term[1]) + term[0]) + term[2];
    if (one != other) ++differing;
  }
  EXPECT_GT(differing, 100);
}

}  // namespace
}  // namespace tilewright
