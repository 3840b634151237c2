// Sample types of images on the wire and on the canvas, and the exact conversions into and out of a
// network. Pure; thread-safe. Samples are little-endian, as is every machine this is built for, and
// aligned for their type.

#ifndef TILEWRIGHT_PROTO_BLEND_SAMPLE_H_
#define TILEWRIGHT_PROTO_BLEND_SAMPLE_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/types/span.h"

namespace tilewright {

enum class SampleType { kU8, kU16, kF16, kF32 };

// 1, 2, 2 or 4 bytes.
int BytesPerSample(SampleType type);
// "u8", "u16", "f16", "f32".
const char* SampleTypeName(SampleType type);

// The values a network takes or gives for the smallest and the largest integer sample. hi > lo.
struct ValueRange {
  float lo = 0.0f;
  float hi = 1.0f;
  friend bool operator==(const ValueRange&, const ValueRange&) = default;
};

// x = float(lo + double(v) * (hi - lo) / max) for u8 and u16, max 255 or 65535; f16 and f32 samples
// are network values already. `samples` holds network.size() samples of `type`.
void ToNetwork(SampleType type, const std::byte* samples, ValueRange range,
               absl::Span<float> network);

// clamp(floor((double(y) - lo) * max / (hi - lo) + 0.5), 0, max) for u8 and u16; f16 rounds to
// nearest even; f32 copies. DATA_LOSS, naming the first sample, if any value is not finite, or
// beyond binary16 for f16; `samples` is then unspecified.
absl::Status FromNetwork(absl::Span<const float> network, ValueRange range, SampleType type,
                         std::byte* samples);

// IEEE binary16 by round to nearest even, and back; the same bits on every machine.
uint16_t HalfFromFloat(float value);
float FloatFromHalf(uint16_t half);

}  // namespace tilewright

#endif  // TILEWRIGHT_PROTO_BLEND_SAMPLE_H_
