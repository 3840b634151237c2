#include "worker/engine/memory_model.h"

#include <gtest/gtest.h>

namespace tilewright {
namespace {

TEST(MemoryModel, IsTheLineThroughTwoSamplesInAnyOrder) {
  for (const auto& [a, b] : {std::pair(MemorySample{100, 1300}, MemorySample{300, 1900}),
                             std::pair(MemorySample{300, 1900}, MemorySample{100, 1300})}) {
    const auto model = FitMemoryModel(a, b);
    ASSERT_TRUE(model.ok()) << model.status();
    EXPECT_DOUBLE_EQ(model->base_bytes, 1000);
    EXPECT_DOUBLE_EQ(model->bytes_per_pixel, 3);
    EXPECT_EQ(model->BytesAt(1000), 4000u);
    EXPECT_EQ(model->BytesAt(0), 1000u);
  }
}

TEST(MemoryModel, NeverFallsAndNeverBeginsBelowZero) {
  const auto level = FitMemoryModel({100, 700}, {300, 500});
  ASSERT_TRUE(level.ok()) << level.status();
  EXPECT_EQ(level->BytesAt(10), 700u);
  EXPECT_EQ(level->BytesAt(100000), 700u);
  const auto steep = FitMemoryModel({100, 100}, {300, 900});
  ASSERT_TRUE(steep.ok()) << steep.status();
  EXPECT_EQ(steep->base_bytes, 0);
  EXPECT_EQ(steep->BytesAt(300), 900u);
  EXPECT_EQ(steep->BytesAt(100), 300u) << "rather too much than too little";
}

TEST(MemoryModel, NeedsTwoShapes) {
  EXPECT_EQ(FitMemoryModel({100, 1}, {100, 2}).status().message(),
            "no line goes through samples at 100 and 100 pixels");
  EXPECT_FALSE(FitMemoryModel({0, 1}, {100, 2}).ok());
}

TEST(MemoryModel, StaysANumberForAbsurdShapes) {
  EXPECT_EQ((MemoryModel{1e300, 1e300}).BytesAt(UINT64_MAX), uint64_t{1} << 63);
}

}  // namespace
}  // namespace tilewright
