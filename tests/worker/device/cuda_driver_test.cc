// What is read of a CUDA driver, on machines without one: a fake of the driver's soname, opened
// first, is what the loader then finds.

#include "worker/device/cuda_driver.h"

#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "worker/device/device_probe.h"

namespace tilewright {
namespace {

class CudaDriver : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    ASSERT_NE(dlopen(TILEWRIGHT_FAKE_CUDA_DRIVER, RTLD_NOW | RTLD_GLOBAL), nullptr) << dlerror();
  }
};

TEST_F(CudaDriver, TellsNameMemoryAndComputeCapability) {
  EXPECT_EQ(CountCudaDevices().value(), 2);
  const auto device = ExamineCudaDevice(0);
  ASSERT_TRUE(device.ok()) << device.status();
  EXPECT_EQ(device->name, "Fake 100");
  EXPECT_EQ(device->memory_total_bytes, uint64_t{100} << 20);
  EXPECT_EQ(device->compute_capability, "8.6");
}

TEST_F(CudaDriver, IsWhatTheProbeAdvertises) {
  const auto capabilities = ProbeDevice({"cuda:0", 1}, RealFiles());
  ASSERT_TRUE(capabilities.ok()) << capabilities.status();
  EXPECT_EQ(capabilities->device_kind(), "cuda");
  EXPECT_EQ(capabilities->compute_capability(), "8.6");
  const auto cpu = ProbeDevice({"cpu", 1}, RealFiles());
  ASSERT_TRUE(cpu.ok()) << cpu.status();
  EXPECT_FALSE(cpu->has_compute_capability());
}

TEST_F(CudaDriver, MakesADeviceThatDoesNotAnswerAnError) {
  const auto device = ExamineCudaDevice(1);
  EXPECT_EQ(device.status(), absl::UnavailableError("CUDA device 1 does not answer"));
}

}  // namespace
}  // namespace tilewright
