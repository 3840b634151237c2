#include "coordinator/merge/preview.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>

#include "proto/blend/sample.h"

namespace tilewright {
namespace {

constexpr int64_t kRgba = 4;
// Pixels of the canvas along each axis that one of the preview is the mean of.
constexpr int64_t kTapsMax = 4;

// Powers of two divide a block, so that no preview pixel belongs to two.
int64_t StepOf(Size canvas) {
  int64_t step = 1;
  while (step < kBlockSide && std::max(canvas.width, canvas.height) > step * Preview::kSideMax) {
    step *= 2;
  }
  return step;
}

int64_t CeilDiv(int64_t value, int64_t by) { return (value + by - 1) / by; }

// Samples on the scale of 8 bits.
double OfU8(uint8_t sample) { return sample; }
double OfU16(uint16_t sample) { return sample / 257.0; }
double OfF16(uint16_t sample) { return FloatFromHalf(sample) * 255.0; }
double OfF32(float sample) { return sample * 255.0; }

}  // namespace

Preview::Preview(const CanvasFormat& format)
    : format_(format),
      step_(StepOf(format.size)),
      size_{CeilDiv(format.size.width, step_), CeilDiv(format.size.height, step_)},
      pixels_(static_cast<size_t>(size_.area() * kRgba)) {}

bool Preview::Restore(absl::Span<const std::byte> pixels, int64_t drawn) {
  if (pixels.size() != pixels_.size() || drawn < 0 || drawn > format_.size.area()) return false;
  std::copy(pixels.begin(), pixels.end(), pixels_.begin());
  drawn_ = drawn;
  return true;
}

void Preview::AddBlock(int64_t column, int64_t row, absl::Span<const std::byte> samples) {
  const Rect block = format_.BlockRect(column, row);
  assert(static_cast<int64_t>(samples.size()) == block.area() * format_.pixel_bytes());
  drawn_ += block.area();
  switch (format_.sample) {
    case SampleType::kU8:
      return Draw<uint8_t, OfU8>(block, samples);
    case SampleType::kU16:
      return Draw<uint16_t, OfU16>(block, samples);
    case SampleType::kF16:
      return Draw<uint16_t, OfF16>(block, samples);
    case SampleType::kF32:
      return Draw<float, OfF32>(block, samples);
  }
}

template <typename Sample, double (*ToLevel)(Sample)>
void Preview::Draw(const Rect& block, absl::Span<const std::byte> samples) {
  const int64_t colours = format_.channels < 3 ? 1 : 3;
  const int64_t stride = format_.labels ? step_ : std::max<int64_t>(1, step_ / kTapsMax);
  for (int64_t y = 0; y < block.height; y += step_) {
    for (int64_t x = 0; x < block.width; x += step_) {
      const int64_t bottom = std::min(y + step_, block.height);
      const int64_t right = std::min(x + step_, block.width);
      double sums[3] = {};
      int64_t taps = 0;
      for (int64_t j = y; j < bottom; j += stride) {
        for (int64_t i = x; i < right; i += stride, ++taps) {
          const std::byte* pixel = samples.data() + (j * block.width + i) * format_.pixel_bytes();
          for (int64_t c = 0; c < colours; ++c) {
            Sample sample;
            std::memcpy(&sample, pixel + c * int64_t{sizeof(sample)}, sizeof(sample));
            sums[c] += ToLevel(sample);
          }
        }
      }
      const int64_t at = ((block.y + y) / step_ * size_.width + (block.x + x) / step_) * kRgba;
      std::byte* out = pixels_.data() + at;
      for (int64_t c = 0; c < 3; ++c) {
        const double mean = sums[std::min(c, colours - 1)] / static_cast<double>(taps);
        const double level = std::floor(mean + 0.5);
        // A float canvas may hold what is not a number: black.
        out[c] = static_cast<std::byte>(level >= 0 ? std::min(level, 255.0) : 0);
      }
      out[3] = std::byte{255};
    }
  }
}

}  // namespace tilewright
