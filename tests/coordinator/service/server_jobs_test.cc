// Jobs at a whole coordinator, and the files they read and write: what ends badly ends with a typed
// error and nothing left behind.

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "coordinator/image/file_hash.h"
#include "coordinator/jobs/roots.h"
#include "coordinator/jobs/state_folder.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/wire/file_uri.h"
#include "proto/wire/status_details.h"
#include "tests/coordinator/service/server_fixture.h"

namespace tilewright {
namespace {

TEST_F(ServerTest, RendersThroughAWorker) {
  const auto worker = JoinComputing();
  const auto job = Create(Request("a"));
  ASSERT_TRUE(job.ok()) << job.status();
  const v1::Job done = Watch(job->name());
  ASSERT_EQ(done.state(), v1::Job::STATE_SUCCEEDED) << done.ShortDebugString();
  EXPECT_EQ(done.tiles_done(), done.plan().tiles());
  EXPECT_EQ(done.attempts(), done.plan().tiles());
  EXPECT_EQ(done.exactness(), "exact");
  EXPECT_EQ(done.promise(), "strict");
  EXPECT_GT(done.compute_seconds(), 0);
  ASSERT_EQ(done.workers_size(), 1);
  EXPECT_EQ(done.workers(0).tiles(), done.plan().tiles());
  const auto in = PixelHashOfFile(folder_ + "/in.tif");
  const auto out = PixelHashOfFile(folder_ + "/out.tif");
  ASSERT_TRUE(in.ok() && out.ok());
  EXPECT_EQ(*out, *in);
  EXPECT_EQ(done.pixel_hash(), absl::StrFormat("%016x", *out));
  EXPECT_FALSE(Exists("out.tif.partial"));
}

TEST_F(ServerTest, APreviewShowsWhatIsFinishedWhileTheJobRuns) {
  WriteImage(folder_ + "/wide.tif", {1024, 64});
  v1::CreateJobRequest request = Request("a");
  request.mutable_render()->set_input(FileUri(folder_ + "/wide.tif"));
  const auto job = Create(request);
  ASSERT_TRUE(job.ok()) << job.status();
  auto preview = Preview(job->name());
  ASSERT_TRUE(preview.ok()) << preview.status();
  EXPECT_EQ(preview->finished(), 0);

  const auto worker = Join();
  const auto compute = [&] {
    const auto tile = worker->AwaitTile(kPatience);
    ASSERT_TRUE(tile.ok()) << tile.status();
    ASSERT_TRUE(worker->SayStarted(tile->header.lease()).ok());
    ASSERT_TRUE(worker->SubmitOnFreshStream(worker->IdentityResult(*tile)).ok());
  };
  // All but the last: of the output's two blocks, one is finished.
  for (uint64_t i = 1; i < job->plan().tiles(); ++i) ASSERT_NO_FATAL_FAILURE(compute());
  const absl::Time patience_ends = absl::Now() + kPatience;
  do {
    absl::SleepFor(absl::Milliseconds(10));
    preview = Preview(job->name());
    ASSERT_TRUE(preview.ok()) << preview.status();
  } while (preview->finished() == 0 && absl::Now() < patience_ends);
  EXPECT_EQ(preview->finished(), 0.5);
  std::ofstream(folder_ + "/preview.png", std::ios::binary) << preview->png();
  const auto picture = ImageReader::Open(folder_ + "/preview.png", {});
  ASSERT_TRUE(picture.ok()) << picture.status();
  ASSERT_EQ((*picture)->info().size, (Size{1024, 64}));
  const auto input = ImageReader::Open(folder_ + "/wide.tif", {});
  ASSERT_TRUE(input.ok()) << input.status();
  std::vector<std::byte> shown(1024 * 64 * 4), wanted(1024 * 64 * 3);
  const Rect all{0, 0, 1024, 64};
  ASSERT_TRUE((*picture)->Read(all, PadMode::kReflect, absl::MakeSpan(shown)).ok());
  ASSERT_TRUE((*input)->Read(all, PadMode::kReflect, absl::MakeSpan(wanted)).ok());
  int64_t wrong = 0;
  for (size_t i = 0; i < 1024 * 64; ++i) {
    const bool finished = i % 1024 < 512;
    for (size_t c = 0; c < 3; ++c) {
      wrong += shown[i * 4 + c] != (finished ? wanted[i * 3 + c] : std::byte{0}) ? 1 : 0;
    }
    wrong += shown[i * 4 + 3] != std::byte{finished ? uint8_t{255} : uint8_t{0}} ? 1 : 0;
  }
  EXPECT_EQ(wrong, 0);

  ASSERT_NO_FATAL_FAILURE(compute());
  EXPECT_EQ(Watch(job->name()).state(), v1::Job::STATE_SUCCEEDED);
  EXPECT_EQ(ReasonOf(Preview(job->name()).status()), "JOB_ENDED");
  EXPECT_EQ(ReasonOf(Preview("jobs/none").status()), "UNKNOWN_JOB");
}

TEST_F(ServerTest, TheSameRequestAgainIsTheSameJob) {
  const auto first = Create(Request("a"));
  const auto again = Create(Request("a"));
  ASSERT_TRUE(first.ok() && again.ok()) << first.status() << again.status();
  EXPECT_EQ(again->name(), first->name());
  EXPECT_EQ(ReasonOf(Create(Request("a", "other.tif")).status()), "REQUEST_ID_REUSED");
  // Two jobs on one output: the second is refused at once.
  EXPECT_EQ(ReasonOf(Create(Request("b")).status()), "OUTPUT_EXISTS");
}

TEST_F(ServerTest, ADryRunCreatesNothingAndNamesTheWorkers) {
  const auto worker = Join();
  v1::CreateJobRequest request = Request("");
  request.set_dry_run(true);
  const auto job = Create(request);
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->name(), "");
  EXPECT_GT(job->plan().tiles(), 1u);
  EXPECT_GE(job->plan().halo_overhead(), 1.0);
  ASSERT_EQ(job->plan().matches_size(), 1);
  EXPECT_EQ(job->plan().matches(0).worker(), "scripted");
  EXPECT_TRUE(job->plan().matches(0).eligible());
  EXPECT_FALSE(Exists("out.tif.partial"));
}

TEST_F(ServerTest, ACancelledJobLeavesNothing) {
  const auto job = Create(Request("a"));
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_TRUE(Exists("out.tif.partial"));
  grpc::ClientContext context;
  v1::CancelJobRequest request;
  request.set_name(job->name());
  v1::CancelJobResponse response;
  ASSERT_TRUE(FromGrpc(render_->CancelJob(&context, request, &response)).ok());
  EXPECT_EQ(response.job().state(), v1::Job::STATE_CANCELLED);
  EXPECT_EQ(response.job().error().message(), "the job was cancelled by a user");
  EXPECT_FALSE(Exists("out.tif.partial"));
  EXPECT_FALSE(Exists("out.tif"));
}

TEST_F(ServerTest, WhatLiesBesideAnOutputThatWasPublishedGoesWhenTheCoordinatorStartsAgain) {
  server_.reset();
  const auto write = [this](const std::string& name, const std::string& content) {
    std::ofstream(folder_ + "/" + name, std::ios::binary) << content;
  };
  for (const char* output : {"published.tif", "unfinished.tif"}) {
    write(absl::StrCat("state/publishing/", output), absl::StrCat(folder_, "/", output));
    write(output, "an image");
    write(absl::StrCat(output, ".partial.checkpoint"), "record");
  }
  write("unfinished.tif.partial", "work");
  Start();
  EXPECT_FALSE(Exists("published.tif.partial.checkpoint"));
  EXPECT_TRUE(Exists("published.tif"));
  EXPECT_TRUE(Exists("unfinished.tif.partial.checkpoint"));
  EXPECT_TRUE(Exists("unfinished.tif.partial"));
}

TEST_F(ServerTest, AWatcherThatLeavesDoesNotEndTheJob) {
  const auto job = Create(Request("a"));
  ASSERT_TRUE(job.ok()) << job.status();
  {
    grpc::ClientContext context;
    v1::WatchJobRequest request;
    request.set_name(job->name());
    const auto stream = render_->WatchJob(&context, request);
    v1::WatchJobResponse response;
    ASSERT_TRUE(stream->Read(&response));
    EXPECT_EQ(response.job().state(), v1::Job::STATE_QUEUED);
    context.TryCancel();
    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  const auto worker = JoinComputing();
  EXPECT_EQ(Watch(job->name()).state(), v1::Job::STATE_SUCCEEDED);
}

TEST_F(ServerTest, AnInputIsUploadedAndTheOutputDownloaded) {
  std::ifstream file(folder_ + "/in.tif", std::ios::binary);
  const std::string input((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  std::string uri;
  {
    grpc::ClientContext context;
    v1::UploadResponse response;
    const auto stream = render_->Upload(&context, &response);
    v1::UploadRequest request;
    request.set_filename("in.tif");
    request.set_total_bytes(input.size());
    for (size_t at = 0; at < input.size(); at += 50'000) {
      request.set_data(input.substr(at, 50'000));
      ASSERT_TRUE(stream->Write(request));
      request.Clear();
    }
    stream->WritesDone();
    const absl::Status status = FromGrpc(stream->Finish());
    ASSERT_TRUE(status.ok()) << status;
    uri = response.uri();
  }
  v1::CreateJobRequest request = Request("a");
  request.mutable_render()->set_input(uri);
  request.mutable_render()->set_output("download:.tif");
  const auto worker = JoinComputing();
  const auto job = Create(request);
  ASSERT_TRUE(job.ok()) << job.status();
  ASSERT_EQ(Watch(job->name()).state(), v1::Job::STATE_SUCCEEDED);
  grpc::ClientContext context;
  v1::DownloadRequest download;
  download.set_name(job->name());
  const auto stream = render_->Download(&context, download);
  v1::DownloadResponse response;
  std::string output;
  uint64_t announced = 0;
  while (stream->Read(&response)) {
    announced += response.total_bytes();
    output += response.data();
  }
  const absl::Status status = FromGrpc(stream->Finish());
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(output.size(), announced);
  std::ofstream(folder_ + "/copy.tif", std::ios::binary) << output;
  const auto in = PixelHashOfFile(folder_ + "/in.tif");
  const auto copy = PixelHashOfFile(folder_ + "/copy.tif");
  ASSERT_TRUE(copy.ok()) << copy.status();
  EXPECT_EQ(*copy, *in);
  EXPECT_TRUE(std::filesystem::is_empty(folder_ + "/state/uploads")) << "the upload was kept";
}

TEST_F(ServerTest, AnUploadOverTheLimitIsRefusedAtOnce) {
  grpc::ClientContext context;
  v1::UploadResponse response;
  const auto stream = render_->Upload(&context, &response);
  v1::UploadRequest request;
  request.set_total_bytes((1 << 20) + 1);
  stream->Write(request);
  const absl::Status status = FromGrpc(stream->Finish());
  EXPECT_EQ(ReasonOf(status), "LIMIT_EXCEEDED") << status;
}

TEST_F(ServerTest, SharedFilesAreRecognisedByFactsAndNonce) {
  const std::string nonce(32, 'n');
  std::ofstream(folder_ + "/nonce", std::ios::binary) << nonce;
  const auto facts = StatFile(folder_ + "/in.tif");
  ASSERT_TRUE(facts.ok()) << facts.status();
  v1::ProbePathsRequest request;
  request.set_input(folder_ + "/in.tif");
  *request.mutable_input_facts() = *facts;
  request.set_nonce_path(folder_ + "/nonce");
  request.set_nonce(nonce);
  const auto probe = [&] {
    grpc::ClientContext context;
    v1::ProbePathsResponse response;
    EXPECT_TRUE(render_->ProbePaths(&context, request, &response).ok());
    return response;
  };
  EXPECT_TRUE(probe().input_shared());
  EXPECT_TRUE(probe().output_shared());
  request.mutable_input_facts()->set_inode(facts->inode() + 1);
  request.set_nonce(std::string(32, 'm'));
  EXPECT_FALSE(probe().input_shared());
  EXPECT_FALSE(probe().output_shared());
  EXPECT_NE(probe().text(), "");
}

}  // namespace
}  // namespace tilewright
