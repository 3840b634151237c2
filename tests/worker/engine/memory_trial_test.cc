// What is made of measurements of a network's memory; the measurements are the tests' own.

#include "worker/engine/memory_trial.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "worker/engine/measurements.h"
#include "worker/engine/memory_book.h"

namespace tilewright {
namespace {

using ::testing::ElementsAre;

constexpr uint64_t kMiB = 1 << 20;

// Measurements of a network that takes a number of bytes and some for each pixel, off by what the
// script says, one after the other.
struct Script {
  uint64_t base = 0;
  uint64_t each = 0;
  std::vector<int64_t> off = {};
  std::vector<int64_t> sides = {};  // that were measured

  TakenAt Meter() {
    return [this](int64_t side) -> absl::StatusOr<uint64_t> {
      const int64_t error = sides.size() < off.size() ? off[sides.size()] : 0;
      sides.push_back(side);
      return base + each * static_cast<uint64_t>(side * side) + static_cast<uint64_t>(error);
    };
  }
};

TEST(MemoryTrial, TakesACountAtItsWordAtTwoShapes) {
  Script script{5000, 10};
  const auto model = TryMemory({}, script.Meter());
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_DOUBLE_EQ(model->base_bytes, 5000);
  EXPECT_DOUBLE_EQ(model->bytes_per_pixel, 10);
  EXPECT_THAT(script.sides, ElementsAre(64, 128));
}

TEST(MemoryTrial, KeepsToTheShapesThatTheNetworkTakes) {
  Script aligned{0, 10};
  EXPECT_TRUE(TryMemory({48, 0}, aligned.Meter()).ok());
  EXPECT_THAT(aligned.sides, ElementsAre(96, 144));
  Script coarse{0, 10};
  EXPECT_TRUE(TryMemory({256, 0}, coarse.Meter()).ok());
  EXPECT_THAT(coarse.sides, ElementsAre(256, 512));
  Script least{0, 10};
  EXPECT_TRUE(TryMemory({8, 100}, least.Meter()).ok());
  EXPECT_THAT(least.sides, ElementsAre(104, 200));
}

TEST(MemoryTrial, GoesOnUntilShapesDifferByMoreThanNoise) {
  Script big{kMiB, 1000};
  ASSERT_TRUE(TryMemory({1, 0, kMiB}, big.Meter()).ok());
  EXPECT_THAT(big.sides, ElementsAre(64, 64, 128, 128));
  Script small{kMiB, 100, {-800'000}};  // 300 KiB at 64, 1.6 MiB at 128, 6.3 MiB at 256
  const auto model = TryMemory({1, 0, kMiB}, small.Meter());
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_THAT(small.sides, ElementsAre(64, 64, 128, 128, 256, 256, 512, 512));
  EXPECT_NEAR(model->bytes_per_pixel, 100, 1e-6);
  Script none{kMiB, 0};
  EXPECT_TRUE(TryMemory({1, 0, kMiB}, none.Meter()).ok());
  EXPECT_EQ(none.sides.back(), 512) << "and no further";
}

TEST(MemoryTrial, BelievesOnlyWhatItMeasuresTwice) {
  // A tile of 12 MiB arrives during the first measurement and is freed during the third.
  const int64_t tile = 12 * int64_t{kMiB};
  Script disturbed{50 * kMiB, 1000, {tile, 0, -tile, 1000}};
  const auto model = TryMemory({1, 0, kMiB}, disturbed.Meter());
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_THAT(disturbed.sides, ElementsAre(64, 64, 64, 64, 128, 128));
  EXPECT_NEAR(model->base_bytes, 50 * kMiB, 2000) << "the larger of those that agree";
  Script restless{50 * kMiB, 1000};
  for (int64_t i = 0; i < 8; ++i) restless.off.push_back(i * tile);
  EXPECT_EQ(TryMemory({1, 0, kMiB}, restless.Meter()).status(),
            absl::AbortedError("no two of 8 measurements at 64x64 pixels agreed: something else "
                               "took memory"));
}

TEST(MemoryBook, MeasuresOnceTellsItAndRemembersAFailure) {
  Measurements measurements;
  MemoryBook book(&measurements);
  int measured = 0;
  absl::StatusOr<MemoryModel> answer = MemoryModel{1000, 3};
  const auto measure = [&] {
    ++measured;
    return answer;
  };
  std::vector<std::string> told;
  const auto progress = [&told](std::string text) { told.push_back(std::move(text)); };
  StageKey key;
  key.model_digest = "digest";
  key.dtype = "fp32";
  ASSERT_TRUE(book.Of(key, "model.xml", measure, progress).has_value());
  key.shape = {512, 512};
  EXPECT_EQ(book.Of(key, "model.xml", measure, progress)->bytes_per_pixel, 3);
  EXPECT_EQ(measured, 1) << "once for all shapes";
  v1::Capabilities capabilities;
  ASSERT_TRUE(measurements.TakeChanges(&capabilities));
  ASSERT_EQ(capabilities.memory_models_size(), 1);
  EXPECT_EQ(capabilities.memory_models(0).base_bytes(), 1000);

  answer = absl::UnavailableError("nobody counts");
  key.dtype = "bf16";
  EXPECT_FALSE(book.Of(key, "model.xml", measure, progress).has_value());
  EXPECT_FALSE(book.Of(key, "model.xml", measure, {}).has_value());
  EXPECT_EQ(measured, 2);
  EXPECT_FALSE(measurements.TakeChanges(&capabilities)) << "nothing is invented";
  EXPECT_THAT(told, ElementsAre("measuring the memory that model.xml needs",
                                "measuring the memory that model.xml needs",
                                "the memory of model.xml is assumed, not measured: nobody counts"));
}

}  // namespace
}  // namespace tilewright
