// What the coordinator does with results that come late, twice, from another time or with the wrong
// contents: a scripted worker submits each on a fresh data stream, while a real worker is not there
// yet.

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cluster/cluster.h"
#include "tests/cluster/picture.h"
#include "tests/cluster/scripted_worker.h"
#include "tests/cluster/with_cluster.h"

namespace tilewright {
namespace {

class LateResultsTest : public WithCluster, public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(StartCluster());
    input_ = NoisePicture(200, 150, 3, 8, 5);
    ASSERT_TRUE(WritePicture(input_, cluster_->Path("in.tif")).ok());
    absl::StatusOr<std::unique_ptr<ScriptedWorker>> worker =
        ScriptedWorker::Join(cluster_->Connect(), {});
    ASSERT_TRUE(worker.ok()) << worker.status();
    worker_ = *std::move(worker);
    JobRequest request;
    request.input = cluster_->Path("in.tif");
    request.output = cluster_->Path("out.tif");
    request.model = "identity";
    request.tile = 64;
    request.overlap = 16;
    request.tile_timeout_seconds = 5;
    const absl::StatusOr<std::string> job = cluster_->Submit(request);
    ASSERT_TRUE(job.ok()) << job.status();
    job_ = *job;
    const absl::StatusOr<v1::Lease> lease = worker_->AwaitGrant(absl::Seconds(10));
    ASSERT_TRUE(lease.ok()) << lease.status();
    lease_ = *lease;
    absl::StatusOr<ScriptedTile> tile = worker_->AwaitTile(absl::Seconds(10));
    ASSERT_TRUE(tile.ok()) << tile.status();
    tile_ = *std::move(tile);
  }

  v1::TileVerdict Submit(const ScriptedTile& result) {
    const absl::StatusOr<v1::TileVerdict> verdict = worker_->SubmitOnFreshStream(result);
    EXPECT_TRUE(verdict.ok()) << verdict.status();
    return verdict.ok() ? *verdict : v1::TileVerdict();
  }

  // A real worker joins, and the picture that comes out is the input, bit for bit.
  void ExpectTheRightPicture() {
    const absl::Status added = cluster_->AddWorker("real");
    ASSERT_TRUE(added.ok()) << added;
    const absl::StatusOr<v1::Job> job = cluster_->AwaitSuccess(job_);
    ASSERT_TRUE(job.ok()) << job.status();
    const absl::StatusOr<Picture> output = ReadPicture(cluster_->Path("out.tif"));
    ASSERT_TRUE(output.ok()) << output.status();
    EXPECT_EQ(Difference(*output, input_), "equal") << EventsOf(*job);
  }

  // The lease lapses with this event; its result is accepted all the same, and an event says so.
  void ExpectLateAcceptance(const std::string& lapse, absl::Duration timeout) {
    const absl::StatusOr<v1::Job> lapsed = cluster_->Await(
        job_, [&](const v1::Job& job) { return FindEvent(job, lapse).has_value(); }, timeout);
    ASSERT_TRUE(lapsed.ok()) << lapsed.status();
    const v1::TileVerdict verdict = Submit(worker_->IdentityResult(tile_));
    EXPECT_EQ(verdict.verdict(), v1::TileVerdict::VERDICT_ACCEPTED) << verdict.ShortDebugString();
    const absl::StatusOr<v1::Job> job = cluster_->Get(job_);
    ASSERT_TRUE(job.ok()) << job.status();
    EXPECT_TRUE(FindEvent(*job, "late_result_accepted").has_value()) << EventsOf(*job);
    worker_->Leave();
    ExpectTheRightPicture();
  }

  Picture input_;
  std::unique_ptr<ScriptedWorker> worker_;
  std::string job_;
  v1::Lease lease_;
  ScriptedTile tile_;
};

TEST_F(LateResultsTest, AResultOfALeaseThatNeverStartedIsAcceptedWhileItsTileIsOpen) {
  // Neither Started nor Preparing: the lease lapses.
  ExpectLateAcceptance("lease_not_started", absl::Seconds(20));
}

TEST_F(LateResultsTest, AResultOfALeaseThatRanTooLongIsAcceptedWhileItsTileIsOpen) {
  ASSERT_TRUE(worker_->SayStarted(lease_.id()).ok());
  ExpectLateAcceptance("lease_lapsed", absl::Seconds(20));
}

TEST_F(LateResultsTest, AResultIsAcceptedWhileTheControlStreamIsDown) {
  worker_->Leave();
  ASSERT_TRUE(cluster_->AwaitWorker("scripted", false, absl::Seconds(10)).ok());
  const v1::TileVerdict verdict = Submit(worker_->IdentityResult(tile_));
  EXPECT_EQ(verdict.verdict(), v1::TileVerdict::VERDICT_ACCEPTED) << verdict.ShortDebugString();
  ExpectTheRightPicture();
}

TEST_F(LateResultsTest, AResultOfAnAcceptedTileIsIgnored) {
  const ScriptedTile result = worker_->IdentityResult(tile_);
  EXPECT_EQ(Submit(result).verdict(), v1::TileVerdict::VERDICT_ACCEPTED);
  EXPECT_EQ(Submit(result).verdict(), v1::TileVerdict::VERDICT_DUPLICATE);
  // Whatever a second result holds, it is not merged.
  ScriptedTile black = result;
  black.payload.assign(black.payload.size(), '\0');
  EXPECT_NE(Submit(black).verdict(), v1::TileVerdict::VERDICT_ACCEPTED);
  worker_->Leave();
  ExpectTheRightPicture();
}

TEST_F(LateResultsTest, AResultOfAnOlderGenerationIsRefused) {
  ScriptedTile result = worker_->IdentityResult(tile_);
  ASSERT_GT(result.header.tile().generation(), 0u);
  result.header.mutable_tile()->set_generation(result.header.tile().generation() - 1);
  const v1::TileVerdict verdict = Submit(result);
  EXPECT_EQ(verdict.verdict(), v1::TileVerdict::VERDICT_REFUSED);
  EXPECT_EQ(verdict.reason(), "GENERATION_MISMATCH") << verdict.text();
  worker_->Leave();
  ExpectTheRightPicture();
}

TEST_F(LateResultsTest, AResultOfTheWrongModelIsRefused) {
  ScriptedTile result = worker_->IdentityResult(tile_);
  result.header.set_model_digest(std::string(64, 'a'));
  const v1::TileVerdict verdict = Submit(result);
  EXPECT_EQ(verdict.verdict(), v1::TileVerdict::VERDICT_REFUSED);
  EXPECT_EQ(verdict.reason(), "MODEL_MISMATCH") << verdict.text();
  const absl::StatusOr<v1::Job> job = cluster_->Get(job_);
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_TRUE(FindEvent(*job, "result_refused").has_value()) << EventsOf(*job);
  worker_->Leave();
  ExpectTheRightPicture();
}

TEST_F(LateResultsTest, AResultOfAnotherPlanIsRefused) {
  ScriptedTile result = worker_->IdentityResult(tile_);
  result.header.set_plan_digest("0123456789abcdef");
  const v1::TileVerdict verdict = Submit(result);
  EXPECT_EQ(verdict.verdict(), v1::TileVerdict::VERDICT_REFUSED);
  EXPECT_EQ(verdict.reason(), "PLAN_MISMATCH") << verdict.text();
  worker_->Leave();
  ExpectTheRightPicture();
}

TEST_F(LateResultsTest, AResultWithAWrongChecksumIsNotMerged) {
  ASSERT_TRUE(worker_->SayStarted(lease_.id()).ok());
  ScriptedTile result = worker_->IdentityResult(tile_);
  result.header.set_checksum(result.header.checksum() ^ 1);
  const v1::TileVerdict verdict = Submit(result);
  EXPECT_EQ(verdict.verdict(), v1::TileVerdict::VERDICT_REFUSED) << verdict.ShortDebugString();
  const absl::StatusOr<v1::Job> job = cluster_->Get(job_);
  ASSERT_TRUE(job.ok()) << job.status();
  const std::optional<v1::Event> event = FindEvent(*job, "tile_failed", "scripted");
  ASSERT_TRUE(event.has_value()) << EventsOf(*job);
  EXPECT_THAT(event->text(), testing::HasSubstr("checksum"));
  worker_->Leave();
  ExpectTheRightPicture();
}

TEST_F(LateResultsTest, AResultOfTheWrongSizeIsNotMerged) {
  ASSERT_TRUE(worker_->SayStarted(lease_.id()).ok());
  ScriptedTile result = worker_->IdentityResult(tile_);
  v1::Rect& rect = *result.header.mutable_tensors(0)->mutable_rect();
  rect.set_width(rect.width() - 1);
  const v1::TileVerdict verdict = Submit(result);
  EXPECT_EQ(verdict.verdict(), v1::TileVerdict::VERDICT_REFUSED) << verdict.ShortDebugString();
  worker_->Leave();
  ExpectTheRightPicture();
}

}  // namespace
}  // namespace tilewright
