// Two workers whose processors compute other bits: a strict job never mixes them, a tolerant one
// says that it did. Real processes, a real network; the second worker may use no instruction set
// beyond the one named.

#include <signal.h>

#include <fstream>
#include <iostream>
#include <memory>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cluster/cluster.h"
#include "tests/cluster/networks.h"
#include "tests/cluster/picture.h"

namespace tilewright {
namespace {

constexpr absl::Duration kPatience = absl::Minutes(3);

// Whether the processor has it, as /proc/cpuinfo spells it.
bool ProcessorHas(const std::string& flag) {
  std::ifstream flags("/proc/cpuinfo");
  for (std::string word; flags >> word;) {
    if (word == flag) return true;
  }
  return false;
}

// By oneDNN's name of the instruction set that one worker is confined to.
class NumericClassTest : public NetworksTest, public testing::WithParamInterface<std::string> {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(NetworksTest::SetUp());
    ASSERT_TRUE(WritePicture(NoisePicture(260, 180, 3, 8, 3), cluster_->Path("in.png")).ok());
  }

  void AddNative() { ASSERT_TRUE(cluster_->AddWorker("native").ok()); }
  void AddConfined() {
    WorkerSetup setup;
    setup.environment = {absl::StrCat("ONEDNN_MAX_CPU_ISA=", GetParam())};
    ASSERT_TRUE(cluster_->AddWorker("confined", setup).ok());
  }
  void End(const std::string& name) {
    cluster_->worker(name).Signal(SIGKILL);
    ASSERT_TRUE(cluster_->AwaitWorker(name, false, kPatience).ok());
  }

  v1::Job Render(bool strict) {
    JobRequest request;
    request.input = cluster_->Path("in.png");
    request.output = cluster_->Path(absl::StrCat("out-", submitted_++, ".tif"));
    request.model = "srvgg16x4";
    request.tile = 96;
    request.strict = strict;
    const absl::StatusOr<std::string> name = cluster_->Submit(request);
    EXPECT_TRUE(name.ok()) << name.status();
    if (!name.ok()) return {};
    const absl::StatusOr<v1::Job> job = cluster_->AwaitSuccess(*name, kPatience);
    EXPECT_TRUE(job.ok()) << job.status();
    return job.value_or(v1::Job());
  }

  int submitted_ = 0;
};

TEST_P(NumericClassTest, AStrictJobNeverMixesThemAndATolerantOneNamesThem) {
  AddNative();
  const v1::Job native = Render(/*strict=*/true);
  End("native");
  AddConfined();
  const v1::Job confined = Render(/*strict=*/true);
  ASSERT_EQ(native.numeric_classes_size(), 1);
  ASSERT_EQ(confined.numeric_classes_size(), 1);
  const bool differ = native.numeric_classes(0) != confined.numeric_classes(0);
  std::cout << GetParam() << ": the classes " << (differ ? "differ" : "are the same") << ", pixels "
            << native.pixel_hash() << " and " << confined.pixel_hash() << "\n";
  // That there are two classes at all: SSE 4.1 multiplies and adds in two roundings.
  EXPECT_TRUE(differ || GetParam() != "SSE41" || !ProcessorHas("fma"));
  EXPECT_TRUE(differ || native.pixel_hash() == confined.pixel_hash()) << "the canary saw nothing";

  AddNative();
  const v1::Job both = Render(/*strict=*/true);
  ASSERT_EQ(both.numeric_classes_size(), 1) << EventsOf(both);
  EXPECT_EQ(both.promise(), "strict");
  const v1::Job& alone = both.numeric_classes(0) == native.numeric_classes(0) ? native : confined;
  EXPECT_EQ(both.numeric_classes(0), alone.numeric_classes(0));
  EXPECT_EQ(both.pixel_hash(), alone.pixel_hash()) << "tiles of another class got in";
  EXPECT_TRUE(!differ || both.workers_size() == 1) << EventsOf(both);

  const v1::Job tolerant = Render(/*strict=*/false);
  EXPECT_EQ(tolerant.promise(), "tolerant") << EventsOf(tolerant);
  std::set<std::string> names;
  for (const v1::WorkerShare& share : tolerant.workers()) {
    if (share.tiles() > 0) names.insert(share.name());
  }
  ASSERT_EQ(names.size(), 2u) << "the picture is too small for two workers\n" << EventsOf(tolerant);
  EXPECT_EQ(tolerant.numeric_classes_size(), differ ? 2 : 1) << EventsOf(tolerant);
  // Known, since both canaries ran for the strict jobs.
  EXPECT_EQ(tolerant.has_largest_difference(), differ);
  if (differ) {
    std::cout << GetParam() << ": raw outputs up to " << tolerant.largest_difference()
              << " apart\n";
    EXPECT_GT(tolerant.largest_difference(), 0) << "the excerpt saw nothing";
    EXPECT_LT(tolerant.largest_difference(), 1e-3) << "these are no roundings";
  }
  EXPECT_FALSE(both.has_largest_difference()) << "one class differs from none";
}

INSTANTIATE_TEST_SUITE_P(InstructionSets, NumericClassTest, testing::Values("AVX2", "SSE41"),
                         [](const testing::TestParamInfo<std::string>& isa) { return isa.param; });

}  // namespace
}  // namespace tilewright
