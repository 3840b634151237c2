#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "worker/device/cpu.h"
#include "worker/device/cuda_driver.h"
#include "worker/device/device_probe.h"
#include "worker/device/file_reader.h"
#include "worker/device/host_memory.h"
#include "worker/device/malloc_tuning.h"

namespace tilewright {
namespace {

constexpr uint64_t kMiB = 1 << 20;

// A machine laid out as a map from path to contents.
FileReader FakeFiles(std::map<std::string, std::string> files) {
  return [files = std::move(files)](const std::string& path) -> absl::StatusOr<std::string> {
    const auto it = files.find(path);
    if (it == files.end()) return absl::NotFoundError(path);
    return it->second;
  };
}

constexpr char kMeminfo[] =
    "MemTotal:        8388608 kB\nMemFree:          123456 kB\nMemAvailable:    6291456 kB\n";

TEST(HostMemory, IsTheMachinesWhereNoGroupLimitsIt) {
  const auto memory =
      ReadHostMemory(FakeFiles({{"/proc/meminfo", kMeminfo},
                                {"/proc/self/cgroup", "0::/user.slice\n"},
                                {"/sys/fs/cgroup/user.slice/memory.max", "max\n"}}));
  ASSERT_TRUE(memory.ok()) << memory.status();
  EXPECT_EQ(memory->total_bytes, 8192 * kMiB);
  EXPECT_EQ(memory->free_bytes, 6144 * kMiB);
}

TEST(HostMemory, ObeysAGroupOfVersion2AndCountsDroppableCacheAsFree) {
  const auto memory = ReadHostMemory(
      FakeFiles({{"/proc/meminfo", kMeminfo},
                 {"/proc/self/cgroup", "0::/a/b\n"},
                 {"/sys/fs/cgroup/a/b/memory.max", "max\n"},
                 {"/sys/fs/cgroup/a/memory.max", std::to_string(1024 * kMiB) + "\n"},
                 {"/sys/fs/cgroup/a/memory.current", std::to_string(600 * kMiB) + "\n"},
                 {"/sys/fs/cgroup/a/memory.stat",
                  "anon 1\ninactive_file " + std::to_string(200 * kMiB) + "\n"}}));
  ASSERT_TRUE(memory.ok()) << memory.status();
  EXPECT_EQ(memory->total_bytes, 1024 * kMiB) << "the parent's limit holds for the child";
  EXPECT_EQ(memory->free_bytes, 624 * kMiB);
}

TEST(HostMemory, ObeysAGroupOfVersion1AndIgnoresItsUnlimitedNumber) {
  std::map<std::string, std::string> files = {
      {"/proc/meminfo", kMeminfo},
      {"/proc/self/cgroup", "5:cpu,memory:/docker/1\n4:devices:/x\n"},
      {"/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"}};
  EXPECT_EQ(ReadHostMemory(FakeFiles(files))->total_bytes, 8192 * kMiB);
  // Inside a container the path is the host's; the root of the mount shows the container's own
  // limit.
  files["/sys/fs/cgroup/memory/memory.limit_in_bytes"] = std::to_string(512 * kMiB);
  files["/sys/fs/cgroup/memory/memory.usage_in_bytes"] = std::to_string(700 * kMiB);
  const auto memory = ReadHostMemory(FakeFiles(files));
  EXPECT_EQ(memory->total_bytes, 512 * kMiB);
  EXPECT_EQ(memory->free_bytes, 0u) << "more used than allowed leaves nothing, not a huge number";
}

TEST(HostMemory, SaysWhenItCannotKnow) {
  const auto memory = ReadHostMemory(FakeFiles({}));
  EXPECT_EQ(memory.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(ReadHostMemory(RealFiles()).ok()) << "the control: this machine can be read";
}

TEST(Cpu, NamesTheProcessorAndItsWideInstructions) {
  const FileReader files = FakeFiles(
      {{"/proc/cpuinfo",
        "processor\t: 0\nmodel name\t: Fast CPU 9000\nflags\t\t: fpu avx fma avx2 avx512f\n"}});
  EXPECT_EQ(CpuName(files), "Fast CPU 9000");
  EXPECT_EQ(CpuInstructionSets(files), "avx avx2 fma avx512f");
  EXPECT_EQ(CpuName(FakeFiles({})), "unknown processor");
}

TEST(Cpu, MeasuresMoreThanAnInterpreterAndLessThanASupercomputer) {
  const double flops = MeasureCpuFlops(1, absl::Milliseconds(20));
  EXPECT_GT(flops, 1e8);
  EXPECT_LT(flops, 1e13);
}

TEST(Device, ParsesNamesAndRefusesOthers) {
  EXPECT_EQ(ParseDevice("cpu")->kind, "cpu");
  EXPECT_EQ(ParseDevice("cuda:3")->kind, "cuda");
  EXPECT_EQ(ParseDevice("cuda:3")->index, 3);
  EXPECT_EQ(ParseDevice("openvino:GPU.1")->kind, "openvino");
  EXPECT_EQ(ParseDevice("openvino:GPU.1")->openvino_name, "GPU.1");
  for (const char* text : {"", "gpu", "openvino:", "cuda", "cuda:", "cuda:-1", "cuda:x", "CPU"}) {
    EXPECT_EQ(ParseDevice(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

TEST(Device, ProbesThisMachine) {
  const auto capabilities = ProbeDevice({"cpu", 2}, RealFiles());
  ASSERT_TRUE(capabilities.ok()) << capabilities.status();
  EXPECT_EQ(capabilities->device_kind(), "cpu");
  EXPECT_FALSE(capabilities->device_name().empty());
  EXPECT_GT(capabilities->memory_total_bytes(), 64 * kMiB);
  EXPECT_LE(capabilities->memory_free_bytes(), capabilities->memory_total_bytes());
  EXPECT_GT(capabilities->probe_flops(), 1e8);
  EXPECT_EQ(capabilities->threads(), 2u);
  EXPECT_EQ(capabilities->dtypes(0), "fp32");
}

TEST(Device, SaysThatACudaDeviceIsNotThere) {
  const auto capabilities = ProbeDevice({"cuda:999", 1}, RealFiles());
  EXPECT_EQ(capabilities.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(capabilities.status().message()), ::testing::HasSubstr("CUDA"));
}

TEST(Device, CountsTheCudaDevicesThatCanBeExamined) {
  const auto devices = CountCudaDevices();
  if (devices.ok() && *devices > 0) {
    EXPECT_TRUE(ExamineCudaDevice(*devices - 1).ok());
  }
  EXPECT_EQ(ExamineCudaDevice(devices.value_or(0)).status().code(), absl::StatusCode::kUnavailable);
  if (!devices.ok()) {
    EXPECT_EQ(devices.status(), ExamineCudaDevice(0).status()) << "one reason, told alike";
  }
}

TEST(MallocTuning, IsAcceptedByTheCLibrary) { EXPECT_TRUE(TuneMalloc()); }

}  // namespace
}  // namespace tilewright
