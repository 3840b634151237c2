// Downloads: whole files appear under their name, or nothing does.

#include "tests/client/src/client_fixture.h"

namespace tilewright {
namespace {

using testing::ElementsAre;
using testing::UnorderedElementsAre;

class DownloadTest : public ClientFixture {
 protected:
  void SetUp() override {
    ClientFixture::SetUp();
    for (int i = 0; i < 250'000; ++i) bytes_ += static_cast<char>(i * 31 >> 3);
  }

  std::string bytes_;
};

TEST_F(DownloadTest, FinishFetchesWhatIsNotShared) {
  bool partial_seen = false;
  fake_.SetScript({.share_output = false,
                   .watches = {{.jobs = {JobIn(v1::Job::STATE_RUNNING, 1),
                                         JobIn(v1::Job::STATE_SUCCEEDED, 4)}}},
                   .output = bytes_,
                   .on_download = [this, &partial_seen] {
                     partial_seen = std::filesystem::exists(Path("out.png.partial")) &&
                                    !std::filesystem::exists(Path("out.png"));
                   }});
  const auto submission = client_->Submit(Request());
  ASSERT_TRUE(submission.ok()) << submission.status();
  int updates = 0;
  const auto job = client_->Finish(*submission, [&updates](const Job&) { return ++updates < 1; });
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(updates, 2);
  EXPECT_EQ(job->output, Path("out.png"));
  EXPECT_TRUE(partial_seen);
  EXPECT_TRUE(Read("out.png") == bytes_);
  EXPECT_THAT(Files(), UnorderedElementsAre("in put.png", "out.png"));
}

TEST_F(DownloadTest, AFailedJobIsNotDownloaded) {
  fake_.SetScript({.share_output = false,
                   .watches = {{.jobs = {JobIn(v1::Job::STATE_FAILED)}}},
                   .output = bytes_});
  const auto submission = client_->Submit(Request());
  ASSERT_TRUE(submission.ok());
  const auto job = client_->Finish(*submission, [](const Job&) { return true; });
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->state, JobState::kFailed);
  EXPECT_THAT(Files(), ElementsAre("in put.png"));
}

TEST_F(DownloadTest, StartsAgainWhenTheConnectionBreaks) {
  fake_.SetScript({.output = bytes_, .broken_downloads = 2});
  const absl::Status fetched = client_->Download("jobs/a", Path("out.png"), false);
  ASSERT_TRUE(fetched.ok()) << fetched;
  EXPECT_TRUE(Read("out.png") == bytes_) << "pieces of broken attempts must not stay";
}

TEST_F(DownloadTest, LeavesNothingWhenBytesAreMissing) {
  fake_.SetScript({.output = bytes_, .missing_bytes = 1});
  const absl::Status fetched = client_->Download("jobs/a", Path("out.png"), false);
  EXPECT_EQ(fetched.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(ErrorReason(fetched), "DOWNLOAD_TRUNCATED");
  EXPECT_THAT(Files(), ElementsAre("in put.png"));
}

TEST_F(DownloadTest, TakesAnEmptyOutputForTruncatedOnlyIfMoreWasAnnounced) {
  fake_.SetScript({.output = ""});
  EXPECT_TRUE(client_->Download("jobs/a", Path("out.png"), false).ok());
  EXPECT_EQ(Read("out.png"), "");
}

TEST_F(DownloadTest, RefusesAnExistingOutputWithoutOverwrite) {
  fake_.SetScript({.output = bytes_});
  Write("out.png", "old");
  const absl::Status refused = client_->Download("jobs/a", Path("out.png"), false);
  EXPECT_EQ(ErrorReason(refused), "OUTPUT_EXISTS");
  EXPECT_EQ(fake_.log().calls, 0);
  EXPECT_EQ(Read("out.png"), "old");
  EXPECT_TRUE(client_->Download("jobs/a", Path("out.png"), true).ok());
  EXPECT_TRUE(Read("out.png") == bytes_);
}

TEST_F(DownloadTest, NeverReplacesAnOutputThatAppearsMeanwhile) {
  fake_.SetScript({.output = bytes_, .on_download = [this] { Write("out.png", "somebody's"); }});
  const absl::Status refused = client_->Download("jobs/a", Path("out.png"), false);
  EXPECT_EQ(ErrorReason(refused), "OUTPUT_EXISTS") << refused;
  EXPECT_EQ(Read("out.png"), "somebody's");
  EXPECT_THAT(Files(), UnorderedElementsAre("in put.png", "out.png"));
}

TEST_F(DownloadTest, LeavesThePartialFileOfAnotherDownloadAlone) {
  fake_.SetScript({.output = bytes_});
  Write("out.png.partial", "another's");
  EXPECT_EQ(ErrorReason(client_->Download("jobs/a", Path("out.png"), false)),
            "OUTPUT_PARTIAL_EXISTS");
  EXPECT_EQ(Read("out.png.partial"), "another's");
  EXPECT_TRUE(client_->Download("jobs/a", Path("out.png"), true).ok());
}

}  // namespace
}  // namespace tilewright
