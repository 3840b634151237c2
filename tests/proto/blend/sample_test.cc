#include "proto/blend/sample.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "gtest/gtest.h"

namespace tilewright {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr ValueRange kRanges[] = {{0, 1}, {-1, 1}, {0, 255}, {-0.5f, 0.5f}, {-2.1179f, 2.64f}};

template <typename T>
const std::byte* BytesOf(const std::vector<T>& samples) {
  return reinterpret_cast<const std::byte*>(samples.data());
}

template <typename T>
std::vector<T> Quantised(const std::vector<float>& network, ValueRange range, SampleType type) {
  std::vector<T> samples(network.size());
  const absl::Status status =
      FromNetwork(network, range, type, reinterpret_cast<std::byte*>(samples.data()));
  EXPECT_TRUE(status.ok()) << status;
  return samples;
}

std::vector<float> FromHalves(const std::vector<uint16_t>& halves) {
  std::vector<float> network(halves.size());
  ToNetwork(SampleType::kF16, BytesOf(halves), {}, absl::MakeSpan(network));
  return network;
}

// The rule as it is written.
double Stated(float y, ValueRange range, double max) {
  const double lo = range.lo, hi = range.hi;
  return std::clamp(std::floor((double{y} - lo) * max / (hi - lo) + 0.5), 0.0, max);
}

template <typename T>
std::vector<T> AllSamples() {
  std::vector<T> samples;
  for (int v = 0; v <= std::numeric_limits<T>::max(); ++v) samples.push_back(static_cast<T>(v));
  return samples;
}

template <typename T>
void ExpectEverySampleSurvives(SampleType type) {
  const std::vector<T> samples = AllSamples<T>();
  const double max = std::numeric_limits<T>::max();
  for (const ValueRange range : kRanges) {
    std::vector<float> network(samples.size());
    ToNetwork(type, BytesOf(samples), range, absl::MakeSpan(network));
    for (size_t v = 0; v < samples.size(); ++v) {
      const double lo = range.lo, hi = range.hi;
      ASSERT_EQ(network[v], static_cast<float>(lo + static_cast<double>(v) * (hi - lo) / max))
          << v << " in " << lo << " to " << hi;
    }
    EXPECT_EQ(Quantised<T>(network, range, type), samples) << range.lo << " to " << range.hi;
  }
}

TEST(Samples, HaveTheSizesAndNamesOfTheirTypes) {
  EXPECT_EQ(BytesPerSample(SampleType::kU8), 1);
  EXPECT_EQ(BytesPerSample(SampleType::kU16), 2);
  EXPECT_EQ(BytesPerSample(SampleType::kF16), 2);
  EXPECT_EQ(BytesPerSample(SampleType::kF32), 4);
  EXPECT_STREQ(SampleTypeName(SampleType::kU8), "u8");
  EXPECT_STREQ(SampleTypeName(SampleType::kU16), "u16");
  EXPECT_STREQ(SampleTypeName(SampleType::kF16), "f16");
  EXPECT_STREQ(SampleTypeName(SampleType::kF32), "f32");
}

TEST(ToNetwork, IsTheStatedRuleAndEverySampleSurvivesTheRoundTrip) {
  ExpectEverySampleSurvives<uint8_t>(SampleType::kU8);
  ExpectEverySampleSurvives<uint16_t>(SampleType::kU16);
}

TEST(FromNetwork, IsTheStatedRuleBesideEveryThreshold) {
  for (const ValueRange range : kRanges) {
    std::vector<float> network = {range.lo,
                                  range.hi,
                                  0.0f,
                                  -0.0f,
                                  1e30f,
                                  -1e30f,
                                  std::numeric_limits<float>::max(),
                                  std::numeric_limits<float>::lowest(),
                                  std::numeric_limits<float>::denorm_min()};
    for (int v = 0; v <= 255; ++v) {
      const float threshold =
          range.lo + (static_cast<float>(v) + 0.5f) * (range.hi - range.lo) / 255.0f;
      float value = threshold;
      for (int step = 0; step < 3; ++step)
        network.push_back(value = std::nextafter(value, kInfinity));
      value = threshold;
      network.push_back(value);
      for (int step = 0; step < 3; ++step)
        network.push_back(value = std::nextafter(value, -kInfinity));
    }
    const std::vector<uint8_t> u8 = Quantised<uint8_t>(network, range, SampleType::kU8);
    const std::vector<uint16_t> u16 = Quantised<uint16_t>(network, range, SampleType::kU16);
    for (size_t i = 0; i < network.size(); ++i) {
      ASSERT_EQ(u8[i], Stated(network[i], range, 255)) << network[i];
      ASSERT_EQ(u16[i], Stated(network[i], range, 65535)) << network[i];
    }
  }
}

TEST(FromNetwork, RoundsHalvesUpAndClamps) {
  EXPECT_EQ(Quantised<uint8_t>({-3, 0, 0.49f, 0.5f, 254.49f, 254.5f, 255, 300}, {0, 255},
                               SampleType::kU8),
            (std::vector<uint8_t>{0, 0, 0, 1, 254, 255, 255, 255}));
}

TEST(FromNetwork, NamesTheFirstValueThatIsNotFinite) {
  std::byte out[16];
  for (const SampleType type :
       {SampleType::kU8, SampleType::kU16, SampleType::kF16, SampleType::kF32}) {
    EXPECT_EQ(FromNetwork({0, 1, kNan, kInfinity}, {}, type, out),
              absl::DataLossError("the network's value 2 of 4 is not finite: nan"));
    EXPECT_EQ(FromNetwork({0, -kInfinity, kNan, 0}, {}, type, out),
              absl::DataLossError("the network's value 1 of 4 is not finite: -inf"));
    EXPECT_TRUE(FromNetwork({0, 1, 2, 3}, {}, type, out).ok());
    EXPECT_TRUE(FromNetwork({}, {}, type, out).ok());
  }
}

TEST(FromNetwork, RefusesWhatDoesNotFitAHalf) {
  std::byte out[8];
  EXPECT_EQ(FromNetwork({1, -65520}, {}, SampleType::kF16, out),
            absl::DataLossError("the network's value 1 of 2 does not fit f16: -65520"));
  EXPECT_TRUE(FromNetwork({1, 65519}, {}, SampleType::kF16, out).ok());
  EXPECT_TRUE(FromNetwork({1, 1e30f}, {}, SampleType::kF32, out).ok());
}

TEST(FloatSamples, AreNetworkValuesAlready) {
  const std::vector<float> values = {0, -1.5f, 3e30f, std::numeric_limits<float>::denorm_min()};
  EXPECT_EQ(Quantised<float>(values, {0, 255}, SampleType::kF32), values);
  std::vector<float> network(values.size());
  ToNetwork(SampleType::kF32, BytesOf(values), {0, 255}, absl::MakeSpan(network));
  EXPECT_EQ(network, values);

  const std::vector<uint16_t> halves = {0x3c00, 0xc000, 0x0001};
  EXPECT_EQ(FromHalves(halves), (std::vector<float>{1, -2, std::ldexp(1.0f, -24)}));
  EXPECT_EQ(Quantised<uint16_t>({1, -2, std::ldexp(1.0f, -24)}, {0, 255}, SampleType::kF16),
            halves);
}

// The value of a half by its definition.
float Defined(uint16_t half) {
  const int exponent = (half >> 10) & 31, fraction = half & 1023;
  const float sign = (half & 0x8000) != 0 ? -1.0f : 1.0f;
  if (exponent == 31) return fraction == 0 ? sign * kInfinity : kNan;
  if (exponent == 0) return sign * std::ldexp(static_cast<float>(fraction), -24);
  return sign * std::ldexp(static_cast<float>(1024 + fraction), exponent - 25);
}

TEST(Half, HasTheValueOfItsDefinitionAndComesBack) {
  for (int bits = 0; bits < 65536; ++bits) {
    const uint16_t half = static_cast<uint16_t>(bits);
    const float value = FloatFromHalf(half), defined = Defined(half);
    if (std::isnan(defined)) {
      ASSERT_TRUE(std::isnan(value)) << bits;
      ASSERT_TRUE(std::isnan(FloatFromHalf(HalfFromFloat(value)))) << bits;
      continue;
    }
    ASSERT_EQ(value, defined) << bits;
    ASSERT_EQ(std::signbit(value), std::signbit(defined)) << bits;
    ASSERT_EQ(HalfFromFloat(value), half);
  }
}

TEST(Half, RoundsToTheNearestAndTiesToEven) {
  // Around the middle of every two neighbouring halves, also the last one and infinity (65520).
  for (int bits = 0; bits < 0x7c00; ++bits) {
    const uint16_t below = static_cast<uint16_t>(bits), above = static_cast<uint16_t>(bits + 1);
    const float upper = above == 0x7c00 ? 65536.0f : FloatFromHalf(above);
    const float middle = (FloatFromHalf(below) + upper) / 2;
    const uint16_t even = (bits & 1) == 0 ? below : above;
    ASSERT_EQ(HalfFromFloat(middle), even) << bits;
    ASSERT_EQ(HalfFromFloat(std::nextafter(middle, 0.0f)), below) << bits;
    ASSERT_EQ(HalfFromFloat(std::nextafter(middle, kInfinity)), above) << bits;
    ASSERT_EQ(HalfFromFloat(-middle), even | 0x8000) << bits;
  }
  EXPECT_EQ(HalfFromFloat(1e30f), 0x7c00);
  EXPECT_EQ(HalfFromFloat(-kInfinity), 0xfc00);
  EXPECT_EQ(HalfFromFloat(std::numeric_limits<float>::denorm_min()), 0);
  EXPECT_EQ(HalfFromFloat(-0.0f), 0x8000);
}

}  // namespace
}  // namespace tilewright
