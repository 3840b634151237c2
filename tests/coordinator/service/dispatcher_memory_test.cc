// One budget of memory for all jobs: who is refused, who waits, and how much is leased.

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "proto/wire/status_details.h"
#include "tests/coordinator/service/dispatcher_fixture.h"

namespace tilewright {
namespace {

// A floor of 5 * 100 + 4 * 25 = 600.
constexpr JobMemory kNeed{.input = 0, .tile = 100, .block = 25};

class DispatcherMemoryTest : public DispatcherTest {
 protected:
  void MakeWith(int64_t memory_bytes) {
    DispatcherOptions options;
    options.memory_bytes = memory_bytes;
    Make(options);
  }
  std::shared_ptr<FakeJob> NewJob(const std::string& name) {
    auto job = std::make_shared<FakeJob>(name, 100);
    job->set_memory(kNeed);
    return job;
  }
  std::shared_ptr<FakeJob> SubmitNew(const std::string& name) {
    auto job = NewJob(name);
    const absl::Status status = dispatcher_->Submit(job->spec(), job);
    EXPECT_TRUE(status.ok()) << status;
    return job;
  }
};

TEST_F(DispatcherMemoryTest, AJobThatFitsNowhereIsRefused) {
  MakeWith(599);
  const auto job = NewJob("jobs/a");
  const absl::Status status = dispatcher_->Submit(job->spec(), job);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(status), "MEMORY_TOO_SMALL");
  EXPECT_EQ(status.message(),
            "the job needs at least 600 bytes of memory for its tiles, the coordinator has 599 for "
            "all jobs: use smaller tiles, or a larger --memory");
}

TEST_F(DispatcherMemoryTest, AJobWaitsUntilAnotherLeavesItRoom) {
  MakeWith(1000);
  const auto first = SubmitNew("jobs/a");
  const auto second = SubmitNew("jobs/b");
  EXPECT_FALSE(first->HasNotice("waits_for_memory"));
  EXPECT_TRUE(second->HasNotice("waits_for_memory"));
  const auto control = Join(HelloOf("w"));
  ASSERT_FALSE(control->grants().empty());
  for (const v1::Lease& lease : control->grants()) EXPECT_EQ(lease.stage().job(), "jobs/a");
  dispatcher_->Stop("jobs/a", absl::CancelledError("enough"));
  ASSERT_TRUE(first->AwaitEnded());
  dispatcher_->Tick();  // after what follows from the end, which is told before it
  EXPECT_EQ(control->grants().back().stage().job(), "jobs/b");
}

TEST_F(DispatcherMemoryTest, LeasesReserveTheBytesOfTheirResults) {
  MakeWith(600);
  const auto job = SubmitNew("jobs/a");
  std::vector<std::shared_ptr<FakeControl>> controls;
  int tiles = 0;
  for (int i = 0; i < 8; ++i) controls.push_back(Join(HelloOf(absl::StrCat("w", i))));
  for (const auto& control : controls) {
    for (const v1::Lease& lease : control->grants()) tiles += lease.tiles_size();
  }
  EXPECT_EQ(tiles, 4) << "of 600 bytes, six results rounded down to a power of two";
}

TEST_F(DispatcherMemoryTest, MergingIsToldHowMuchItMayHold) {
  MakeWith(1000);
  const auto control = Join(HelloOf("w"));
  const auto job = SubmitNew("jobs/a");
  const v1::Lease lease = control->grants().at(0);
  Result(ResultOf(lease, lease.tiles(0), "w"));
  ASSERT_TRUE(job->AwaitMerged(1));
  EXPECT_EQ(job->held_max(), 900) << "all of it but room for one more result";
}

}  // namespace
}  // namespace tilewright
