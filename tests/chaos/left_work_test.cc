// What jobs leave beside their output that failed, and what a coordinator left that was killed when
// the output had its name already. Real processes.

#include <signal.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/wire/status_details.h"
#include "tests/chaos/blur_fixture.h"
#include "tests/cluster/cluster.h"
#include "tests/cluster/picture.h"
#include "tests/cluster/with_cluster.h"

namespace tilewright {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kLeft[] = {".partial", ".partial.scratch", ".partial.checkpoint"};

class LeftWorkTest : public WithCluster, public testing::Test {
 protected:
  void Begin(const std::string& interval, int width = 700, int height = 550) {
    ClusterOptions options;
    options.coordinator_flags = {"--checkpoint-interval", interval};
    ASSERT_NO_FATAL_FAILURE(StartCluster({}, options));
    ASSERT_TRUE(WritePicture(NoisePicture(width, height, 3, 8, 5), cluster_->Path("in.tif")).ok());
    request_.input = cluster_->Path("in.tif");
    request_.output = cluster_->Path("out.tif");
    request_.model = "gaussian-blur";
    request_.tile = 64;
  }
  void AddWorker(const std::string& name, const std::string& engine_fault = "") {
    WorkerSetup setup;
    setup.engine_fault = engine_fault;
    const absl::Status added = cluster_->AddWorker(name, setup);
    ASSERT_TRUE(added.ok()) << added;
  }
  void Dismiss(const std::string& name) {
    cluster_->worker(name).Signal(SIGKILL);
    ASSERT_TRUE(cluster_->AwaitWorker(name, false, kPatience).ok());
  }
  v1::Job Fail() {
    const absl::StatusOr<std::string> name = cluster_->Submit(request_);
    EXPECT_TRUE(name.ok()) << name.status();
    const absl::StatusOr<v1::Job> job = cluster_->Await(
        name.value_or(""), [](const v1::Job& now) { return now.state() == v1::Job::STATE_FAILED; },
        kPatience);
    EXPECT_TRUE(job.ok()) << job.status();
    return job.value_or(v1::Job());
  }
  v1::Job Succeed() {
    const absl::StatusOr<std::string> name = cluster_->Submit(request_);
    EXPECT_TRUE(name.ok()) << name.status();
    const absl::StatusOr<v1::Job> job = cluster_->AwaitSuccess(name.value_or(""), kPatience);
    EXPECT_TRUE(job.ok()) << job.status();
    return job.value_or(v1::Job());
  }
  bool Left(const char* what) { return std::filesystem::exists(request_.output + what); }
  void ExpectNothingLeft() {
    for (const char* what : kLeft) EXPECT_FALSE(Left(what)) << what;
  }

  JobRequest request_;
};

TEST_F(LeftWorkTest, AJobThatFailedLateIsContinuedWhenItsCauseIsGone) {
  Begin("0.02");
  AddWorker("bad", "slow:10,nan:60+");
  const v1::Job failed = Fail();
  EXPECT_EQ(ReasonOf(FromProto(failed.error())), "TILE_FAILED");
  EXPECT_THAT(failed.error().message(), HasSubstr("--continue"));
  EXPECT_TRUE(FindEvent(failed, "left_to_continue").has_value()) << EventsOf(failed);
  for (const char* what : kLeft) EXPECT_TRUE(Left(what)) << what;
  Dismiss("bad");
  AddWorker("good");
  // Not by mistake.
  EXPECT_EQ(cluster_->Submit(request_).status().code(), absl::StatusCode::kAlreadyExists);
  request_.continue_partial = true;
  const v1::Job continued = Succeed();
  EXPECT_GT(continued.continued_tiles(), 20u) << EventsOf(continued);
  ExpectNothingLeft();
  request_.continue_partial = false;
  request_.output = cluster_->Path("reference.tif");
  EXPECT_EQ(continued.pixel_hash(), Succeed().pixel_hash());
}

TEST_F(LeftWorkTest, ThePreviewOfAContinuedJobShowsWhatItTookOver) {
  Begin("0.02", 1000, 60);  // one row of tiles, two blocks
  AddWorker("bad", "slow:10,nan:16+");
  Fail();
  Dismiss("bad");
  request_.continue_partial = true;
  const absl::StatusOr<std::string> name = cluster_->Submit(request_);
  ASSERT_TRUE(name.ok()) << name.status();
  const absl::StatusOr<v1::Job> begun = cluster_->Await(
      *name, [](const v1::Job& job) { return FindEvent(job, "continued").has_value(); }, kPatience);
  ASSERT_TRUE(begun.ok()) << begun.status();
  ASSERT_LT(begun->tiles_done(), begun->plan().tiles());
  grpc::ClientContext context;
  v1::GetPreviewRequest request;
  request.set_name(*name);
  v1::GetPreviewResponse response;
  const absl::Status got = FromGrpc(cluster_->render().GetPreview(&context, request, &response));
  ASSERT_TRUE(got.ok()) << got;
  EXPECT_EQ(response.finished(), 0.512);
  std::ofstream(cluster_->Path("preview.png"), std::ios::binary) << response.png();
  AddWorker("good");
  const absl::StatusOr<v1::Job> done = cluster_->AwaitSuccess(*name, kPatience);
  ASSERT_TRUE(done.ok()) << done.status();
  const absl::StatusOr<Picture> shown = ReadPicture(cluster_->Path("preview.png"));
  const absl::StatusOr<Picture> output = ReadPicture(request_.output);
  ASSERT_TRUE(shown.ok() && output.ok()) << shown.status() << output.status();
  ASSERT_EQ(shown->channels, 4);
  int64_t finished = 0, wrong = 0;
  for (size_t i = 0; i < 1000 * 60; ++i) {
    const bool there = shown->samples[4 * i + 3] != std::byte{0};
    finished += there ? 1 : 0;
    for (size_t c = 0; c < 3; ++c) {
      wrong += shown->samples[4 * i + c] != (there ? output->samples[3 * i + c] : std::byte{0});
    }
  }
  EXPECT_EQ(finished, 512 * 60);
  EXPECT_EQ(wrong, 0);
}

TEST_F(LeftWorkTest, AJobThatFailedEarlyLeavesNothing) {
  Begin("3600");
  AddWorker("bad", "slow:10,nan:60+");
  const v1::Job failed = Fail();
  EXPECT_EQ(ReasonOf(FromProto(failed.error())), "TILE_FAILED");
  EXPECT_THAT(failed.error().message(), Not(HasSubstr("--continue")));
  ExpectNothingLeft();
}

TEST_F(LeftWorkTest, AJobThatIsCancelledLeavesNothing) {
  Begin("0.02");
  AddWorker("slow", "slow:30");
  const absl::StatusOr<std::string> name = cluster_->Submit(request_);
  ASSERT_TRUE(name.ok()) << name.status();
  const absl::StatusOr<v1::Job> safe = cluster_->Await(
      *name, [](const v1::Job& job) { return job.checkpoint_tiles() > 5; }, kPatience);
  ASSERT_TRUE(safe.ok()) << safe.status();
  EXPECT_EQ(cluster_->Cli({"jobs", "cancel", *name}).exit_code, 0);
  const absl::StatusOr<v1::Job> job = cluster_->Await(
      *name, [](const v1::Job& now) { return now.state() == v1::Job::STATE_CANCELLED; }, kPatience);
  ASSERT_TRUE(job.ok()) << job.status();
  ExpectNothingLeft();
}

// The coordinator was killed between giving the output its name and removing what lay beside it.
TEST_F(LeftWorkTest, WhatLiesBesideAPublishedOutputIsNoUnfinishedWork) {
  Begin("0.02");
  AddWorker("bad", "slow:10,nan:60+");
  Fail();
  Dismiss("bad");
  AddWorker("good");
  std::map<std::string, std::string> beside;
  for (const char* what : {".partial.scratch", ".partial.checkpoint"}) {
    beside[what] = ReadFile(request_.output + what);
    ASSERT_NE(beside[what], "") << what;
  }
  std::filesystem::rename(request_.output + ".partial", request_.output);
  const auto leave_again = [&] {
    for (const auto& [what, content] : beside) {
      std::ofstream(request_.output + what, std::ios::binary) << content;
    }
  };
  const auto render = [this](std::vector<std::string> flags) {
    flags.insert(flags.begin(), {"render", "-i", request_.input, "-o", request_.output, "-n",
                                 request_.model, "-t", "64", "--json"});
    return cluster_->Cli(flags, kPatience);
  };
  // What is there is the output.
  EXPECT_THAT(render({"--continue"}).err, HasSubstr("exists"));
  EXPECT_TRUE(Left(".partial.checkpoint"));
  for (const auto& flags :
       std::vector<std::vector<std::string>>{{"--overwrite"}, {"--overwrite", "--continue"}}) {
    SCOPED_TRACE(flags.size());
    const CliResult run = render(flags);
    ASSERT_EQ(run.exit_code, 0) << run.err;
    EXPECT_EQ(run.json->fields().at("continued_tiles").number_value(), 0);
    ExpectNothingLeft();
    leave_again();
  }
  // Nor does it stand in the way when the output has gone elsewhere.
  std::filesystem::rename(request_.output, cluster_->Path("away.tif"));
  EXPECT_EQ(Succeed().continued_tiles(), 0u);
  ExpectNothingLeft();
}

}  // namespace
}  // namespace tilewright
