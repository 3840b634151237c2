// Seeded noise for canary tiles: the same bytes on every machine. Pure; thread-safe.

#ifndef TILEWRIGHT_PROTO_WIRE_NOISE_H_
#define TILEWRIGHT_PROTO_WIRE_NOISE_H_

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "absl/types/span.h"
#include "proto/blend/sample.h"

namespace tilewright {

// Steele, Lea and Flood's SplitMix64: 64 well-mixed bits from a counter.
class SplitMix64 {
 public:
  explicit SplitMix64(uint64_t seed) : state_(seed) {}
  uint64_t Next() {
    state_ += 0x9E3779B97F4A7C15u;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }

 private:
  uint64_t state_;
};

// Fills `samples` with noise of the type, little-endian: u8 and u16 use their whole range, f16 and
// f32 are k / 255 with k in 0 … 255. A span that ends within a sample ends with its first bytes.
inline void FillNoise(uint64_t seed, SampleType type, absl::Span<std::byte> samples) {
  SplitMix64 random(seed);
  uint64_t bits = 0;
  int left = 0;
  const auto next_byte = [&] {
    if (left == 0) {
      bits = random.Next();
      left = 8;
    }
    const auto byte = static_cast<uint8_t>(bits);
    bits >>= 8;
    --left;
    return byte;
  };
  if (type == SampleType::kU8 || type == SampleType::kU16) {
    for (std::byte& sample : samples) sample = std::byte{next_byte()};
    return;
  }
  const size_t step = type == SampleType::kF16 ? 2 : 4;
  for (size_t at = 0; at < samples.size(); at += step) {
    const float value = static_cast<float>(next_byte()) / 255.0f;
    uint32_t word = 0;
    if (type == SampleType::kF16) {
      word = HalfFromFloat(value);
    } else {
      std::memcpy(&word, &value, sizeof(word));
    }
    for (size_t i = 0; i < step && at + i < samples.size(); ++i) {
      samples[at + i] = static_cast<std::byte>(word >> (8 * i));
    }
  }
}

}  // namespace tilewright

#endif  // TILEWRIGHT_PROTO_WIRE_NOISE_H_
