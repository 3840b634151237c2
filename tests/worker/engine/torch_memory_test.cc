// LibTorch's count of what a run takes, against what the process takes.

#include <gtest/gtest.h>

#include <iostream>
#include <memory>

#include "tests/proto/base/sanitized.h"
#include "tests/worker/engine/tiling.h"
#include "tests/worker/engine/torch_fixture.h"
#include "worker/device/malloc_tuning.h"
#include "worker/device/process_memory.h"

namespace tilewright {
namespace {

// Before main, so before any thread has an arena of its own.
const bool kTuned = TuneMalloc();

TEST(TorchMemory, IsAboutWhatTheProcessTakes) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer's allocator keeps what is freed for good";
  ASSERT_TRUE(kTuned);
  const std::unique_ptr<ProcessMemory> meter = CreateProcessMemory();
  const absl::Status counts = meter->Begin().status();
  if (!counts.ok()) GTEST_SKIP() << counts;
  const LocalModel model = TestModel("srvgg16x4");
  for (const int64_t side : {256, 128, 256}) {
    const Size shape{side, side};
    const auto stage = TestTorchEngine().Load(model, KeyFor(model, shape), {});
    ASSERT_TRUE(stage.ok()) << stage.status();
    const NetworkTile tile{0, shape, 3, NoisePicture(shape, 3, 17).values};
    const auto expected = static_cast<double>((*stage)->MemoryEstimate());
    const auto before = meter->Begin();
    const auto result = (*stage)->Run({&tile, 1});
    const auto peak = meter->Peak();
    ASSERT_TRUE(before.ok() && result.ok() && peak.ok()) << result.status();
    // The result handed out is no tensor.
    const auto taken = static_cast<double>(*peak - *before) -
                       static_cast<double>((*result)[0].values.size() * sizeof(float));
    const auto counted = static_cast<double>((*stage)->MemoryEstimate());
    std::cout << "srvgg16x4 at " << side << ": " << expected / 1e6 << " MB expected, "
              << counted / 1e6 << " MB counted, " << taken / 1e6 << " MB taken by the process\n";
    EXPECT_GT(expected, taken / 1.5);
    EXPECT_LT(expected, taken * 1.5);
  }
}

}  // namespace
}  // namespace tilewright
