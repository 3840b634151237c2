#include "worker/executor/memory_reporter.h"

#include <gtest/gtest.h>

#include "tests/worker/executor/fake_engine.h"

namespace tilewright {
namespace {

class CountedDevice : public FakeEngine {
 public:
  CountedDevice(uint64_t* free_bytes, int* asked)
      : FakeEngine([](const std::vector<NetworkTile>& tiles) { return tiles; }, nullptr),
        free_bytes_(free_bytes),
        asked_(asked) {}
  uint64_t MemoryFree() override {
    ++*asked_;
    return *free_bytes_;
  }

 private:
  uint64_t* const free_bytes_;
  int* const asked_;
};

TEST(MemoryReporter, TellsWhatIsFreeAfterLoadingAndAfterRunsButNotTooOften) {
  Measurements measurements;
  Instant now = Instant::FromStart(absl::Seconds(100));
  uint64_t free_bytes = 800;
  int asked = 0;
  const auto engine = CreateMemoryReporter(std::make_unique<CountedDevice>(&free_bytes, &asked),
                                           &measurements, [&now] { return now; });
  EXPECT_EQ(measurements.memory_free(), 0u);
  const auto stage = engine->Load({}, {}, {});
  ASSERT_TRUE(stage.ok());
  EXPECT_EQ(measurements.memory_free(), 800u);

  free_bytes = 500;
  now = now + kMemoryReportInterval - absl::Nanoseconds(1);
  ASSERT_TRUE((*stage)->Run({}).ok());
  EXPECT_EQ(measurements.memory_free(), 800u) << "asked a moment ago";
  now = now + absl::Nanoseconds(1);
  ASSERT_TRUE((*stage)->Run({}).ok());
  EXPECT_EQ(measurements.memory_free(), 500u);
  EXPECT_EQ(asked, 2);

  free_bytes = 0;
  now = now + kMemoryReportInterval;
  ASSERT_TRUE((*stage)->Run({}).ok());
  EXPECT_EQ(measurements.memory_free(), 500u) << "what is not known replaces nothing";
}

}  // namespace
}  // namespace tilewright
