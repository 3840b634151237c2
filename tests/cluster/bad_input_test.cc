// Whatever a user, a client or a worker does wrong is answered with a typed error and a sentence
// that helps, and no process goes down: after each case the same cluster renders a good picture.

#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <tiffio.h>
#include <unistd.h>

#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "grpcpp/client_context.h"
#include "gtest/gtest.h"
#include "proto/wire/channel.h"
#include "proto/wire/status_details.h"
#include "tests/cluster/bad_input.h"
#include "tests/cluster/cluster.h"
#include "tests/cluster/picture.h"
#include "tests/cluster/scripted_worker.h"

namespace tilewright {
namespace {

using ::testing::HasSubstr;

// Where it is the lack of workers that is wrong; elsewhere a busy machine must not run into it.
class NoWorkerTest : public BadInputTest {
 protected:
  NoWorkerTest() : BadInputTest({"--worker-grace", "2"}) {}
};

TEST_F(BadInputTest, TheInputIsMissing) {
  AddWorker();
  const std::string out = cluster_->Path("out.tif");
  ExpectRefused(Render(cluster_->Path("nothing.png"), out, "identity"), kNotFound,
                {"nothing.png", "no such file"});
  ExpectNothingLeft(out);
}

TEST_F(BadInputTest, TheInputIsEmpty) {
  AddWorker();
  const std::string out = cluster_->Path("out.tif");
  ExpectRefused(Render(Write("empty.png", ""), out, "identity"), kInvalid, {"empty.png", "empty"});
  ExpectNothingLeft(out);
}

TEST_F(BadInputTest, TheInputIsTruncated) {
  AddWorker();
  for (const char* extension : {"png", "tif", "jpg"}) {
    const std::string whole = cluster_->Path(absl::StrCat("whole.", extension));
    ASSERT_TRUE(WritePicture(NoisePicture(300, 200, 3, 8, 1), whole).ok());
    const std::string text = ReadFile(whole);
    const std::string half =
        Write(absl::StrCat("half.", extension), text.substr(0, text.size() / 2));
    const std::string out = cluster_->Path(absl::StrCat("out-", extension, ".tif"));
    ExpectRefused(Render(half, out, "identity"), kInvalid, {"half"});
    ExpectNothingLeft(out);
  }
}

TEST_F(BadInputTest, TheInputIsNoImage) {
  AddWorker();
  const std::string out = cluster_->Path("out.tif");
  ExpectRefused(Render(Write("letter.png", "Dear coordinator, this is a letter."), out, "identity"),
                kInvalid, {"letter.png", "not an image"});
  ExpectNothingLeft(out);
}

TEST_F(BadInputTest, TheInputIsOverTheLimits) {
  AddWorker();
  // A header that claims 1,500,000 × 600 pixels and holds one tile; nothing may be allocated for
  // it.
  const std::string huge = cluster_->Path("huge.tif");
  TIFF* tiff = TIFFOpen(huge.c_str(), "w8");
  ASSERT_NE(tiff, nullptr);
  for (const auto& [tag, value] :
       std::vector<std::pair<int, int>>{{TIFFTAG_IMAGEWIDTH, 1'500'000},
                                        {TIFFTAG_IMAGELENGTH, 600},
                                        {TIFFTAG_TILEWIDTH, 512},
                                        {TIFFTAG_TILELENGTH, 512},
                                        {TIFFTAG_BITSPERSAMPLE, 8},
                                        {TIFFTAG_SAMPLESPERPIXEL, 1},
                                        {TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG},
                                        {TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISBLACK}}) {
    TIFFSetField(tiff, tag, value);
  }
  std::vector<uint8_t> tile(512 * 512);
  ASSERT_GT(TIFFWriteEncodedTile(tiff, 0, tile.data(), static_cast<tmsize_t>(tile.size())), 0);
  TIFFClose(tiff);
  const std::string out = cluster_->Path("out.tif");
  ExpectRefused(Render(huge, out, "identity"), kExhausted, {"huge.tif", "1500000", "1000000"});
  ExpectNothingLeft(out);
}

TEST_F(BadInputTest, TheModelIsUnknown) {
  AddWorker();
  const std::string out = cluster_->Path("out.tif");
  ExpectRefused(Render(good_, out, "no-such-model"), kNotFound, {"no-such-model", "models list"});
  ExpectNothingLeft(out);
}

TEST_F(BadInputTest, TheOverlapIsTooBigForTheTile) {
  AddWorker();
  const std::string out = cluster_->Path("out.tif");
  ExpectRefused(Render(good_, out, "identity", {"-t", "64", "--overlap", "60"}), kInvalid,
                {"overlap", "64"});
  ExpectNothingLeft(out);
}

TEST_F(BadInputTest, TheTileIsBelowTheModelsMinimum) {
  AddWorker();
  const std::string out = cluster_->Path("out.tif");
  ExpectRefused(Render(good_, out, "lanczos4x", {"-t", "1"}), kInvalid, {"tile"});
  ExpectNothingLeft(out);
}

TEST_F(BadInputTest, TheOutputCannotBeWritten) {
  AddWorker();
  ExpectRefused(Render(good_, cluster_->Path("no-folder/out.tif"), "identity"), kNotFound,
                {"no-folder"});
  ExpectRefused(Render(good_, "/sys/kernel/out.tif", "identity"), kPermission, {"/sys/kernel"});
  ExpectRefused(Render(good_, cluster_->Path("out.xyz"), "identity"), kInvalid, {"xyz", ".tif"});
}

TEST_F(BadInputTest, TheOutputExists) {
  AddWorker();
  const std::string out = Write("out.tif", "mine");
  ExpectRefused(Render(good_, out, "identity"), kOutputExists, {"out.tif", "--overwrite"});
  EXPECT_EQ(ReadFile(out), "mine");
}

TEST_F(NoWorkerTest, FailsWhenNoWorkerComes) {
  const std::string out = cluster_->Path("out.tif");
  ExpectRefused(Render(good_, out, "identity"), kPrecondition, {"worker"});
  ExpectNothingLeft(out);
}

TEST_F(NoWorkerTest, FailsWhenNoWorkerCanRunTheModel) {
  ScriptedWorkerOptions options;
  options.engines = {"something-else"};
  absl::StatusOr<std::unique_ptr<ScriptedWorker>> worker =
      ScriptedWorker::Join(cluster_->Connect(), options);
  ASSERT_TRUE(worker.ok()) << worker.status();
  const std::string out = cluster_->Path("out.tif");
  ExpectRefused(Render(good_, out, "identity"), kPrecondition, {"scripted", "builtin"});
  ExpectNothingLeft(out);
}

TEST_F(BadInputTest, AMessageIsOverTheLimit) {
  AddWorker();
  v1::CreateJobRequest request;
  request.set_request_id(std::string(8 << 20, 'x'));
  v1::CreateJobResponse response;
  grpc::ClientContext context;
  const absl::Status status = FromGrpc(cluster_->render().CreateJob(&context, request, &response));
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
}

TEST_F(BadInputTest, TheClientIsGoneInMidJob) {
  // No worker yet: the job cannot end before its client does.
  absl::StatusOr<std::unique_ptr<Process>> client = cluster_->StartCli(
      "gone", {"render", "-i", good_, "-o", cluster_->Path("out.tif"), "-n", "identity"});
  ASSERT_TRUE(client.ok()) << client.status();
  std::string job;
  const absl::Time deadline = absl::Now() + absl::Seconds(10);
  while (job.empty() && absl::Now() < deadline) {
    grpc::ClientContext context;
    v1::ListJobsResponse jobs;
    ASSERT_TRUE(cluster_->render().ListJobs(&context, v1::ListJobsRequest(), &jobs).ok());
    if (jobs.jobs_size() > 0) job = jobs.jobs(0).name();
    absl::SleepFor(absl::Milliseconds(5));
  }
  ASSERT_FALSE(job.empty()) << "the client submitted nothing";
  (*client)->Signal(SIGKILL);
  ASSERT_TRUE((*client)->Wait(absl::Seconds(5)).ok());
  AddWorker();
  // The job belongs to the coordinator: it goes on without its client.
  const absl::StatusOr<v1::Job> ended = cluster_->AwaitSuccess(job);
  ASSERT_TRUE(ended.ok()) << ended.status();
  EXPECT_EQ(access(cluster_->Path("out.tif").c_str(), F_OK), 0);
}

TEST_F(BadInputTest, ARequestIdIsUsedForAnotherRequest) {
  AddWorker();
  JobRequest request;
  request.input = good_;
  request.output = cluster_->Path("a.tif");
  request.model = "identity";
  request.request_id = "the-same";
  const absl::StatusOr<std::string> first = cluster_->Submit(request);
  ASSERT_TRUE(first.ok()) << first.status();
  const absl::StatusOr<std::string> again = cluster_->Submit(request);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(*again, *first) << "the same request again is the same job";
  request.output = cluster_->Path("b.tif");
  const absl::StatusOr<std::string> other = cluster_->Submit(request);
  EXPECT_EQ(other.status().code(), absl::StatusCode::kAlreadyExists) << other.status();
  EXPECT_THAT(std::string(other.status().message()), HasSubstr("the-same"));
  EXPECT_TRUE(cluster_->AwaitSuccess(*first).ok());
}

TEST_F(BadInputTest, AWorkerSpeaksAnotherMajorProtocol) {
  AddWorker();
  ScriptedWorkerOptions options;
  options.protocol_major = 99;
  const absl::Status status = ScriptedWorker::Join(cluster_->Connect(), options).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("99"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("1"));
}

TEST_F(BadInputTest, TheCommandLineIsWrong) {
  ExpectRefused(cluster_->Cli({"render", "-i", good_}), kUsage, {"-o"});
  ExpectRefused(cluster_->Cli({"rendr"}), kUsage, {"rendr"});
}

}  // namespace
}  // namespace tilewright
