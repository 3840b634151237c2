#include "worker/engine/measurements.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "worker/engine/capabilities.h"

namespace tilewright {
namespace {

v1::Capabilities TwoEngines() {
  v1::Capabilities capabilities;
  capabilities.set_probe_flops(1e9);
  for (const char* name : {"torch", "openvino"}) {
    v1::EngineOffer* offer = capabilities.add_engine_offers();
    offer->set_name(name);
    offer->set_reference_seconds_per_mpx(1);
  }
  return capabilities;
}

TEST(Measurements, TellsWhatChangedOnce) {
  Measurements measurements;
  v1::Capabilities capabilities = TwoEngines();
  EXPECT_FALSE(measurements.TakeChanges(&capabilities));
  measurements.AddMemory("a", "fp32", {10, 2});
  measurements.AddMemory("b", "fp32", {20, 3});
  measurements.AddMemory("a", "fp32", {30, 4});
  EXPECT_TRUE(measurements.TakeChanges(&capabilities));
  ASSERT_EQ(capabilities.memory_models_size(), 2);
  EXPECT_EQ(capabilities.memory_models(0).model_digest(), "a");
  EXPECT_EQ(capabilities.memory_models(0).base_bytes(), 30) << "measured anew";
  EXPECT_EQ(capabilities.memory_models(0).bytes_per_pixel(), 4);
  EXPECT_EQ(capabilities.memory_models(1).model_digest(), "b");
  EXPECT_FALSE(measurements.TakeChanges(&capabilities));
}

TEST(Measurements, KeepsTheLatestModels) {
  Measurements measurements;
  for (size_t i = 0; i <= Measurements::kModelsMax; ++i) {
    measurements.AddMemory(absl::StrCat(i), "fp32", {});
  }
  v1::Capabilities capabilities;
  ASSERT_TRUE(measurements.TakeChanges(&capabilities));
  EXPECT_EQ(capabilities.memory_models_size(), static_cast<int>(Measurements::kModelsMax));
  EXPECT_EQ(capabilities.memory_models(0).model_digest(), absl::StrCat(Measurements::kModelsMax));
}

TEST(Measurements, TellsASpeedThatChangedNotably) {
  Measurements measurements;
  v1::Capabilities capabilities = TwoEngines();
  measurements.AddSpeed("torch", 2e9);
  ASSERT_TRUE(measurements.TakeChanges(&capabilities));
  EXPECT_EQ(capabilities.probe_flops(), 2e9);
  EXPECT_NEAR(capabilities.engine_offers(0).reference_seconds_per_mpx(), 1.179648e12 / 2e9, 1e-6);
  EXPECT_EQ(capabilities.engine_offers(1).reference_seconds_per_mpx(), 1);
  measurements.AddSpeed("torch", 2.1e9);
  EXPECT_FALSE(measurements.TakeChanges(&capabilities));
  for (int i = 0; i < 40; ++i) measurements.AddSpeed("torch", 1e9);
  ASSERT_TRUE(measurements.TakeChanges(&capabilities));
  EXPECT_NEAR(capabilities.probe_flops(), 1e9, 2e7);
  measurements.AddSpeed("openvino", 5e9);
  ASSERT_TRUE(measurements.TakeChanges(&capabilities));
  EXPECT_NEAR(capabilities.probe_flops(), 1e9, 2e7) << "the first engine's is the device's";
  EXPECT_NEAR(capabilities.engine_offers(1).reference_seconds_per_mpx(), 1.179648e12 / 5e9, 1e-6);
}

}  // namespace
}  // namespace tilewright
