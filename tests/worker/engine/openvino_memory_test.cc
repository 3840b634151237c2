// What OpenVINO's engine says of the memory that its networks need.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "tests/proto/base/sanitized.h"
#include "tests/worker/engine/openvino_fixture.h"
#include "tests/worker/engine/tiling.h"
#include "worker/device/malloc_tuning.h"
#include "worker/device/process_memory.h"
#include "worker/engine/measurements.h"

namespace tilewright {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

constexpr uint64_t kMiB = 1 << 20;

// Before main, so before any thread has an arena of its own.
const bool kTuned = TuneMalloc();

// What it gives is written down beforehand: 100 MiB before, then as many more at the peak as the
// script says, one after the other.
class FakeProcessMemory : public ProcessMemory {
 public:
  explicit FakeProcessMemory(std::vector<uint64_t> taken) : taken_(std::move(taken)) {}
  absl::StatusOr<uint64_t> Begin() override {
    if (read_ == taken_.size()) return absl::UnavailableError("the script is at its end");
    return 100 * kMiB;
  }
  absl::StatusOr<uint64_t> Peak() override { return 100 * kMiB + taken_[read_++]; }
  size_t read() const { return read_; }

 private:
  const std::vector<uint64_t> taken_;
  size_t read_ = 0;
};

uint64_t WeightBytes(const LocalModel& model) {
  return std::filesystem::file_size(model.folder + "/model.bin");
}

// Bytes that a stage of this shape takes beside its weights, loaded and run by an engine that
// measures nothing itself.
uint64_t Measure(const LocalModel& model, ProcessMemory& meter, Size shape) {
  const NetworkTile tile{0, shape, 3, NoisePicture(shape, 3, 17).values};
  const auto before = meter.Begin();
  const auto stage = TestEngine().Load(model, KeyFor(model, shape), {});
  EXPECT_TRUE(before.ok() && stage.ok()) << before.status() << stage.status();
  EXPECT_TRUE(meter.Begin().ok());
  EXPECT_TRUE((*stage)->Run({&tile, 1}).ok());
  return meter.Peak().value_or(0) - *before - WeightBytes(model);
}

TEST(OpenVinoMemory, OfAThirdShapeIsKnownBeforehand) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer's allocator keeps what is freed for good";
  ASSERT_TRUE(kTuned);
  const std::unique_ptr<ProcessMemory> meter = CreateProcessMemory();
  const absl::Status counts = meter->Begin().status();
  if (!counts.ok()) GTEST_SKIP() << counts;
  constexpr double kFactor = 1.25;
  for (const std::string name : {"srvgg16x4", "reach-16"}) {
    Measurements measurements;
    const auto engine = MakeOpenVinoEngine(&measurements, meter.get());
    const LocalModel model = TestModel(name);
    const Size shape{480, 320};
    std::string told_of;
    const auto stage =
        engine->Load(model, KeyFor(model, shape),
                     [&told_of](const std::string& text) { told_of += text + "; "; });
    ASSERT_TRUE(stage.ok()) << stage.status();
    v1::Capabilities capabilities;
    ASSERT_TRUE(measurements.TakeChanges(&capabilities)) << told_of;
    ASSERT_EQ(capabilities.memory_models_size(), 1);
    const v1::MemoryModel& told = capabilities.memory_models(0);
    EXPECT_EQ(told.model_digest(), model.digest);
    EXPECT_EQ(told.dtype(), "fp32");
    const auto expected = [&told](int64_t pixels) {
      return told.base_bytes() + told.bytes_per_pixel() * static_cast<double>(pixels);
    };
    const auto measured = static_cast<double>(Measure(model, *meter, shape));
    std::cout << name << ": " << told.base_bytes() / 1e6 << " MB + " << told.bytes_per_pixel()
              << " bytes per pixel; 480x320: " << expected(shape.area()) / 1e6 << " MB expected, "
              << measured / 1e6 << " MB measured\n";
    EXPECT_LT(expected(shape.area()), kFactor * measured);
    EXPECT_GT(expected(shape.area()), measured / kFactor);
    EXPECT_LT(expected(shape.area() / 2), measured / kFactor) << "the control: half the pixels";
    const auto all = static_cast<double>((*stage)->StateBytes() + (*stage)->MemoryEstimate());
    EXPECT_NEAR(all, expected(shape.area()) + static_cast<double>(WeightBytes(model)), 8192);
    ASSERT_TRUE(engine->Load(model, KeyFor(model, {32, 32}), {}).ok());
    EXPECT_FALSE(measurements.TakeChanges(&capabilities)) << "measured once for all its stages";
  }
}

TEST(OpenVinoMemory, IsWhatStaysOfCompilingAndWhatARunTakes) {
  const LocalModel model = TestModel("srvgg16x4");
  const uint64_t weights = WeightBytes(model);
  FakeProcessMemory meter({weights + 10 * kMiB, weights + 10 * kMiB,  // 64x64
                           weights + 70 * kMiB, weights + 70 * kMiB});
  Measurements measurements;
  ASSERT_TRUE(
      MakeOpenVinoEngine(&measurements, &meter)->Load(model, KeyFor(model, {32, 32}), {}).ok());
  EXPECT_EQ(meter.read(), 4u);
  v1::Capabilities capabilities;
  ASSERT_TRUE(measurements.TakeChanges(&capabilities));
  ASSERT_EQ(capabilities.memory_models_size(), 1);
  EXPECT_NEAR(capabilities.memory_models(0).base_bytes() / kMiB, 0, 1);
  EXPECT_NEAR(capabilities.memory_models(0).bytes_per_pixel(), 70.0 * kMiB / (128 * 128), 1);
}

TEST(OpenVinoMemory, IsReckonedAndSaidWhereNobodyCounts) {
  const LocalModel model = TestModel("reach-8");
  FakeProcessMemory broken({});
  for (ProcessMemory* const meter : std::vector<ProcessMemory*>{nullptr, &broken}) {
    Measurements measurements;
    std::vector<std::string> told;
    const auto stage = MakeOpenVinoEngine(&measurements, meter)
                           ->Load(model, KeyFor(model, {64, 64}),
                                  [&told](std::string text) { told.push_back(std::move(text)); });
    ASSERT_TRUE(stage.ok()) << stage.status();
    EXPECT_THAT(told,
                Contains(HasSubstr("the memory of model.xml is assumed, not measured: " +
                                   std::string(meter == nullptr ? "nothing here counts the memory"
                                                                : "the script is at its end"))));
    v1::Capabilities capabilities;
    EXPECT_FALSE(measurements.TakeChanges(&capabilities));
    EXPECT_GT((*stage)->StateBytes(), 0u);
  }
}

}  // namespace
}  // namespace tilewright
