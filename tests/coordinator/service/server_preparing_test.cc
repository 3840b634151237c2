// Jobs whose images are read before they are scheduled, at a whole coordinator: taken at once, and
// QUEUED while it is done.

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/wire/file_uri.h"
#include "proto/wire/status_details.h"
#include "tests/cluster/picture.h"
#include "tests/coordinator/service/server_fixture.h"

namespace tilewright {
namespace {

using ::testing::HasSubstr;

class PreparingTest : public ServerTest {
 protected:
  void SetUp() override {
    ServerTest::SetUp();
    // Marks the left quarter; a PNG comes in order.
    Picture mask{300, 200, 1, 8, std::vector<std::byte>(300 * 200)};
    for (size_t i = 0; i < mask.samples.size(); ++i) {
      if (i % 300 < 75) mask.samples[i] = std::byte{255};
    }
    ASSERT_TRUE(WritePicture(mask, folder_ + "/mask.png").ok());
  }
  // Another coordinator, which prepares so many jobs at a time.
  void RestartWith(int threads) {
    server_.reset();
    preparing_threads_ = threads;
    Start();
  }
  v1::CreateJobRequest Masked(const std::string& id) {
    v1::CreateJobRequest request = Request(id);
    request.mutable_render()->set_mask(FileUri(folder_ + "/mask.png"));
    return request;
  }
  v1::Job Cancel(const std::string& name) {
    grpc::ClientContext context;
    v1::CancelJobRequest request;
    request.set_name(name);
    v1::CancelJobResponse response;
    const absl::Status status = FromGrpc(render_->CancelJob(&context, request, &response));
    EXPECT_TRUE(status.ok()) << status;
    return response.job();
  }
  std::string Told(const v1::Job& job) {
    std::string told;
    for (const v1::Event& event : job.events()) {
      if (event.kind() == "preparing") absl::StrAppend(&told, event.text(), "\n");
    }
    return told;
  }
};

TEST_F(PreparingTest, TheMaskIsReadAndThenTheJobRuns) {
  const auto worker = JoinComputing();
  const auto job = Create(Masked("a"));
  ASSERT_TRUE(job.ok()) << job.status();
  const v1::Job done = Watch(job->name());
  ASSERT_EQ(done.state(), v1::Job::STATE_SUCCEEDED) << done.ShortDebugString();
  EXPECT_THAT(Told(done), HasSubstr("Decodes the mask, 300x200 pixels of png"));
  EXPECT_THAT(Told(done), HasSubstr("which tiles are to be computed"));
  EXPECT_GT(done.plan().skipped_tiles(), 0u);
  EXPECT_EQ(done.tiles_done(), done.plan().tiles());
  EXPECT_EQ(done.attempts(), done.plan().tiles() - done.plan().skipped_tiles());
  // Its readers go a moment after its end was told.
  const absl::Time patience_ends = absl::Now() + kPatience;
  while (!std::filesystem::is_empty(folder_ + "/state/scratch") && absl::Now() < patience_ends) {
    absl::SleepFor(absl::Milliseconds(10));
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder_ + "/state/scratch")) << "a copy was kept";
}

TEST_F(PreparingTest, WhatCannotBeReadFailsTheJobWithAReason) {
  const std::string mask = folder_ + "/mask.png";
  std::filesystem::resize_file(mask, std::filesystem::file_size(mask) / 2);
  const auto job = Create(Masked("a"));
  ASSERT_TRUE(job.ok()) << job.status();
  const v1::Job failed = Watch(job->name());
  EXPECT_EQ(failed.state(), v1::Job::STATE_FAILED);
  EXPECT_EQ(ReasonOf(FromProto(failed.error())), "NOT_AN_IMAGE") << failed.ShortDebugString();
  EXPECT_THAT(failed.error().message(), HasSubstr("mask.png"));
  EXPECT_FALSE(Exists("out.tif.partial"));
  EXPECT_TRUE(std::filesystem::is_empty(folder_ + "/state/scratch"));
  // What its header tells is refused at once.
  v1::CreateJobRequest request = Masked("b");
  request.mutable_render()->set_mask(FileUri(folder_ + "/in.tif"));
  EXPECT_EQ(ReasonOf(Create(request).status()), "BAD_MASK");
}

TEST_F(PreparingTest, AJobThatIsNotPreparedYetIsQueuedAndCanBeCancelled) {
  RestartWith(0);
  const auto job = Create(Masked("a"));
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->state(), v1::Job::STATE_QUEUED);
  EXPECT_THAT(Told(*job), HasSubstr("Waits until other jobs have read their images."));
  EXPECT_TRUE(Exists("out.tif.partial"));
  EXPECT_EQ(ReasonOf(Create(Request("b")).status()), "OUTPUT_EXISTS");
  EXPECT_EQ(ReasonOf(Preview(job->name()).status()), "JOB_PREPARING");
  {
    grpc::ClientContext context;
    v1::PauseJobRequest request;
    request.set_name(job->name());
    v1::PauseJobResponse response;
    EXPECT_EQ(ReasonOf(FromGrpc(render_->PauseJob(&context, request, &response))), "JOB_PREPARING");
  }
  const v1::Job cancelled = Cancel(job->name());
  EXPECT_EQ(cancelled.state(), v1::Job::STATE_CANCELLED);
  EXPECT_EQ(ReasonOf(FromProto(cancelled.error())), "CANCELLED_BY_USER");
  EXPECT_FALSE(Exists("out.tif.partial"));
  // What has nothing to read does not wait.
  const auto worker = JoinComputing();
  const auto other = Create(Request("b"));
  ASSERT_TRUE(other.ok()) << other.status();
  EXPECT_EQ(Watch(other->name()).state(), v1::Job::STATE_SUCCEEDED);
}

TEST_F(PreparingTest, ACoordinatorThatStopsLeavesNothingOfIt) {
  RestartWith(0);
  const auto job = Create(Masked("a"));
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_TRUE(Exists("out.tif.partial"));
  server_.reset();
  EXPECT_FALSE(Exists("out.tif.partial"));
}

TEST_F(PreparingTest, ADryRunCountsWhatTheMaskSkips) {
  v1::CreateJobRequest request = Masked("");
  request.set_dry_run(true);
  const auto job = Create(request);
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_GT(job->plan().skipped_tiles(), 0u);
  EXPECT_TRUE(std::filesystem::is_empty(folder_ + "/state/scratch"));
}

}  // namespace
}  // namespace tilewright
