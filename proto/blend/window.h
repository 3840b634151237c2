// Blend weights across an overlap. Pure; thread-safe.

#ifndef TILEWRIGHT_PROTO_BLEND_WINDOW_H_
#define TILEWRIGHT_PROTO_BLEND_WINDOW_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace tilewright {

enum class Window { kCosine, kLinear, kGaussian };

// "cosine", "linear", "gaussian"; INVALID_ARGUMENT for another name, listing these.
absl::StatusOr<Window> ParseWindow(absl::string_view name);
const char* WindowName(Window window);

// w_j of the later tile for j in [0, m), m output pixels wide, in 1/256; the earlier tile weighs
// 256 - w_j. w_j = floor(256 * f((2j+1)/(2m)) + 1/2), computed in double, where f(t) is (1 - cos
// πt)/2 (cosine), t (linear) or (1 + erf(3(2t-1)/√2) / erf(3/√2))/2 (gaussian).
std::vector<uint16_t> WindowWeights(Window window, int64_t m);

}  // namespace tilewright

#endif  // TILEWRIGHT_PROTO_BLEND_WINDOW_H_
