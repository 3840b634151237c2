#include "proto/blend/window.h"

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"

namespace tilewright {
namespace {

using Weights = std::vector<uint16_t>;

// Worked by hand from floor(256 * f((2j+1)/(2m)) + 1/2).
TEST(WindowWeights, AreTheLiteralOnes) {
  EXPECT_EQ(WindowWeights(Window::kLinear, 1), (Weights{128}));
  EXPECT_EQ(WindowWeights(Window::kLinear, 2), (Weights{64, 192}));
  EXPECT_EQ(WindowWeights(Window::kLinear, 4), (Weights{32, 96, 160, 224}));
  EXPECT_EQ(WindowWeights(Window::kLinear, 3), (Weights{43, 128, 213}));
  EXPECT_EQ(WindowWeights(Window::kCosine, 1), (Weights{128}));
  EXPECT_EQ(WindowWeights(Window::kCosine, 2), (Weights{37, 219}));           // (1 ∓ 0.70711)/2
  EXPECT_EQ(WindowWeights(Window::kCosine, 4), (Weights{10, 79, 177, 246}));  // 0.92388, 0.38268
  EXPECT_EQ(WindowWeights(Window::kCosine, 3), (Weights{17, 128, 239}));
  EXPECT_EQ(WindowWeights(Window::kGaussian, 1), (Weights{128}));
  EXPECT_EQ(WindowWeights(Window::kGaussian, 2), (Weights{17, 239}));  // Φ(∓1.5) = 0.06681
  EXPECT_EQ(WindowWeights(Window::kGaussian, 4), (Weights{3, 58, 198, 253}));  // Φ(∓2.25), Φ(∓0.75)
}

TEST(WindowWeights, OfNoZoneAreNone) { EXPECT_TRUE(WindowWeights(Window::kCosine, 0).empty()); }

TEST(WindowWeights, RiseFromTheEarlierToTheLaterTileAndSumToOne) {
  for (const Window window : {Window::kCosine, Window::kLinear, Window::kGaussian}) {
    for (int64_t m = 1; m <= 600; ++m) {
      const Weights w = WindowWeights(window, m);
      ASSERT_EQ(w.size(), static_cast<size_t>(m));
      for (size_t j = 0; j < w.size(); ++j) {
        const int later = w[j], earlier = 256 - w[j];
        ASSERT_LE(later, 256) << WindowName(window) << " m " << m << " j " << j;
        ASSERT_GE(earlier, 0);
        ASSERT_EQ(later + earlier, 256);
        if (j > 0) {
          ASSERT_GE(w[j], w[j - 1]) << WindowName(window) << " m " << m << " j " << j;
        }
        // Mirrored, up to the rounding of one half.
        ASSERT_NEAR(w[j], 256 - w[w.size() - 1 - j], 1) << WindowName(window) << " m " << m;
      }
    }
  }
}

TEST(ParseWindow, KnowsTheThreeNames) {
  for (const Window window : {Window::kCosine, Window::kLinear, Window::kGaussian}) {
    EXPECT_EQ(*ParseWindow(WindowName(window)), window);
  }
  EXPECT_EQ(ParseWindow("hann").status(),
            absl::InvalidArgumentError("unknown window 'hann': use cosine, linear or gaussian"));
}

}  // namespace
}  // namespace tilewright
