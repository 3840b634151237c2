// IEEE binary16 conversions as straight-line integer code that compilers vectorise; for this
// folder's .cc files only. Everything has internal linkage: the kernels are compiled for several
// instruction sets, and a shared inline function would let the linker pick one that the processor
// cannot run. Thread-safe.

#ifndef TILEWRIGHT_PROTO_BLEND_HALF_H_
#define TILEWRIGHT_PROTO_BLEND_HALF_H_

#include <cstdint>

namespace tilewright::blend_internal {
namespace {

inline uint32_t BitsOf(float value) {
  uint32_t bits;
  __builtin_memcpy(&bits, &value, sizeof(bits));
  return bits;
}

inline float FloatOf(uint32_t bits) {
  float value;
  __builtin_memcpy(&value, &bits, sizeof(value));
  return value;
}

[[maybe_unused]] inline float HalfToFloat(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000u) << 16;
  const uint32_t magnitude = half & 0x7fffu;
  // Subnormals are small integers in units of 2^-24: an exact product, never a float subnormal.
  const uint32_t subnormal =
      BitsOf(static_cast<float>(static_cast<int32_t>(magnitude)) * 5.9604644775390625e-8f);
  const uint32_t normal = (magnitude << 13) + (112u << 23);
  const uint32_t special = (magnitude << 13) | 0x7f800000u;
  const uint32_t bits = magnitude < 0x0400u ? subnormal : (magnitude < 0x7c00u ? normal : special);
  return FloatOf(sign | bits);
}

// Round to nearest even, in the default rounding mode.
[[maybe_unused]] inline uint16_t FloatToHalf(float value) {
  const uint32_t bits = BitsOf(value);
  const uint32_t sign = (bits >> 16) & 0x8000u;
  const uint32_t magnitude = bits & 0x7fffffffu;
  // Below 2^-14 the unit is 2^-24, which is that of 0.5: the addition rounds.
  const uint32_t subnormal = BitsOf(FloatOf(magnitude) + 0.5f) - 0x3f000000u;
  const uint32_t normal = (magnitude - (112u << 23) + 0x0fffu + ((magnitude >> 13) & 1u)) >> 13;
  const uint32_t special = magnitude > 0x7f800000u ? 0x7e00u : 0x7c00u;
  const uint32_t half =
      magnitude < 0x38800000u ? subnormal : (magnitude < 0x47800000u ? normal : special);
  return static_cast<uint16_t>(sign | half);
}

}  // namespace
}  // namespace tilewright::blend_internal

#endif  // TILEWRIGHT_PROTO_BLEND_HALF_H_
