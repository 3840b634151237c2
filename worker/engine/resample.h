// Separable filters on interleaved float samples, in plain code. Each output sample is one sum in
// one order, whatever the size of the picture and its place in it, so a tile's inner samples have
// the same bits as the whole picture's. Beyond the border the border sample is repeated. Functions
// without state, so thread-safe.

#ifndef TILEWRIGHT_WORKER_ENGINE_RESAMPLE_H_
#define TILEWRIGHT_WORKER_ENGINE_RESAMPLE_H_

#include <vector>

#include "absl/types/span.h"
#include "proto/geometry/rect.h"

namespace tilewright {

// Taps of a filter for each of its phases. Output sample s * x + r is the sum over k of taps[r][k]
// * input x + k - reach.
struct PhaseFilter {
  int reach = 0;                         // taps have 2 * reach + 1 entries
  std::vector<std::vector<float>> taps;  // by phase r in [0, s)
};

// Lanczos, a = 3, for upscaling by the integer s: phase r lies at x + (2r + 1 - s) / 2s. Weights
// sum to one. reach is 3.
PhaseFilter LanczosFilter(int s);
// One phase: exp(-k² / 2 sigma²) for |k| <= reach, normalised.
PhaseFilter GaussianFilter(double sigma, int reach);

// Filters both axes, horizontal first. `input` holds size.area() * channels samples; the result
// holds filter.taps.size() times as many along each axis.
std::vector<float> FilterImage(const PhaseFilter& filter, Size size, int channels,
                               absl::Span<const float> input);

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_ENGINE_RESAMPLE_H_
