#include "worker/engine/package_key.h"

#include <gtest/gtest.h>

#include "worker/engine/engine.h"

namespace tilewright {
namespace {

const PackageKey kCpu = {"cpu", "x86_64", "avx avx2 fma avx512f avx512_vnni", "", "2.11.0"};
const PackageKey kCuda = {"cuda", "x86_64", "avx2", "9.0", "2.11.0"};

std::string Refusal(const PackageKey& package, const PackageKey& here) {
  const absl::Status status = CheckPackageKey("m.pt2", package, here);
  EXPECT_TRUE(status.ok() || CauseOf(status) == v1::FAILURE_CAUSE_REFUSED) << status;
  return std::string(status.message());
}

TEST(PackageKey, IsReadFromMetadata) {
  const PackageKey cpu = KeyOfPackage({{"AOTI_DEVICE_KEY", "cpu"},
                                       {"AOTI_MACHINE", "x86_64"},
                                       {"AOTI_CPU_ISA", "AVX512 AVX512_VNNI"},
                                       {"AOTI_COMPUTE_CAPABILITY", ""},
                                       {"torch_version", "2.11.0"}});
  EXPECT_EQ(cpu.device_kind, "cpu");
  EXPECT_EQ(cpu.machine, "x86_64");
  EXPECT_EQ(cpu.instruction_sets, "avx512f avx512_vnni");
  EXPECT_EQ(cpu.torch_version, "2.11.0");
  EXPECT_EQ(KeyOfPackage({{"AOTI_CPU_ISA", "INVALID_VEC_ISA"}}).instruction_sets, "");
  EXPECT_EQ(KeyOfPackage({{"AOTI_COMPUTE_CAPABILITY", "90"}}).compute_capability, "9.0");
  EXPECT_EQ(KeyOfPackage({{"AOTI_COMPUTE_CAPABILITY", "120"}}).compute_capability, "12.0");
}

TEST(PackageKey, RunsWhereAllIsThereThatItWasCompiledFor) {
  EXPECT_EQ(Refusal(kCpu, kCpu), "");
  EXPECT_EQ(Refusal(kCuda, kCuda), "");
  PackageKey package = kCpu;
  package.instruction_sets = "avx2";
  EXPECT_EQ(Refusal(package, kCpu), "") << "this processor has more than it needs";
  package = kCuda;
  package.instruction_sets = "avx512f";
  EXPECT_EQ(Refusal(package, kCuda), "") << "of a CUDA device the processor does not count";
}

TEST(PackageKey, IsRefusedElsewhereWithWhatDiffers) {
  EXPECT_EQ(
      Refusal(kCuda, kCpu),
      "m.pt2 was compiled for a device of kind 'cuda', and here is 'cpu': compile it for this "
      "worker");
  PackageKey package = kCpu;
  package.instruction_sets = "avx2 amx_tile";
  package.torch_version = "2.10.0";
  EXPECT_EQ(Refusal(package, kCpu),
            "m.pt2 was compiled for instruction sets [avx2 amx_tile], LibTorch 2.10.0, and here is "
            "[avx avx2 fma avx512f avx512_vnni], 2.11.0: compile it for this worker");
  package = kCuda;
  package.compute_capability = "8.6";
  EXPECT_EQ(Refusal(package, kCuda),
            "m.pt2 was compiled for compute capability 8.6, and here is 9.0: compile it for this "
            "worker");
  package = kCpu;
  package.machine = "aarch64";
  EXPECT_EQ(Refusal(package, kCpu),
            "m.pt2 was compiled for a machine 'aarch64', and here is 'x86_64': compile it for this "
            "worker");
  package = kCpu;
  package.torch_version = "";
  EXPECT_EQ(
      Refusal(package, kCpu),
      "m.pt2 was compiled for a LibTorch that its metadata (torch_version) does not name, and "
      "here is 2.11.0: compile it for this worker");
}

}  // namespace
}  // namespace tilewright
