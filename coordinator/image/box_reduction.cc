#include "coordinator/image/box_reduction.h"

#include <cassert>
#include <cstdint>
#include <cstring>

namespace tilewright {
namespace {

// A sample as the numbers that are summed: `Sum` holds four of them.
template <typename Sample>
struct Integer {
  using Stored = Sample;
  using Sum = uint32_t;
  static Sum Load(Stored value) { return value; }
  static Stored Mean(Sum sum, uint32_t n) { return static_cast<Stored>((sum + n / 2) / n); }
};
struct F16 {
  using Stored = uint16_t;
  using Sum = float;
  static Sum Load(Stored value) { return FloatFromHalf(value); }
  static Stored Mean(Sum sum, uint32_t n) {
    return HalfFromFloat(sum * (1.0f / static_cast<float>(n)));
  }
};
struct F32 {
  using Stored = float;
  using Sum = float;
  static Sum Load(Stored value) { return value; }
  static Stored Mean(Sum sum, uint32_t n) { return sum * (1.0f / static_cast<float>(n)); }
};

template <typename Kind>
typename Kind::Sum At(const std::byte* samples, int64_t index) {
  typename Kind::Stored value;
  std::memcpy(&value, samples + index * static_cast<int64_t>(sizeof(value)), sizeof(value));
  return Kind::Load(value);
}

template <typename Kind>
void Reduce(int64_t channels, Size size, const std::byte* in, std::byte* out) {
  using Stored = typename Kind::Stored;
  const int64_t stride = size.width * channels;
  const auto put = [&out](Stored value) {
    std::memcpy(out, &value, sizeof(value));
    out += sizeof(value);
  };
  for (int64_t y = 0; y < size.height; y += 2) {
    const std::byte* const top = in + y * stride * static_cast<int64_t>(sizeof(Stored));
    const bool two_rows = y + 1 < size.height;
    const std::byte* const bottom =
        two_rows ? top + stride * static_cast<int64_t>(sizeof(Stored)) : top;
    const int64_t pairs = size.width / 2 * 2 * channels;
    for (int64_t x = 0; x < pairs; x += 2 * channels) {
      for (int64_t i = x; i < x + channels; ++i) {
        const auto sum = At<Kind>(top, i) + At<Kind>(top, i + channels);
        put(two_rows ? Kind::Mean(sum + (At<Kind>(bottom, i) + At<Kind>(bottom, i + channels)), 4)
                     : Kind::Mean(sum, 2));
      }
    }
    for (int64_t i = pairs; i < stride; ++i) {
      put(two_rows ? Kind::Mean(At<Kind>(top, i) + At<Kind>(bottom, i), 2)
                   : Kind::Mean(At<Kind>(top, i), 1));
    }
  }
}

}  // namespace

void BoxReduce(SampleType sample, int channels, Size size, absl::Span<const std::byte> in,
               absl::Span<std::byte> out) {
  const int64_t pixel = channels * BytesPerSample(sample);
  assert(static_cast<int64_t>(in.size()) == size.area() * pixel);
  assert(static_cast<int64_t>(out.size()) ==
         (size.width + 1) / 2 * ((size.height + 1) / 2) * pixel);
  switch (sample) {
    case SampleType::kU8:
      return Reduce<Integer<uint8_t>>(channels, size, in.data(), out.data());
    case SampleType::kU16:
      return Reduce<Integer<uint16_t>>(channels, size, in.data(), out.data());
    case SampleType::kF16:
      return Reduce<F16>(channels, size, in.data(), out.data());
    case SampleType::kF32:
      return Reduce<F32>(channels, size, in.data(), out.data());
  }
}

void CornerReduce(int64_t pixel_bytes, Size size, absl::Span<const std::byte> in,
                  absl::Span<std::byte> out) {
  assert(static_cast<int64_t>(in.size()) == size.area() * pixel_bytes);
  assert(static_cast<int64_t>(out.size()) ==
         (size.width + 1) / 2 * ((size.height + 1) / 2) * pixel_bytes);
  std::byte* to = out.data();
  for (int64_t y = 0; y < size.height; y += 2) {
    const std::byte* const row = in.data() + y * size.width * pixel_bytes;
    for (int64_t x = 0; x < size.width; x += 2, to += pixel_bytes) {
      std::memcpy(to, row + x * pixel_bytes, static_cast<size_t>(pixel_bytes));
    }
  }
}

}  // namespace tilewright
