// Blending against the rule as it is written, for every instruction set that this machine runs.

#include "proto/blend/cell.h"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace tilewright {
namespace {

constexpr SampleType kTypes[] = {SampleType::kU8, SampleType::kU16, SampleType::kF16,
                                 SampleType::kF32};
constexpr std::byte kGuard{0xa5};

template <typename T>
T ReadAs(const std::byte* at) {
  T sample;
  std::memcpy(&sample, at, sizeof(T));
  return sample;
}

uint32_t StatedInteger(uint32_t p00, uint32_t p10, uint32_t p01, uint32_t p11, uint32_t wx,
                       uint32_t wy) {
  return ((256 - wy) * ((256 - wx) * p00 + wx * p10) + wy * ((256 - wx) * p01 + wx * p11) +
          32768) >>
         16;
}

float StatedMix(float p, float r, uint32_t w) {
  const float weight = static_cast<float>(w) / 256.0f;
  const float step = (r - p) * weight;
  return p + step;
}

// Four contributors of a cell, their rows longer than the cell.
struct Scene {
  CellJob job;
  std::vector<uint16_t> wx, wy;
  std::vector<std::byte> tiles[4];
  std::vector<std::byte> out;

  const std::byte* Sample(const CellSource& source, int64_t x, int64_t y, int c) const {
    return source.data + y * source.row_bytes + (x * job.channels + c) * BytesPerSample(job.type);
  }
};

void RandomSample(SampleType type, std::mt19937& random, std::byte* at) {
  const uint32_t bits = random();
  switch (type) {
    case SampleType::kU8: {
      const uint8_t sample = static_cast<uint8_t>(bits);
      std::memcpy(at, &sample, 1);
      return;
    }
    case SampleType::kU16: {
      const uint16_t sample = static_cast<uint16_t>(bits);
      std::memcpy(at, &sample, 2);
      return;
    }
    case SampleType::kF16: {
      uint16_t sample = static_cast<uint16_t>(bits);
      if ((sample & 0x7c00) == 0x7c00) sample ^= 0x4000;  // finite, subnormals too
      std::memcpy(at, &sample, 2);
      return;
    }
    case SampleType::kF32: {
      const float sample = std::ldexp(static_cast<float>(static_cast<int32_t>(bits)),
                                      static_cast<int>(random() % 16) - 38);
      std::memcpy(at, &sample, 4);
      return;
    }
  }
}

Scene MakeScene(SampleType type, int channels, Size size, bool blend_x, bool blend_y,
                uint32_t seed) {
  std::mt19937 random(seed);
  Scene scene;
  CellJob& job = scene.job;
  job.type = type;
  job.channels = channels;
  job.size = size;
  const int64_t bytes = BytesPerSample(type);
  CellSource* sources[] = {&job.p00, &job.p10, &job.p01, &job.p11};
  for (int k = 0; k < 4; ++k) {
    const int64_t row_samples = size.width * channels + 1 + 2 * k;
    scene.tiles[k].resize(static_cast<size_t>(row_samples * size.height * bytes));
    for (size_t i = 0; i < scene.tiles[k].size(); i += static_cast<size_t>(bytes)) {
      RandomSample(type, random, &scene.tiles[k][i]);
    }
    *sources[k] = {scene.tiles[k].data(), row_samples * bytes};
  }
  for (int64_t x = 0; blend_x && x < size.width; ++x) {
    scene.wx.push_back(static_cast<uint16_t>(random() % 257));
  }
  for (int64_t y = 0; blend_y && y < size.height; ++y) {
    scene.wy.push_back(static_cast<uint16_t>(random() % 257));
  }
  job.wx = scene.wx;
  job.wy = scene.wy;
  job.out_row_bytes = (size.width * channels + 3) * bytes;
  return scene;
}

std::vector<std::byte> Blend(InstructionSet set, const CellJob& job) {
  std::vector<std::byte> out(static_cast<size_t>(job.out_row_bytes * job.size.height), kGuard);
  CellJob copy = job;
  copy.out = out.data();
  BlendCellWith(set, copy);
  return out;
}

// The rule for one sample; `mix` lets a control put another arithmetic in.
using MixFunction = float (*)(float p, float r, uint32_t w);

void StatedSample(const Scene& scene, int64_t x, int64_t y, int c, MixFunction mix,
                  std::byte* out) {
  const CellJob& job = scene.job;
  const bool blend_x = !job.wx.empty(), blend_y = !job.wy.empty();
  const uint32_t wx = blend_x ? job.wx[static_cast<size_t>(x)] : 0;
  const uint32_t wy = blend_y ? job.wy[static_cast<size_t>(y)] : 0;
  const CellSource* used[] = {&job.p00, blend_x ? &job.p10 : &job.p00,
                              blend_y ? &job.p01 : &job.p00,
                              blend_x && blend_y ? &job.p11 : &job.p00};
  const std::byte* at[4];
  for (int k = 0; k < 4; ++k) at[k] = scene.Sample(*used[k], x, y, c);
  if (!blend_x && !blend_y) {
    std::memcpy(out, at[0], static_cast<size_t>(BytesPerSample(job.type)));
    return;
  }
  if (job.type == SampleType::kU8) {
    const uint8_t sample =
        static_cast<uint8_t>(StatedInteger(ReadAs<uint8_t>(at[0]), ReadAs<uint8_t>(at[1]),
                                           ReadAs<uint8_t>(at[2]), ReadAs<uint8_t>(at[3]), wx, wy));
    std::memcpy(out, &sample, sizeof(sample));
    return;
  }
  if (job.type == SampleType::kU16) {
    const uint16_t sample = static_cast<uint16_t>(
        StatedInteger(ReadAs<uint16_t>(at[0]), ReadAs<uint16_t>(at[1]), ReadAs<uint16_t>(at[2]),
                      ReadAs<uint16_t>(at[3]), wx, wy));
    std::memcpy(out, &sample, sizeof(sample));
    return;
  }
  const bool half = job.type == SampleType::kF16;
  float p[4];
  for (int k = 0; k < 4; ++k) {
    p[k] = half ? FloatFromHalf(ReadAs<uint16_t>(at[k])) : ReadAs<float>(at[k]);
  }
  const float top = blend_x ? mix(p[0], p[1], wx) : p[0];
  const float low = blend_x ? mix(p[2], p[3], wx) : p[2];
  const float value = blend_y ? mix(top, low, wy) : top;
  if (half) {
    const uint16_t sample = HalfFromFloat(value);
    std::memcpy(out, &sample, sizeof(sample));
  } else {
    std::memcpy(out, &value, sizeof(value));
  }
}

std::vector<std::byte> Stated(const Scene& scene, MixFunction mix = StatedMix) {
  const CellJob& job = scene.job;
  std::vector<std::byte> out(static_cast<size_t>(job.out_row_bytes * job.size.height), kGuard);
  for (int64_t y = 0; y < job.size.height; ++y) {
    for (int64_t x = 0; x < job.size.width; ++x) {
      for (int c = 0; c < job.channels; ++c) {
        StatedSample(scene, x, y, c, mix,
                     &out[static_cast<size_t>(y * job.out_row_bytes +
                                              (x * job.channels + c) * BytesPerSample(job.type))]);
      }
    }
  }
  return out;
}

std::string Describe(const CellJob& job, InstructionSet set) {
  return absl::StrCat(SampleTypeName(job.type), " x", job.channels, " ", ToString(job.size),
                      job.wx.empty() ? "" : " along x", job.wy.empty() ? "" : " along y", " with ",
                      InstructionSetName(set));
}

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
  for (uint32_t w = 0; w <= 256; ++w) {
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
    for (int round = 0; round < 12; ++round) {
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
    for (int pattern = 0; pattern < 16; ++pattern) {
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
    std::vector<std::byte> out(static_cast<size_t>(job.out_row_bytes * job.size.height), kGuard);
    job.out = out.data();
    BlendCell(job);
    EXPECT_EQ(out, Blend(InstructionSet::kBaseline, job)) << SampleTypeName(type);
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

// Controls: arithmetic that other programs use and that these comparisons must tell apart.

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
