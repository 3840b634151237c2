// --devices: what each text means on a given machine, and what is refused.

#include "worker/supervisor/devices.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tilewright {
namespace {

using testing::HasSubstr;

absl::StatusOr<Places> Resolve(const std::string& list, int threads, int cuda) {
  return ResolveDevices(list, threads, [cuda]() -> absl::StatusOr<int> {
    if (cuda < 0) return absl::UnavailableError("there is no driver");
    return cuda;
  });
}

// "cpu0=cpu/2 cuda0=cuda:0/1", or the error.
std::string Told(const std::string& list, int threads, int cuda) {
  const absl::StatusOr<Places> places = Resolve(list, threads, cuda);
  if (!places.ok()) return std::string(places.status().message());
  return absl::StrJoin(places->workers, " ", [](std::string* out, const WorkerPlace& place) {
    absl::StrAppend(out, place.name, "=", place.device, "/", place.threads);
  });
}

TEST(Devices, AutoIsEveryCudaDeviceOrElseTheCpu) {
  EXPECT_EQ(Told("auto", 8, 2), "cuda0=cuda:0/1 cuda1=cuda:1/1");
  EXPECT_EQ(Told("auto", 8, 0), "cpu=cpu/8");
  EXPECT_EQ(Told("auto", 8, -1), "cpu=cpu/8");
  EXPECT_EQ(Resolve("auto", 8, -1)->remark, "serving on the CPU: there is no driver");
  EXPECT_EQ(Resolve("auto", 8, 1)->remark, "");
}

TEST(Devices, CpuThreadsAreDividedAndNeverZero) {
  EXPECT_EQ(Told("cpu", 8, -1), "cpu=cpu/8");
  EXPECT_EQ(Told("cpu*3", 8, -1), "cpu0=cpu/3 cpu1=cpu/3 cpu2=cpu/2");
  EXPECT_EQ(Told("cpu*3", 2, -1), "cpu0=cpu/1 cpu1=cpu/1 cpu2=cpu/1");
}

TEST(Devices, CudaDevicesAreListedByNumberOrAllTogether) {
  EXPECT_EQ(Told("cuda", 4, 2), "cuda0=cuda:0/1 cuda1=cuda:1/1");
  EXPECT_EQ(Told("cuda:1,0", 4, -1), "cuda0=cuda:0/1 cuda1=cuda:1/1");
  EXPECT_EQ(Told("cuda:1,cuda:3", 4, -1), "cuda1=cuda:1/1 cuda3=cuda:3/1");
  EXPECT_EQ(Told("cuda:0,1,cpu*2", 4, -1), "cpu0=cpu/2 cpu1=cpu/2 cuda0=cuda:0/1 cuda1=cuda:1/1");
}

TEST(Devices, AWorkerThatLeavesItsGpuGetsAShareOfTheCores) {
  EXPECT_EQ(Resolve("cuda:0,1", 8, -1)->fallback_threads, 4);
  EXPECT_EQ(Resolve("cpu*2,cuda:0,1", 3, -1)->fallback_threads, 1);
}

TEST(Devices, TheDriverIsAskedOnlyIfItMatters) {
  const auto places = ResolveDevices("cpu,cuda:0", 4, []() -> absl::StatusOr<int> {
    ADD_FAILURE() << "asked";
    return 0;
  });
  EXPECT_TRUE(places.ok()) << places.status();
}

TEST(Devices, TextOfAnotherFormIsRefusedWithTheWordThatIsWrong) {
  for (const auto& [list, why] : std::vector<std::pair<std::string, std::string>>{
           {"", "'' is no device"},
           {"gpu", "'gpu' is no device"},
           {"cpu,", "'' is no device"},
           {"cpu,auto", "'auto' is no device"},
           {"cpu*0", "'cpu*0' names no number"},
           {"cpu*x", "'cpu*x' names no number"},
           {"cpu*257", "'cpu*257' names no number"},
           {"cpu2", "'cpu2' names no number"},
           {"cpu,cpu*2", "cpu stands there twice"},
           {"cuda:", "'cuda:' names no CUDA device"},
           {"cuda:-1", "'cuda:-1' names no CUDA device"},
           {"cuda:0,0", "cuda:0 stands there twice"},
           {"cuda,cuda:0", "cuda means every CUDA device"},
           {"cuda,cuda", "cuda stands there twice"},
           {"0,1", "'0' is no device"},
           {"cpu,1", "'1' is no device"},
           {"cpu*256,cuda:0", "more than 256 workers"}}) {
    const auto places = Resolve(list, 4, 1);
    EXPECT_EQ(places.status().code(), absl::StatusCode::kInvalidArgument) << list;
    EXPECT_THAT(std::string(places.status().message()), HasSubstr(why)) << list;
  }
  EXPECT_EQ(Resolve("cuda", 4, -1).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Resolve("cuda", 4, 0).status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace tilewright
