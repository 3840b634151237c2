#include "worker/engine/resample.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numbers>

namespace tilewright {
namespace {

double Sinc(double x) {
  if (x == 0) return 1;
  return std::sin(std::numbers::pi * x) / (std::numbers::pi * x);
}

std::vector<float> Normalised(const std::vector<double>& weights) {
  double sum = 0;
  for (double weight : weights) sum += weight;
  std::vector<float> taps;
  for (double weight : weights) taps.push_back(static_cast<float>(weight / sum));
  return taps;
}

// One row. `padded` holds the row with `reach` pixels more on each side.
template <int kChannels>
void FilterRow(const PhaseFilter& filter, int64_t width, const float* padded, float* out) {
  const size_t count = 2 * static_cast<size_t>(filter.reach) + 1;
  for (int64_t x = 0; x < width; ++x) {
    for (const std::vector<float>& taps : filter.taps) {
      float sums[kChannels] = {};
      const float* source = padded + x * kChannels;
      for (size_t k = 0; k < count; ++k, source += kChannels) {
        for (int c = 0; c < kChannels; ++c) sums[c] += taps[k] * source[c];
      }
      for (int c = 0; c < kChannels; ++c) *out++ = sums[c];
    }
  }
}

void FilterRowOf(int channels, const PhaseFilter& filter, int64_t width, const float* padded,
                 float* out) {
  switch (channels) {
    case 1:
      return FilterRow<1>(filter, width, padded, out);
    case 2:
      return FilterRow<2>(filter, width, padded, out);
    case 3:
      return FilterRow<3>(filter, width, padded, out);
    default:
      assert(channels == 4);
      return FilterRow<4>(filter, width, padded, out);
  }
}

}  // namespace

PhaseFilter LanczosFilter(int s) {
  constexpr int kReach = 3;
  PhaseFilter filter{kReach, {}};
  for (int r = 0; r < s; ++r) {
    const double offset = static_cast<double>(2 * r + 1 - s) / (2 * s);
    std::vector<double> weights;
    for (int k = -kReach; k <= kReach; ++k) {
      const double t = k - offset;
      weights.push_back(std::abs(t) < kReach ? Sinc(t) * Sinc(t / kReach) : 0);
    }
    filter.taps.push_back(Normalised(weights));
  }
  return filter;
}

PhaseFilter GaussianFilter(double sigma, int reach) {
  std::vector<double> weights;
  for (int k = -reach; k <= reach; ++k) weights.push_back(std::exp(-k * k / (2 * sigma * sigma)));
  return {reach, {Normalised(weights)}};
}

std::vector<float> FilterImage(const PhaseFilter& filter, Size size, int channels,
                               absl::Span<const float> input) {
  assert(static_cast<int64_t>(input.size()) == size.area() * channels);
  const int64_t s = static_cast<int64_t>(filter.taps.size());
  const int64_t in_row = size.width * channels;
  const int64_t out_row = in_row * s;
  const int64_t margin = int64_t{filter.reach} * channels;

  std::vector<float> wide(static_cast<size_t>(out_row * size.height));
  std::vector<float> padded(static_cast<size_t>(in_row + 2 * margin));
  for (int64_t y = 0; y < size.height; ++y) {
    const float* row = input.data() + y * in_row;
    std::copy(row, row + in_row, padded.begin() + margin);
    for (int64_t i = 0; i < margin; ++i) {
      padded[static_cast<size_t>(i)] = row[i % channels];
      padded[static_cast<size_t>(margin + in_row + i)] = row[in_row - channels + i % channels];
    }
    FilterRowOf(channels, filter, size.width, padded.data(), wide.data() + y * out_row);
  }

  std::vector<float> out(static_cast<size_t>(out_row * size.height * s));
  for (int64_t y = 0; y < size.height; ++y) {
    for (int64_t r = 0; r < s; ++r) {
      float* sums = out.data() + (y * s + r) * out_row;
      for (int k = -filter.reach; k <= filter.reach; ++k) {
        const float tap =
            filter.taps[static_cast<size_t>(r)][static_cast<size_t>(k + filter.reach)];
        const int64_t from = std::clamp<int64_t>(y + k, 0, size.height - 1);
        const float* row = wide.data() + from * out_row;
        for (int64_t i = 0; i < out_row; ++i) sums[i] += tap * row[i];
      }
    }
  }
  return out;
}

}  // namespace tilewright
