// A supervised worker under a job: killed, it comes back and the job ends with the same pixels;
// told to leave, it hands back what it has not begun and others end the job.

#include <signal.h>

#include <iostream>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cluster/cluster.h"
#include "tests/cluster/picture.h"
#include "tests/cluster/with_cluster.h"

namespace tilewright {
namespace {

using testing::HasSubstr;

constexpr absl::Duration kPatience = absl::Minutes(3);  // of a busy machine

class SupervisedTest : public WithCluster, public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(StartCluster());
    ASSERT_TRUE(WritePicture(NoisePicture(2000, 1500, 3, 8, 11), cluster_->Path("in.tif")).ok());
    auto supervisor = cluster_->StartSupervisor("s", {}, {"--drain-timeout", "120"});
    ASSERT_TRUE(supervisor.ok()) << supervisor.status();
    supervisor_ = *std::move(supervisor);
    const absl::Status listed = cluster_->AwaitWorker("s-cpu", true, kPatience);
    ASSERT_TRUE(listed.ok()) << listed;
  }
  void TearDown() override {
    if (HasFailure()) std::cerr << Status();
  }

  std::string Status() { return ReadFile(cluster_->Path("s.status")); }
  pid_t WorkersProcess() {
    const std::string status = Status();
    const std::string key = "\"process\": ";
    int process = 0;
    EXPECT_TRUE(absl::SimpleAtoi(
        status.substr(status.find(key) + key.size(),
                      status.find(',', status.find(key)) - status.find(key) - key.size()),
        &process))
        << status;
    return process;
  }

  std::string Submit() {
    JobRequest request;
    request.input = cluster_->Path("in.tif");
    request.output = cluster_->Path(absl::StrCat("out-", submitted_++, ".tif"));
    request.model = "disagree";
    request.tile = 64;
    request.overlap = 16;
    request.strict = true;
    const absl::StatusOr<std::string> job = cluster_->Submit(request);
    EXPECT_TRUE(job.ok()) << job.status();
    return job.value_or("");
  }
  std::string HashOfSuccess(const std::string& job) {
    const absl::StatusOr<v1::Job> ended = cluster_->AwaitSuccess(job, kPatience);
    EXPECT_TRUE(ended.ok()) << ended.status();
    if (!ended.ok()) return "";
    // What a worker leaves undone when it drains, it hands back before it is gone.
    const std::optional<v1::Event> gone = FindEvent(*ended, "worker_gone", "s-cpu");
    left_tiles_ = gone.has_value() && absl::StrContains(gone->text(), "offered to others");
    return ended->pixel_hash();
  }
  // A tenth of the job is done, and not all of it.
  void AwaitMiddle(const std::string& job) {
    const absl::StatusOr<v1::Job> middle = cluster_->Await(
        job, [](const v1::Job& now) { return now.tiles_done() * 10 >= now.plan().tiles(); },
        kPatience);
    ASSERT_TRUE(middle.ok()) << middle.status();
    ASSERT_LT(middle->tiles_done(), middle->plan().tiles()) << "make the job bigger";
  }

  std::unique_ptr<Process> supervisor_;
  int submitted_ = 0;
  bool left_tiles_ = false;  // the worker, in the last job that ended
};

TEST_F(SupervisedTest, AWorkerKilledUnderAJobComesBackAndThePixelsAreTheSame) {
  const std::string undisturbed = HashOfSuccess(Submit());
  const std::string job = Submit();
  AwaitMiddle(job);
  const pid_t killed = WorkersProcess();
  ASSERT_EQ(kill(killed, SIGKILL), 0);
  EXPECT_EQ(HashOfSuccess(job), undisturbed) << "no other worker could have ended it";
  EXPECT_TRUE(left_tiles_);
  EXPECT_NE(WorkersProcess(), killed);
  EXPECT_THAT(Status(), HasSubstr("\"starts\": 2, \"rung\": 0, \"last_end\": \"it was killed "
                                  "(signal 9, Killed)\""));
}

TEST_F(SupervisedTest, ADrainedMachineLeavesItsJobToOthers) {
  const std::string undisturbed = HashOfSuccess(Submit());
  const std::string job = Submit();
  AwaitMiddle(job);
  supervisor_->Signal(SIGTERM);
  const absl::StatusOr<int> end = supervisor_->Wait(kPatience);
  ASSERT_TRUE(end.ok()) << end.status();
  EXPECT_EQ(*end, 0);
  EXPECT_THAT(Status(), HasSubstr("\"last_end\": \"it was stopped (exit code 0)\""));
  const absl::StatusOr<v1::Job> left = cluster_->Get(job);
  ASSERT_TRUE(left.ok()) << left.status();
  EXPECT_EQ(left->state(), v1::Job::STATE_RUNNING);
  const absl::Status added = cluster_->AddWorker("other");
  ASSERT_TRUE(added.ok()) << added;
  EXPECT_EQ(HashOfSuccess(job), undisturbed);
  EXPECT_FALSE(left_tiles_);
}

}  // namespace
}  // namespace tilewright
