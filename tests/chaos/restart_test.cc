// A supervised worker whose device fails by order: each life begins smaller than the one before,
// and the job ends with the pixels of an undisturbed one. Real processes (tests/worker/faulty).

#include <iostream>
#include <memory>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/chaos/blur_fixture.h"
#include "tests/cluster/cluster.h"

namespace tilewright {
namespace {

using ::testing::HasSubstr;

class RestartTest : public BlurTest {
 protected:
  void TearDown() override {
    if (HasFailure()) std::cerr << Status();
  }

  std::string Status() { return ReadFile(cluster_->Path("s.status")); }
  void Supervise(const std::string& fault) {
    WorkerSetup setup;
    setup.engine_fault = fault;
    auto supervisor = cluster_->StartSupervisor("s", setup);
    ASSERT_TRUE(supervisor.ok()) << supervisor.status();
    supervisor_ = *std::move(supervisor);
  }

  std::unique_ptr<Process> supervisor_;
};

TEST_F(RestartTest, KernelsThatTakeTooLongMakeEachLifeBeginSmaller) {
  RenderReference();
  // Five runs a life: the fifteen tiles take three.
  Supervise("timeout:6");
  const v1::Job job = Render(/*strict=*/false);
  EXPECT_EQ(job.pixel_hash(), reference_) << EventsOf(job);
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
  RenderReference();
  Supervise("timeout-pixels:3000");
  const v1::Job job = Render(/*strict=*/false);
  EXPECT_EQ(job.pixel_hash(), reference_) << EventsOf(job);
  // Two lives try the whole tile, as the presumed promise wants it; the third need not.
  EXPECT_EQ(job.promise(), "tolerant");
  EXPECT_TRUE(FindEvent(job, "turned_tolerant", "s-cpu").has_value()) << EventsOf(job);
  ASSERT_EQ(job.ladder_size(), 1) << EventsOf(job);
  EXPECT_EQ(job.ladder(0).step(), v1::LADDER_STEP_SUB_TILES);
  EXPECT_EQ(job.ladder(0).attempts(), job.plan().tiles());
  EXPECT_THAT(Status(), HasSubstr("\"starts\": 3, \"rung\": 2"));
}

TEST_F(RestartTest, MemoryThatRunsOutBesideTheTilesBeginsSmallerToo) {
  RenderReference();
  Supervise("no-memory:6");
  const v1::Job job = Render(/*strict=*/false);
  EXPECT_EQ(job.pixel_hash(), reference_) << EventsOf(job);
  EXPECT_TRUE(FindEvent(job, "worker_crashed", "s-cpu").has_value()) << EventsOf(job);
  EXPECT_THAT(Status(), HasSubstr("\"last_end\": \"memory ran out (exit code 8)\""));
}

}  // namespace
}  // namespace tilewright
