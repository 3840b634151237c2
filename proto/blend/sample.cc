#include "proto/blend/sample.h"

#include <cassert>
#include <cmath>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "proto/blend/half.h"

namespace tilewright {
namespace {

template <typename T>
constexpr double kMax = 0;
template <>
constexpr double kMax<uint8_t> = 255;
template <>
constexpr double kMax<uint16_t> = 65535;

double Dequantise(double sample, double lo, double width, double max) {
  return lo + sample * width / max;
}

void U8ToNetwork(const std::byte* samples, ValueRange range, absl::Span<float> network) {
  const double lo = range.lo, width = double{range.hi} - lo;
  float table[256];
  for (int v = 0; v < 256; ++v) {
    table[v] = static_cast<float>(Dequantise(v, lo, width, kMax<uint8_t>));
  }
  for (size_t i = 0; i < network.size(); ++i) network[i] = table[static_cast<uint8_t>(samples[i])];
}

void U16ToNetwork(const uint16_t* __restrict samples, ValueRange range, float* __restrict network,
                  size_t count) {
  const double lo = range.lo, width = double{range.hi} - lo;
  for (size_t i = 0; i < count; ++i) {
    const double sample = static_cast<double>(static_cast<int32_t>(samples[i]));
    network[i] = static_cast<float>(Dequantise(sample, lo, width, kMax<uint16_t>));
  }
}

// floor and clamp to [0, max] are clamp and truncation, which vector units have.
template <typename T>
void Quantise(const float* __restrict network, ValueRange range, T* __restrict samples,
              size_t count) {
  const double lo = range.lo, width = double{range.hi} - lo;
  for (size_t i = 0; i < count; ++i) {
    double value = (static_cast<double>(network[i]) - lo) * kMax<T> / width + 0.5;
    value = value > 0.0 ? value : 0.0;  // a NaN too: the caller refuses it by itself
    value = value < kMax<T> ? value : kMax<T>;
    samples[i] = static_cast<T>(static_cast<int32_t>(value));
  }
}

// Whether all magnitudes are below `limit`, as float bits: a NaN's are above infinity's.
bool AllBelow(absl::Span<const float> network, uint32_t limit) {
  uint32_t over = 0;
  for (const float value : network) {
    over |= (blend_internal::BitsOf(value) & 0x7fffffffu) >= limit ? 1u : 0u;
  }
  return over == 0;
}

constexpr uint32_t kInfinity = 0x7f800000u;
constexpr uint32_t kHalfOverflow = 0x477ff000u;  // 65520 rounds to binary16's infinity

absl::Status NameFirstBad(absl::Span<const float> network, SampleType type) {
  for (size_t i = 0; i < network.size(); ++i) {
    if (!std::isfinite(network[i])) {
      return absl::DataLossError(absl::StrCat("the network's value ", i, " of ", network.size(),
                                              " is not finite: ", network[i]));
    }
    if (type == SampleType::kF16 && !AllBelow(network.subspan(i, 1), kHalfOverflow)) {
      return absl::DataLossError(absl::StrCat("the network's value ", i, " of ", network.size(),
                                              " does not fit f16: ", network[i]));
    }
  }
  return absl::InternalError("no bad value among the network's values");
}

}  // namespace

int BytesPerSample(SampleType type) {
  switch (type) {
    case SampleType::kU8:
      return 1;
    case SampleType::kU16:
    case SampleType::kF16:
      return 2;
    case SampleType::kF32:
      break;
  }
  return 4;
}

const char* SampleTypeName(SampleType type) {
  switch (type) {
    case SampleType::kU8:
      return "u8";
    case SampleType::kU16:
      return "u16";
    case SampleType::kF16:
      return "f16";
    case SampleType::kF32:
      return "f32";
  }
  return "unknown";
}

void ToNetwork(SampleType type, const std::byte* samples, ValueRange range,
               absl::Span<float> network) {
  switch (type) {
    case SampleType::kU8:
      return U8ToNetwork(samples, range, network);
    case SampleType::kU16:
      return U16ToNetwork(reinterpret_cast<const uint16_t*>(samples), range, network.data(),
                          network.size());
    case SampleType::kF16: {
      const uint16_t* halves = reinterpret_cast<const uint16_t*>(samples);
      for (size_t i = 0; i < network.size(); ++i) {
        network[i] = blend_internal::HalfToFloat(halves[i]);
      }
      return;
    }
    case SampleType::kF32:
      if (!network.empty()) std::memcpy(network.data(), samples, network.size() * sizeof(float));
      return;
  }
}

absl::Status FromNetwork(absl::Span<const float> network, ValueRange range, SampleType type,
                         std::byte* samples) {
  if (!AllBelow(network, type == SampleType::kF16 ? kHalfOverflow : kInfinity)) {
    return NameFirstBad(network, type);
  }
  switch (type) {
    case SampleType::kU8:
      Quantise(network.data(), range, reinterpret_cast<uint8_t*>(samples), network.size());
      break;
    case SampleType::kU16:
      Quantise(network.data(), range, reinterpret_cast<uint16_t*>(samples), network.size());
      break;
    case SampleType::kF16: {
      uint16_t* halves = reinterpret_cast<uint16_t*>(samples);
      for (size_t i = 0; i < network.size(); ++i) {
        halves[i] = blend_internal::FloatToHalf(network[i]);
      }
      break;
    }
    case SampleType::kF32:
      if (!network.empty()) std::memcpy(samples, network.data(), network.size() * sizeof(float));
      break;
  }
  return absl::OkStatus();
}

uint16_t HalfFromFloat(float value) { return blend_internal::FloatToHalf(value); }
float FloatFromHalf(uint16_t half) { return blend_internal::HalfToFloat(half); }

}  // namespace tilewright
