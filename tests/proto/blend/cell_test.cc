// Blending against the rule as it is written, for every instruction set that this machine runs.

#include "proto/blend/cell.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "gtest/gtest.h"
#include "tests/proto/base/sanitized.h"
#include "tests/proto/blend/cell_reference.h"

namespace tilewright {
namespace {

class BlendCellEverywhere : public testing::TestWithParam<InstructionSet> {};

INSTANTIATE_TEST_SUITE_P(Sets, BlendCellEverywhere, testing::ValuesIn(SupportedInstructionSets()),
                         [](const testing::TestParamInfo<InstructionSet>& set) {
                           return std::string(InstructionSetName(set.param));
                         });

TEST_P(BlendCellEverywhere, GivesTheStatedBytes) {
  uint32_t seed = 1;
  for (const SampleType type : kTypes) {
    for (int channels = 1; channels <= 4; ++channels) {
      for (const int64_t width : {1, 2, 3, 5, 7, 8, 15, 16, 17, 31, 33, 63, 64, 65, 131, 4099}) {
        const int64_t height = width > 1000 ? 2 : 5;
        for (int axes = 0; axes < 4; ++axes) {
          const Scene scene =
              MakeScene(type, channels, {width, height}, (axes & 1) != 0, (axes & 2) != 0, ++seed);
          ASSERT_EQ(Blend(GetParam(), scene.job), Stated(scene))
              << Describe(scene.job, GetParam()) << ", or beyond the cell's end";
        }
      }
    }
  }
}

// Every p, r and w, so that the one-axis loops are the whole rule with the other weight 0.
TEST_P(BlendCellEverywhere, GivesTheStatedBytesForEveryPairAndWeight) {
  std::vector<uint8_t> ramp(256), level(256), out(256);
  std::vector<uint16_t> wx(256);
  for (int i = 0; i < 256; ++i) ramp[static_cast<size_t>(i)] = static_cast<uint8_t>(i);
  for (uint32_t w = 0; w <= 256; w += kSanitized ? 16 : 1) {
    const uint16_t wy = static_cast<uint16_t>(w);
    wx.assign(256, wy);
    for (uint32_t r = 0; r < 256; ++r) {
      level.assign(256, static_cast<uint8_t>(r));
      CellJob job;
      job.size = {256, 1};
      job.p00 = {reinterpret_cast<const std::byte*>(ramp.data()), 256};
      job.p10 = job.p01 = {reinterpret_cast<const std::byte*>(level.data()), 256};
      job.out = reinterpret_cast<std::byte*>(out.data());
      job.out_row_bytes = 256;
      for (const bool along_x : {true, false}) {
        job.wx = along_x ? absl::MakeConstSpan(wx) : absl::Span<const uint16_t>();
        job.wy = along_x ? absl::Span<const uint16_t>() : absl::MakeConstSpan(&wy, 1);
        BlendCellWith(GetParam(), job);
        for (uint32_t p = 0; p < 256; ++p) {
          const uint32_t stated =
              along_x ? StatedInteger(p, r, p, r, w, 0) : StatedInteger(p, p, r, r, 0, w);
          ASSERT_EQ(out[p], stated) << "p " << p << " r " << r << " w " << w;
        }
      }
    }
  }
}

TEST_P(BlendCellEverywhere, KeepsConstants) {
  std::vector<uint16_t> weights;
  for (uint16_t w = 0; w <= 256; ++w) weights.push_back(w);
  std::mt19937 random(5);
  for (const SampleType type : kTypes) {
    const size_t bytes = static_cast<size_t>(BytesPerSample(type));
    for (int round = 0; round < (kSanitized ? 3 : 12); ++round) {
      std::byte sample[4] = {};
      RandomSample(type, random, sample);
      if (round == 0) std::memset(sample, 0, sizeof(sample));
      if (round == 1 && type != SampleType::kF16 && type != SampleType::kF32) {
        std::memset(sample, 0xff, sizeof(sample));
      }
      std::vector<std::byte> tile;
      for (int i = 0; i < 257 * 257; ++i) tile.insert(tile.end(), sample, sample + bytes);
      CellJob job;
      job.type = type;
      job.size = {257, 257};
      job.wx = job.wy = weights;
      job.out_row_bytes = static_cast<int64_t>(257 * bytes);
      job.p00 = job.p10 = job.p01 = job.p11 = {tile.data(), job.out_row_bytes};
      ASSERT_EQ(Blend(GetParam(), job), tile) << Describe(job, GetParam());
    }
  }
}

TEST_P(BlendCellEverywhere, DoesNotOverflowAtTheExtremes) {
  for (const SampleType type : {SampleType::kU8, SampleType::kU16}) {
    for (int pattern = 0; pattern < 16; pattern += kSanitized ? 5 : 1) {
      Scene scene = MakeScene(type, 1, {257, 257}, true, true, 9);
      for (int k = 0; k < 4; ++k) {
        std::memset(scene.tiles[k].data(), (pattern >> k & 1) != 0 ? 0xff : 0,
                    scene.tiles[k].size());
      }
      for (size_t w = 0; w <= 256; ++w) scene.wx[w] = scene.wy[w] = static_cast<uint16_t>(w);
      ASSERT_EQ(Blend(GetParam(), scene.job), Stated(scene)) << pattern;
    }
  }
}

TEST(BlendCell, UsesAVariantThatGivesTheBaselinesBytes) {
  for (const SampleType type : kTypes) {
    const Scene scene = MakeScene(type, 3, {131, 9}, true, true, 21);
    CellJob job = scene.job;
    std::vector<std::byte> out = Blend(InstructionSet::kBaseline, job);
    const std::vector<std::byte> baseline = out;
    std::fill(out.begin(), out.begin() + BytesPerSample(type), std::byte{1});
    job.out = out.data();
    BlendCell(job);
    EXPECT_EQ(out, baseline) << SampleTypeName(type);
  }
}

TEST(BlendCell, WritesNothingForAnEmptyCell) {
  CellJob job;
  job.size = {0, 5};
  BlendCell(job);
  job.size = {5, 0};
  BlendCell(job);
}

// Who stands in for a missing contributor: the other tile of its row, then the other row.
TEST(BlendCell, FillsHolesFromTheRowThenFromTheOtherRow) {
  const int order[4][4] = {{0, 1, 2, 3}, {1, 0, 3, 2}, {2, 3, 0, 1}, {3, 2, 1, 0}};
  for (int axes = 0; axes < 4; ++axes) {
    const bool x = (axes & 1) != 0, y = (axes & 2) != 0;
    const int called = 1 | (x ? 2 : 0) | (y ? 4 : 0) | (x && y ? 8 : 0);
    for (int present = 1; present < 16; ++present) {
      if ((present & ~called) != 0) continue;
      Scene scene = MakeScene(SampleType::kU16, 3, {37, 6}, x, y, 31);
      const CellSource all[4] = {scene.job.p00, scene.job.p10, scene.job.p01, scene.job.p11};
      CellJob holes = scene.job;
      CellSource* given[4] = {&holes.p00, &holes.p10, &holes.p01, &holes.p11};
      CellSource* expected[4] = {&scene.job.p00, &scene.job.p10, &scene.job.p01, &scene.job.p11};
      for (int k = 0; k < 4; ++k) {
        if ((present >> k & 1) == 0) *given[k] = {};
        for (const int stand_in : order[k]) {
          if ((present >> stand_in & 1) == 0) continue;
          *expected[k] = all[stand_in];
          break;
        }
      }
      ASSERT_EQ(Blend(InstructionSet::kBaseline, holes), Stated(scene))
          << "present " << present << Describe(holes, InstructionSet::kBaseline);
    }
  }
}

TEST(BlendCell, NeedsAtLeastOneContributor) {
  CellJob job;
  job.size = {1, 1};
  std::byte out{};
  job.out = &out;
  EXPECT_DEATH(BlendCell(job), "p00.data");
}

}  // namespace
}  // namespace tilewright
