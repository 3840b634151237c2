// Submitting: what is sent, what is refused before anything is sent, and what is repeated.

#include <sys/stat.h>

#include "tests/client/src/client_fixture.h"

namespace tilewright {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;
using testing::UnorderedElementsAre;

class SubmitTest : public ClientFixture {};

TEST_F(SubmitTest, SharesPathsThatBothEndsSee) {
  RenderRequest request = Request();
  request.tile = 128;
  request.overlap = 0;
  request.window = "linear";
  request.strict = true;
  request.cpu_fallback = true;
  request.tile_timeout = absl::Seconds(90);
  const auto submission = client_->Submit(request);
  ASSERT_TRUE(submission.ok()) << submission.status();
  EXPECT_THAT(submission->job.name, StartsWith("jobs/"));
  EXPECT_FALSE(submission->uploaded);
  EXPECT_FALSE(submission->downloads);
  EXPECT_THAT(submission->notes, IsEmpty());
  EXPECT_EQ(submission->job.input, Path("in put.png"));

  const FakeLog log = fake_.log();
  ASSERT_THAT(log.jobs, SizeIs(1));
  const v1::RenderRequest& sent = log.jobs[0].render();
  EXPECT_EQ(sent.input(), absl::StrCat("file://", folder_.string(), "/in%20put.png"));
  EXPECT_EQ(sent.output(), absl::StrCat("file://", folder_.string(), "/out.png"));
  EXPECT_EQ(sent.input_facts().size(), 20u);
  ASSERT_EQ(sent.stages_size(), 1);
  EXPECT_EQ(sent.stages(0).model(), "lanczos4x");
  EXPECT_EQ(sent.stages(0).tile(), 128u);
  EXPECT_TRUE(sent.stages(0).has_overlap()) << "an overlap of 0 is a request, not the default";
  EXPECT_FALSE(sent.stages(0).has_halo());
  EXPECT_EQ(sent.stages(0).window(), "linear");
  EXPECT_TRUE(sent.strict());
  EXPECT_TRUE(sent.allow_cpu_fallback());
  EXPECT_EQ(sent.tile_timeout_seconds(), 90);
  EXPECT_THAT(Files(), ElementsAre("in put.png")) << "the nonce file was left behind";
}

TEST_F(SubmitTest, MakesRelativePathsAbsolute) {
  RenderRequest request = Request();
  request.input = std::filesystem::relative(request.input).string();
  request.output = std::filesystem::relative(request.output).string();
  ASSERT_FALSE(std::filesystem::path(request.output).is_absolute());
  const auto submission = client_->Submit(request);
  ASSERT_TRUE(submission.ok()) << submission.status();
  EXPECT_EQ(submission->output, Path("out.png"));
  EXPECT_EQ(fake_.log().probes.at(0).input(), Path("in put.png"));
}

TEST_F(SubmitTest, UploadsAnInputThatIsNotShared) {
  std::string bytes;
  for (uint32_t i = 0; i < 2'500'000; ++i) bytes += static_cast<char>(i * 7919 >> 5);
  Write("in put.png", bytes);
  fake_.SetScript({.share_input = false, .probe_text = "another machine"});
  const auto submission = client_->Submit(Request());
  ASSERT_TRUE(submission.ok()) << submission.status();
  EXPECT_TRUE(submission->uploaded);
  EXPECT_FALSE(submission->downloads);
  EXPECT_THAT(submission->notes,
              ElementsAre("the coordinator does not see the input: 2500000 bytes uploaded",
                          "another machine"));
  const FakeLog log = fake_.log();
  ASSERT_THAT(log.uploads, SizeIs(1));
  EXPECT_TRUE(log.uploads[0] == bytes) << log.uploads[0].size() << " bytes came";
  EXPECT_EQ(log.upload_names.at(0), "in put.png");
  EXPECT_EQ(log.jobs.at(0).render().input(), "upload:1");
  EXPECT_FALSE(log.jobs.at(0).render().has_input_facts());
}

TEST_F(SubmitTest, UploadsAFileForThePageThatIsWanted) {
  RenderRequest request = Request();
  request.page = 2;
  ASSERT_TRUE(client_->Submit(request).ok());
  EXPECT_EQ(fake_.log().jobs.at(0).render().input_page(), 2u);
  fake_.SetScript({.share_input = false});
  ASSERT_TRUE(client_->Submit(request).ok());
  request.page = 0;
  ASSERT_TRUE(client_->Submit(request).ok());
  const FakeLog log = fake_.log();
  EXPECT_THAT(log.upload_pages, ElementsAre(2u, 0u));
  // An older coordinator, which keeps the first page whatever is said, refuses this.
  EXPECT_EQ(log.jobs.at(1).render().input_page(), 2u);
  EXPECT_EQ(log.jobs.at(2).render().input_page(), 0u);
}

TEST_F(SubmitTest, UploadsAnEmptyFile) {
  Write("in put.png", "");
  fake_.SetScript({.share_input = false});
  ASSERT_TRUE(client_->Submit(Request()).ok());
  EXPECT_THAT(fake_.log().uploads, ElementsAre(""));
}

TEST_F(SubmitTest, AsksForADownloadWhereTheOutputIsNotShared) {
  fake_.SetScript({.share_output = false});
  const auto submission = client_->Submit(Request());
  ASSERT_TRUE(submission.ok()) << submission.status();
  EXPECT_TRUE(submission->downloads);
  EXPECT_THAT(submission->notes, SizeIs(1));
  EXPECT_EQ(fake_.log().jobs.at(0).render().output(), "download:.png");
}

TEST_F(SubmitTest, ReportsWhyAnUploadIsRefused) {
  fake_.SetScript({.share_input = false,
                   .upload_status = grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "too big")});
  const auto submission = client_->Submit(Request());
  EXPECT_EQ(submission.status(), absl::ResourceExhaustedError(absl::StrCat(
                                     "uploading '", Path("in put.png"), "': too big")));
  EXPECT_THAT(fake_.log().jobs, IsEmpty());
}

TEST_F(SubmitTest, RepeatsALostAnswerUnderTheSameRequestId) {
  fake_.SetScript({.lost_creates = 2});
  RenderRequest request = Request();
  request.request_id = "my-request_1";
  const auto submission = client_->Submit(request);
  ASSERT_TRUE(submission.ok()) << submission.status();
  EXPECT_EQ(submission->job.name, "jobs/my-request_1");
  const FakeLog log = fake_.log();
  EXPECT_EQ(log.creates, 3);
  EXPECT_THAT(log.jobs, SizeIs(1)) << "a repeated submit made a second job";
}

TEST_F(SubmitTest, GivesUpOnACoordinatorThatStaysUnavailable) {
  fake_.SetScript({.lost_creates = 1'000'000});
  ClientOptions options = Options();
  options.retry_for = absl::Milliseconds(1500);
  const auto impatient = Client::Connect(options);
  ASSERT_TRUE(impatient.ok());
  EXPECT_EQ((*impatient)->Submit(Request()).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_GE(fake_.log().creates, 2);
  EXPECT_LE(fake_.log().creates, 4) << "pauses of 0.2, 0.4 and 0.8 s fill the time";
}

TEST_F(SubmitTest, NeverRepeatsAnErrorOfAnotherCode) {
  fake_.SetScript(
      {.create_status = grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "the queue is full")});
  EXPECT_EQ(client_->Submit(Request()).status(), absl::ResourceExhaustedError("the queue is full"));
  EXPECT_EQ(fake_.log().creates, 1);
}

TEST_F(SubmitTest, ReportsTheReasonOfACoordinatorsError) {
  RenderRequest request = Request();
  request.request_id = "a";
  ASSERT_TRUE(client_->Submit(request).ok());
  request.tile = 7;
  const auto again = client_->Submit(request);
  EXPECT_EQ(again.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(ErrorReason(again.status()), "REQUEST_ID_REUSED");
}

TEST_F(SubmitTest, ADryRunSaysSoAndLeavesNothing) {
  const auto submission = client_->DryRun(Request());
  ASSERT_TRUE(submission.ok()) << submission.status();
  EXPECT_EQ(submission->job.name, "");
  EXPECT_EQ(submission->job.state, JobState::kPlanned);
  EXPECT_EQ(submission->job.plan.tiles, 4u);
  EXPECT_TRUE(fake_.log().jobs.at(0).dry_run());
  EXPECT_THAT(Files(), ElementsAre("in put.png"));
}

// What this machine can tell is refused here, and nothing is sent.
TEST_F(SubmitTest, RefusesBadFilesBeforeAnythingIsSent) {
  Write("there.png", "old");
  std::filesystem::create_directory(folder_ / "folder");
  struct Case {
    std::string input, output, reason;
    absl::StatusCode code;
  };
  const Case cases[] = {
      {"in put.png", "there.png", "OUTPUT_EXISTS", absl::StatusCode::kAlreadyExists},
      {"none.png", "out.png", "INPUT_MISSING", absl::StatusCode::kNotFound},
      {"folder", "out.png", "INPUT_NOT_A_FILE", absl::StatusCode::kInvalidArgument},
      {"in put.png", "folder", "OUTPUT_NOT_A_FILE", absl::StatusCode::kInvalidArgument},
      {"in put.png", "new/", "OUTPUT_NOT_A_FILE", absl::StatusCode::kInvalidArgument},
      {"in put.png", "none/out.png", "OUTPUT_FOLDER_MISSING", absl::StatusCode::kNotFound},
      {"in put.png", "in put.png", "OUTPUT_IS_INPUT", absl::StatusCode::kInvalidArgument},
  };
  for (const Case& c : cases) {
    RenderRequest request = Request();
    request.input = Path(c.input);
    request.output = Path(c.output);
    const absl::Status refused = client_->Submit(request).status();
    EXPECT_EQ(refused.code(), c.code) << c.input << " to " << c.output << ": " << refused;
    EXPECT_EQ(ErrorReason(refused), c.reason) << refused;
    EXPECT_EQ(client_->DryRun(request).status(), refused);
  }
  RenderRequest request = Request();
  request.request_id = "no blanks";
  EXPECT_EQ(ErrorReason(client_->Submit(request).status()), "BAD_REQUEST_ID");
  EXPECT_EQ(fake_.log().calls, 0);
  EXPECT_EQ(Read("there.png"), "old");

  request = Request();
  request.output = Path("there.png");
  request.overwrite = true;
  EXPECT_TRUE(client_->Submit(request).ok()) << "the control: with overwrite it is sent";
  EXPECT_EQ(Read("there.png"), "old") << "submitting touches no output";
}

TEST_F(SubmitTest, RefusesAFolderThatCannotBeWritten) {
  if (geteuid() == 0) {
    // Root writes anywhere but in /proc.
    RenderRequest request = Request();
    request.output = "/proc/self/out.png";
    EXPECT_EQ(ErrorReason(client_->Submit(request).status()), "OUTPUT_NOT_WRITABLE");
    return;
  }
  std::filesystem::create_directory(folder_ / "closed");
  ASSERT_EQ(chmod(Path("closed").c_str(), 0555), 0);
  RenderRequest request = Request();
  request.output = Path("closed/out.png");
  EXPECT_EQ(ErrorReason(client_->Submit(request).status()), "OUTPUT_NOT_WRITABLE");
}

}  // namespace
}  // namespace tilewright
