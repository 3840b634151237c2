// A supervised worker whose device fails by order: each life begins smaller than the one before,
// and the job ends with the pixels of an undisturbed one. Real processes (tests/worker/faulty).

#include <signal.h>

#include <iostream>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cluster/cluster.h"
#include "tests/cluster/picture.h"

namespace tilewright {
namespace {

using ::testing::HasSubstr;

constexpr absl::Duration kPatience = absl::Minutes(3);  // of a busy machine

class RestartTest : public testing::Test {
 protected:
  void SetUp() override {
    absl::StatusOr<std::unique_ptr<Cluster>> cluster = Cluster::Start({});
    ASSERT_TRUE(cluster.ok()) << cluster.status();
    cluster_ = *std::move(cluster);
    ASSERT_TRUE(WritePicture(NoisePicture(250, 130, 3, 8, 5), cluster_->Path("in.tif")).ok());
  }
  void TearDown() override {
    if (HasFailure()) std::cerr << Status();
  }

  std::string Status() { return ReadFile(cluster_->Path("s.status")); }
  std::string Submit() {
    JobRequest request;
    request.input = cluster_->Path("in.tif");
    request.output = cluster_->Path(absl::StrCat("out-", submitted_++, ".tif"));
    request.model = "gaussian-blur";
    request.tile = 64;
    const absl::StatusOr<std::string> job = cluster_->Submit(request);
    EXPECT_TRUE(job.ok()) << job.status();
    return job.value_or("");
  }
  v1::Job Finish(const std::string& name) {
    const absl::StatusOr<v1::Job> job = cluster_->AwaitSuccess(name, kPatience);
    EXPECT_TRUE(job.ok()) << job.status();
    return job.value_or(v1::Job());
  }
  // By a worker that leaves again.
  std::string HashOfUndisturbed() {
    EXPECT_TRUE(cluster_->AddWorker("reference").ok());
    const std::string hash = Finish(Submit()).pixel_hash();
    EXPECT_EQ(hash.size(), 16u);
    cluster_->worker("reference").Signal(SIGKILL);
    EXPECT_TRUE(cluster_->AwaitWorker("reference", false, kPatience).ok());
    return hash;
  }
  void Supervise(const std::string& fault) {
    WorkerSetup setup;
    setup.engine_fault = fault;
    auto supervisor = cluster_->StartSupervisor("s", setup);
    ASSERT_TRUE(supervisor.ok()) << supervisor.status();
    supervisor_ = *std::move(supervisor);
  }

  std::unique_ptr<Cluster> cluster_;
  std::unique_ptr<Process> supervisor_;
  int submitted_ = 0;
};

TEST_F(RestartTest, KernelsThatTakeTooLongMakeEachLifeBeginSmaller) {
  const std::string undisturbed = HashOfUndisturbed();
  // Five runs a life: the fifteen tiles take three.
  Supervise("timeout:6");
  const v1::Job job = Finish(Submit());
  EXPECT_EQ(job.pixel_hash(), undisturbed) << EventsOf(job);
  EXPECT_EQ(job.plan().tiles(), 15u);
  int timeouts = 0;
  for (const v1::Event& event : job.events()) {
    if (event.kind() != "tile_failed") continue;
    EXPECT_THAT(event.text(), HasSubstr("Worker s-cpu failed tile"));
    EXPECT_THAT(event.text(), HasSubstr("launch timeout"));
    ++timeouts;
  }
  EXPECT_EQ(timeouts, 2) << EventsOf(job);
  EXPECT_FALSE(FindEvent(job, "worker_crashed").has_value()) << "it had said what it died of";
  EXPECT_THAT(Status(), HasSubstr("\"starts\": 3, \"rung\": 2, \"last_end\": \"the driver ended a "
                                  "kernel that ran too long (exit code 6)\""));
}

TEST_F(RestartTest, WhatIsTooBigForTheDeviceIsComputedInSubTilesAtLast) {
  const std::string undisturbed = HashOfUndisturbed();
  Supervise("timeout-pixels:3000");
  const v1::Job job = Finish(Submit());
  EXPECT_EQ(job.pixel_hash(), undisturbed) << EventsOf(job);
  // Two lives try the whole tile, as the presumed promise wants it; the third need not.
  EXPECT_EQ(job.promise(), "tolerant");
  EXPECT_TRUE(FindEvent(job, "turned_tolerant", "s-cpu").has_value()) << EventsOf(job);
  ASSERT_EQ(job.ladder_size(), 1) << EventsOf(job);
  EXPECT_EQ(job.ladder(0).step(), v1::LADDER_STEP_SUB_TILES);
  EXPECT_EQ(job.ladder(0).attempts(), job.plan().tiles());
  EXPECT_THAT(Status(), HasSubstr("\"starts\": 3, \"rung\": 2"));
}

TEST_F(RestartTest, MemoryThatRunsOutBesideTheTilesBeginsSmallerToo) {
  const std::string undisturbed = HashOfUndisturbed();
  Supervise("no-memory:6");
  const v1::Job job = Finish(Submit());
  EXPECT_EQ(job.pixel_hash(), undisturbed) << EventsOf(job);
  EXPECT_TRUE(FindEvent(job, "worker_crashed", "s-cpu").has_value()) << EventsOf(job);
  EXPECT_THAT(Status(), HasSubstr("\"last_end\": \"memory ran out (exit code 8)\""));
}

}  // namespace
}  // namespace tilewright
