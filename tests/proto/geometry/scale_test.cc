#include "proto/geometry/scale.h"

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"

namespace tilewright {
namespace {

std::vector<int64_t> Sources(int64_t size, int64_t padded, PadMode mode) {
  std::vector<int64_t> sources;
  for (int64_t i = 0; i < padded; ++i) sources.push_back(PadSource(i, size, mode));
  return sources;
}

TEST(Scale, IsReducedToLowestTerms) {
  const absl::StatusOr<Scale> scale = Scale::Create(6, 4);
  ASSERT_TRUE(scale.ok()) << scale.status();
  EXPECT_EQ(scale->p(), 3);
  EXPECT_EQ(scale->q(), 2);
  EXPECT_EQ(scale->value(), 1.5);
  EXPECT_EQ(*scale, *Scale::Create(3, 2));
  EXPECT_EQ(Scale(), *Scale::Create(7, 7));
}

TEST(Scale, ReachesFromOneThirtySecondToThirtyTwo) {
  EXPECT_TRUE(Scale::Create(32, 1).ok());
  EXPECT_TRUE(Scale::Create(1, 32).ok());
  EXPECT_EQ(Scale::Create(33, 1).status(),
            absl::InvalidArgumentError("scale 33/1 is outside 1/32 to 32"));
  EXPECT_EQ(Scale::Create(2, 65).status(),
            absl::InvalidArgumentError("scale 2/65 is outside 1/32 to 32"));
  EXPECT_EQ(Scale::Create(0, 1).status(),
            absl::InvalidArgumentError("scale 0/1 is not a positive fraction"));
  EXPECT_EQ(Scale::Create(4, -1).status(),
            absl::InvalidArgumentError("scale 4/-1 is not a positive fraction"));
  EXPECT_EQ(Scale::Create(65537, 65536).status(),
            absl::InvalidArgumentError("scale 65537/65536 has a term above 65536 in lowest terms"));
}

TEST(Scale, RoundsTheOutputUpAndIsExactOnMultiples) {
  const Scale scale = *Scale::Create(3, 2);
  EXPECT_EQ(scale.OutputLength(1), 2);
  EXPECT_EQ(scale.OutputLength(2), 3);
  EXPECT_EQ(scale.OutputLength(5), 8);
  EXPECT_EQ(scale.Exact(6), 9);
  EXPECT_DEATH(scale.Exact(5), "input % q_ == 0");
}

TEST(PaddedLength, IsTheNextMultipleAndAtLeastTheMinimum) {
  EXPECT_EQ(PaddedLength(1, 1, 1), 1);
  EXPECT_EQ(PaddedLength(1, 1, 8), 8);
  EXPECT_EQ(PaddedLength(8, 8, 8), 8);
  EXPECT_EQ(PaddedLength(9, 8, 8), 16);
  EXPECT_EQ(PaddedLength(9, 64, 8), 64);
}

// Literal rows of OpenCV's borderInterpolate(i, size, BORDER_REFLECT_101): dcb|abcd|cba.
TEST(PadSource, ReflectsAsOpenCvDoesAsOftenAsNeeded) {
  EXPECT_EQ(Sources(4, 11, PadMode::kReflect),
            (std::vector<int64_t>{0, 1, 2, 3, 2, 1, 0, 1, 2, 3, 2}));
  EXPECT_EQ(Sources(3, 9, PadMode::kReflect), (std::vector<int64_t>{0, 1, 2, 1, 0, 1, 2, 1, 0}));
  EXPECT_EQ(Sources(2, 6, PadMode::kReflect), (std::vector<int64_t>{0, 1, 0, 1, 0, 1}));
  EXPECT_EQ(Sources(1, 4, PadMode::kReflect), (std::vector<int64_t>{0, 0, 0, 0}));
}

TEST(PadSource, ReplicatesTheBorderOrGivesZeroes) {
  EXPECT_EQ(Sources(3, 6, PadMode::kReplicate), (std::vector<int64_t>{0, 1, 2, 2, 2, 2}));
  EXPECT_EQ(Sources(3, 6, PadMode::kZero), (std::vector<int64_t>{0, 1, 2, -1, -1, -1}));
  EXPECT_EQ(Sources(1, 3, PadMode::kReplicate), (std::vector<int64_t>{0, 0, 0}));
  EXPECT_EQ(Sources(1, 3, PadMode::kZero), (std::vector<int64_t>{0, -1, -1}));
}

}  // namespace
}  // namespace tilewright
