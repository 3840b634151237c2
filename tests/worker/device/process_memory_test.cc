#include "worker/device/process_memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <vector>

#include "tests/proto/base/sanitized.h"
#include "worker/device/file_reader.h"
#include "worker/device/malloc_tuning.h"
#include "worker/device/number_field.h"

namespace tilewright {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kMebibyte = 1 << 20;

// Takes memory, uses all of it, and frees it.
void Take(uint64_t bytes) {
  const std::unique_ptr<char, void (*)(void*)> memory(static_cast<char*>(std::malloc(bytes)),
                                                      std::free);
  ASSERT_NE(memory, nullptr);
  for (uint64_t at = 0; at < bytes; at += 1024) {
    static_cast<volatile char*>(memory.get())[at] = 1;
  }
}

uint64_t TakenBy(ProcessMemory& meter, uint64_t bytes) {
  const auto before = meter.Begin();
  Take(bytes);
  const auto peak = meter.Peak();
  EXPECT_TRUE(before.ok() && peak.ok()) << before.status() << peak.status();
  return before.ok() && peak.ok() ? *peak - *before : 0;
}

uint64_t Resident() {
  const auto status = RealFiles()("/proc/self/status");
  return status.ok() ? 1024 * NumberOfField(*status, "VmRSS").value_or(0) : 0;
}

TEST(ProcessMemory, FindsWhatWasTakenMeanwhileAndNotWhatWasFreedBefore) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer's allocator keeps what is freed for good";
  ASSERT_TRUE(TuneMalloc());
  const std::unique_ptr<ProcessMemory> meter = CreateProcessMemory();
  const absl::Status counts = meter->Begin().status();
  if (!counts.ok()) GTEST_SKIP() << counts;
  Take(200 * kMebibyte);
  // The control: what was freed is kept, so the resident set alone shows nothing.
  const uint64_t kept = Resident();
  EXPECT_GT(kept, 200 * kMebibyte);
  Take(64 * kMebibyte);
  EXPECT_LT(Resident(), kept + 6 * kMebibyte);
  for (const uint64_t bytes : {64 * kMebibyte, 16 * kMebibyte, 64 * kMebibyte}) {
    const auto taken = static_cast<double>(TakenBy(*meter, bytes));
    EXPECT_NEAR(taken / static_cast<double>(bytes), 1, 0.1) << taken;
  }
  EXPECT_LT(TakenBy(*meter, 4096), kMebibyte) << "the control: next to nothing";
}

TEST(ProcessMemory, SaysWhyItCannotCount) {
  const std::string folder = ::testing::TempDir() + "/process_memory." + std::to_string(getpid());
  std::filesystem::create_directories(folder);
  const std::unique_ptr<ProcessMemory> meter = CreateProcessMemory(folder);
  EXPECT_EQ(meter->Begin().status(),
            absl::UnavailableError("the memory of this process cannot be counted: " + folder +
                                   "/clear_refs cannot be written (No such file or directory)"));
  std::ofstream(folder + "/clear_refs") << "";
  std::ofstream(folder + "/status") << "Name:\tworker\nVmRSS:\t  123 kB\n";
  const auto begun = meter->Begin();
  ASSERT_TRUE(begun.ok()) << begun.status();
  EXPECT_EQ(*begun, 123u * 1024);
  EXPECT_THAT(std::string(meter->Peak().status().message()), HasSubstr("/status names no VmHWM"));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace tilewright
