#include "proto/blend/window.h"

#include <cassert>
#include <cmath>
#include <numbers>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace tilewright {
namespace {

double Rise(Window window, double t) {
  switch (window) {
    case Window::kLinear:
      return t;
    case Window::kCosine:
      return (1.0 - std::cos(std::numbers::pi * t)) / 2.0;
    case Window::kGaussian:
      break;
  }
  return (1.0 + std::erf(3.0 * (2.0 * t - 1.0) / std::numbers::sqrt2) /
                    std::erf(3.0 / std::numbers::sqrt2)) /
         2.0;
}

}  // namespace

absl::StatusOr<Window> ParseWindow(absl::string_view name) {
  for (const Window window : {Window::kCosine, Window::kLinear, Window::kGaussian}) {
    if (name == WindowName(window)) return window;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("unknown window '", name, "': use cosine, linear or gaussian"));
}

const char* WindowName(Window window) {
  switch (window) {
    case Window::kCosine:
      return "cosine";
    case Window::kLinear:
      return "linear";
    case Window::kGaussian:
      return "gaussian";
  }
  return "unknown";
}

std::vector<uint16_t> WindowWeights(Window window, int64_t m) {
  assert(m >= 0);
  std::vector<uint16_t> weights;
  weights.reserve(static_cast<size_t>(m));
  for (int64_t j = 0; j < m; ++j) {
    const double t = static_cast<double>(2 * j + 1) / static_cast<double>(2 * m);
    weights.push_back(static_cast<uint16_t>(std::floor(256.0 * Rise(window, t) + 0.5)));
  }
  return weights;
}

}  // namespace tilewright
