// Operations on jobs and workers: what is sent, what comes back, and that a lost answer is asked
// for again.

#include "absl/time/time.h"
#include "proto/wire/status_details.h"
#include "tests/client/src/client_fixture.h"
#include "tilewright/error.h"

namespace tilewright {
namespace {

using testing::ElementsAre;

class OperationsTest : public ClientFixture {};

TEST_F(OperationsTest, OnJobsSendTheNameAndGiveTheJobBack) {
  const auto paused = client_->Pause("a");
  ASSERT_TRUE(paused.ok()) << paused.status();
  EXPECT_EQ(paused->name, "jobs/a");
  EXPECT_TRUE(paused->paused);
  const auto resumed = client_->Resume("jobs/a");
  ASSERT_TRUE(resumed.ok()) << resumed.status();
  EXPECT_FALSE(resumed->paused);
  const auto lower = client_->SetPriority("a", -3);
  ASSERT_TRUE(lower.ok()) << lower.status();
  EXPECT_EQ(lower->priority, -3);
  ASSERT_TRUE(client_->RetryFailedTiles("a").ok());
  const auto holes = client_->AcceptHoles("a");
  ASSERT_TRUE(holes.ok()) << holes.status();
  ASSERT_EQ(holes->holes.size(), 1u);
  EXPECT_EQ(holes->hole_count, 1u);
  EXPECT_EQ(holes->holes[0].tile, 4u);
  EXPECT_EQ(holes->holes[0].x, 128);
  EXPECT_EQ(holes->holes[0].y, 0);
  EXPECT_EQ(holes->holes[0].width, 64);
  EXPECT_EQ(holes->holes[0].height, 48);
  EXPECT_THAT(fake_.log().operations,
              ElementsAre("PauseJob jobs/a", "ResumeJob jobs/a", "SetJobPriority jobs/a -3",
                          "RetryFailedTiles jobs/a", "AcceptHoles jobs/a"));
}

TEST_F(OperationsTest, OnWorkersSendTheNameAndGiveTheWorkerBack) {
  const auto drained = client_->DrainWorker("w", true);
  ASSERT_TRUE(drained.ok()) << drained.status();
  EXPECT_EQ(drained->name, "w");
  EXPECT_TRUE(drained->draining);
  ASSERT_TRUE(client_->DrainWorker("w", false).ok());
  const auto resumed = client_->ResumeWorker("w");
  ASSERT_TRUE(resumed.ok()) << resumed.status();
  EXPECT_FALSE(resumed->draining);
  const auto cleared = client_->ClearBlocklist("w");
  ASSERT_TRUE(cleared.ok()) << cleared.status();
  EXPECT_EQ(cleared->quarantine, absl::Seconds(2.5));
  EXPECT_THAT(cleared->blocklisted_for, ElementsAre("jobs/a"));
  EXPECT_THAT(fake_.log().operations, ElementsAre("DrainWorker w now", "DrainWorker w",
                                                  "ResumeWorker w", "ClearBlocklist w"));
}

TEST_F(OperationsTest, APreviewComesWholeAndIsNotWrittenOverAFile) {
  const auto preview = client_->GetPreview("a");
  ASSERT_TRUE(preview.ok()) << preview.status();
  EXPECT_EQ(preview->png, "a picture");
  EXPECT_EQ(preview->finished, 0.25);

  const std::string path = Path("preview.png");
  const auto saved = client_->SavePreview("a", path, false);
  ASSERT_TRUE(saved.ok()) << saved.status();
  EXPECT_EQ(*saved, 0.25);
  EXPECT_EQ(Read("preview.png"), "a picture");
  EXPECT_EQ(ErrorReason(client_->SavePreview("a", path, false).status()), "OUTPUT_EXISTS");
  EXPECT_TRUE(client_->SavePreview("a", path, true).ok());
}

TEST_F(OperationsTest, ALostAnswerIsAskedForAgain) {
  fake_.SetScript({.lost_operations = 1});
  EXPECT_TRUE(client_->Pause("a").ok());
  EXPECT_THAT(fake_.log().operations, ElementsAre("PauseJob jobs/a", "PauseJob jobs/a"));
}

TEST_F(OperationsTest, ARefusalKeepsItsReason) {
  fake_.SetScript({.operation_status = ToGrpc(WithReason(
                       absl::FailedPreconditionError("jobs/a has ended"), "JOB_ENDED"))});
  const absl::Status refused = client_->AcceptHoles("a").status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ErrorReason(refused), "JOB_ENDED");
  EXPECT_EQ(client_->DrainWorker("w", false).status(), refused);
}

TEST_F(OperationsTest, AQuotaSaysWhenToSubmitAgain) {
  fake_.SetScript(
      {.create_status = ToGrpc(WithRetryAfter(
           WithReason(absl::ResourceExhaustedError("full"), "QUOTA_EXCEEDED"), absl::Seconds(5)))});
  const absl::Status refused = client_->Submit(Request()).status();
  EXPECT_EQ(ErrorReason(refused), "QUOTA_EXCEEDED");
  EXPECT_EQ(ErrorRetryAfter(refused), absl::Seconds(5));
}

TEST_F(OperationsTest, OptionsOfARequestAreSent) {
  RenderRequest request = Request();
  request.priority = -2;
  request.on_failed_tile = OnFailedTile::kHole;
  request.max_duration = absl::Seconds(90);
  const auto submission = client_->Submit(request);
  ASSERT_TRUE(submission.ok()) << submission.status();
  const v1::RenderRequest sent = fake_.log().jobs.at(0).render();
  EXPECT_EQ(sent.priority(), -2);
  EXPECT_EQ(sent.on_failed_tile(), v1::ON_FAILED_TILE_HOLE);
  EXPECT_EQ(sent.max_duration_seconds(), 90);
  EXPECT_EQ(submission->job.on_failed_tile, OnFailedTile::kHole);
}

}  // namespace
}  // namespace tilewright
