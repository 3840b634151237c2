// The shell around the scheduler, with fakes for clock, streams and jobs: what reaches whom, and in
// which order.

#include "coordinator/service/dispatcher.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "tests/coordinator/service/dispatcher_fixture.h"

namespace tilewright {
namespace {

TEST_F(DispatcherTest, AGrantIsFollowedByItsInputsAndResultsAreMerged) {
  Make();
  const auto control = Join(HelloOf("w"));
  const auto inputs = Attach("w");
  const auto job = Submit(10);
  ASSERT_EQ(control->grants().size(), 1u);
  EXPECT_TRUE(job->started());
  const v1::Lease lease = control->grants()[0];
  EXPECT_EQ(lease.id().epoch(), 7u);
  EXPECT_EQ(lease.stage().job(), "jobs/a");
  EXPECT_TRUE(inputs->AwaitSent(static_cast<size_t>(lease.tiles_size())));

  ComputeAll("w", *control);
  ASSERT_TRUE(job->AwaitEnded());
  EXPECT_TRUE(job->ended().ok()) << job->ended();
  EXPECT_TRUE(job->finished());
  EXPECT_FALSE(job->abandoned());
  std::vector<int64_t> merged = job->merged();
  std::sort(merged.begin(), merged.end());
  std::vector<int64_t> all(10);
  std::iota(all.begin(), all.end(), 0);
  EXPECT_EQ(merged, all);
  EXPECT_EQ(job->last().tiles_done, 10);
  EXPECT_FALSE(dispatcher_->ViewJob("jobs/a").has_value()) << "an ended job is forgotten";
}

TEST_F(DispatcherTest, ASecondResultOfATileIsADuplicateAndNotMerged) {
  Make();
  const auto control = Join(HelloOf("w"));
  const auto job = Submit(10);
  const v1::Lease lease = control->grants().at(0);
  EXPECT_EQ(Result(ResultOf(lease, lease.tiles(0), "w")).verdict(),
            v1::TileVerdict::VERDICT_ACCEPTED);
  EXPECT_EQ(Result(ResultOf(lease, lease.tiles(0), "w")).verdict(),
            v1::TileVerdict::VERDICT_DUPLICATE);
  ComputeAll("w", *control);
  ASSERT_TRUE(job->AwaitEnded());
  EXPECT_EQ(job->merged().size(), 10u);
  EXPECT_EQ(Result(ResultOf(lease, lease.tiles(0), "w")).verdict(),
            v1::TileVerdict::VERDICT_DUPLICATE)
      << "after the end of the job";
}

TEST_F(DispatcherTest, AWrongChecksumIsRefusedAndCountsAsAFailure) {
  Make();
  const auto control = Join(HelloOf("w"));
  const auto job = Submit(10);
  const v1::Lease lease = control->grants().at(0);
  SayStarted("w", *control, lease);
  IncomingTile result = ResultOf(lease, lease.tiles(0), "w");
  result.intact = false;
  const v1::TileVerdict verdict = Result(std::move(result));
  EXPECT_EQ(verdict.verdict(), v1::TileVerdict::VERDICT_REFUSED);
  EXPECT_EQ(verdict.reason(), "CHECKSUM_MISMATCH");
  EXPECT_TRUE(job->HasNotice("tile_failed"));
  ComputeAll("w", *control);
  ASSERT_TRUE(job->AwaitEnded());
  EXPECT_TRUE(job->ended().ok()) << "the tile was computed again: " << job->ended();
}

TEST_F(DispatcherTest, StrangeResultsAreRefusedWithAReason) {
  Make();
  const auto control = Join(HelloOf("w"));
  Submit(10);
  const v1::Lease lease = control->grants().at(0);
  const uint64_t tile = lease.tiles(0);

  IncomingTile result = ResultOf(lease, tile, "w");
  result.header.mutable_tile()->set_job("jobs/b");
  EXPECT_EQ(Result(result).reason(), "UNKNOWN_JOB");
  result = ResultOf(lease, tile, "w");
  result.header.mutable_tile()->set_stage(1);
  EXPECT_EQ(Result(result).reason(), "STAGE_MISMATCH");
  std::vector<IncomingTile> tiles = {ResultOf(lease, tile, "w")};
  EXPECT_EQ(dispatcher_->Results("w", "two", tiles).value().at(0).reason(), "WORKER_MISMATCH");
  result = ResultOf(lease, tile, "w");
  result.header.set_model_digest("another");
  EXPECT_EQ(Result(result).reason(), "MODEL_MISMATCH");
}

TEST_F(DispatcherTest, AReadErrorFailsTheJobWithItsSentence) {
  Make();
  const auto control = Join(HelloOf("w"));
  const auto inputs = Attach("w");
  auto job = std::make_shared<FakeJob>("jobs/a", 10);
  job->FailReads(absl::DataLossError("'in.png' is truncated"));
  ASSERT_TRUE(dispatcher_->Submit(job->spec(), job).ok());
  ASSERT_TRUE(job->AwaitEnded());
  EXPECT_EQ(job->ended(), absl::DataLossError("'in.png' is truncated"));
  EXPECT_TRUE(job->abandoned());
  EXPECT_FALSE(job->finished());
}

TEST_F(DispatcherTest, AMergeErrorFailsTheJobAndNothingMoreIsMerged) {
  Make();
  const auto control = Join(HelloOf("w"));
  auto job = std::make_shared<FakeJob>("jobs/a", 10);
  job->FailMerges(absl::ResourceExhaustedError("the disk is full"));
  ASSERT_TRUE(dispatcher_->Submit(job->spec(), job).ok());
  const v1::Lease lease = control->grants().at(0);
  Result(ResultOf(lease, lease.tiles(0), "w"));
  ASSERT_TRUE(job->AwaitEnded());
  EXPECT_EQ(job->ended(), absl::ResourceExhaustedError("the disk is full"));
  EXPECT_TRUE(job->abandoned());
  EXPECT_FALSE(job->finished());
  EXPECT_TRUE(job->merged().empty());
  EXPECT_EQ(Result(ResultOf(lease, 5, "w")).verdict(), v1::TileVerdict::VERDICT_DUPLICATE);
}

TEST_F(DispatcherTest, StoppingAJobEndsItOnceWithThatStatus) {
  Make();
  Join(HelloOf("w"));
  const auto job = Submit(10);
  dispatcher_->Stop("jobs/a", absl::CancelledError("enough"));
  dispatcher_->Stop("jobs/a", absl::InternalError("too late"));
  ASSERT_TRUE(job->AwaitEnded());
  EXPECT_EQ(job->ended(), absl::CancelledError("enough"));
  dispatcher_->Stop("jobs/unknown", absl::CancelledError("nothing happens"));
}

TEST_F(DispatcherTest, ResultsWaitWhileMergingIsBehind) {
  DispatcherOptions options;
  options.merges.queued_bytes_max = 50;  // half a tile
  Make(options);
  const auto control = Join(HelloOf("w"));
  const auto job = Submit(100);
  job->HoldMerging(true);
  const auto source = std::make_shared<FakeSource>();
  EXPECT_TRUE(dispatcher_->HasRoom(source));
  const v1::Lease lease = control->grants().at(0);
  Result(ResultOf(lease, lease.tiles(0), "w"));
  EXPECT_FALSE(dispatcher_->HasRoom(source));
  EXPECT_FALSE(source->resumed());
  // Nobody gets work meanwhile: a newcomer waits until merging has caught up.
  clock_.Advance(absl::Milliseconds(10));
  const auto idle = Join(HelloOf("newcomer"));
  EXPECT_TRUE(idle->grants().empty());
  job->HoldMerging(false);
  EXPECT_TRUE(source->AwaitResumed());
  EXPECT_TRUE(dispatcher_->HasRoom(source));
  EXPECT_EQ(idle->grants().size(), 1u);
}

TEST_F(DispatcherTest, ShutdownEndsJobsAndStreams) {
  Make();
  const auto control = Join(HelloOf("w"));
  const auto inputs = Attach("w");
  const auto job = Submit(10);
  dispatcher_->Shutdown();
  EXPECT_EQ(job->ended().code(), absl::StatusCode::kUnavailable) << job->ended();
  EXPECT_TRUE(job->abandoned());
  EXPECT_TRUE(control->closed().has_value());
  EXPECT_TRUE(inputs->closed().has_value());
  auto late = std::make_shared<FakeJob>("jobs/b", 1);
  EXPECT_EQ(dispatcher_->Submit(late->spec(), late).code(), absl::StatusCode::kUnavailable);
}

v1::ControlRequest CanaryOf(const std::string& digest, const std::vector<float>& excerpt) {
  v1::ControlRequest request;
  v1::CanaryResult* canary = request.add_events()->mutable_canary();
  canary->set_digest(digest);
  canary->set_excerpt(excerpt.data(), excerpt.size() * sizeof(float));
  return request;
}

TEST_F(DispatcherTest, ATolerantJobTellsHowFarItsClassesAreKnownToDiffer) {
  Make();
  v1::Hello other = HelloOf("v");
  other.mutable_capabilities()->set_environment_key("other");
  const auto one = Join(HelloOf("w"));
  const auto two = Join(other);
  const auto job = Submit(40);
  const auto accept = [this](const FakeControl& control, const std::string& worker,
                             const std::string& numeric_class) {
    const v1::Lease lease = control.grants().at(0);
    IncomingTile tile = ResultOf(lease, lease.tiles(0), worker);
    tile.header.set_numeric_class(numeric_class);
    EXPECT_EQ(Result(std::move(tile)).verdict(), v1::TileVerdict::VERDICT_ACCEPTED);
  };
  accept(*one, "w", "a");
  accept(*two, "v", "b");
  const auto difference = [this] { return dispatcher_->ViewJob("jobs/a")->largest_difference; };
  EXPECT_EQ(difference(), std::nullopt);
  dispatcher_->Heard("w", one.get(), CanaryOf("a", {1, 2}));
  EXPECT_EQ(difference(), std::nullopt);
  dispatcher_->Heard("v", two.get(), CanaryOf("b", {1, std::nanf("")}));
  EXPECT_EQ(difference(), std::nullopt) << "that was refused";
  EXPECT_EQ(dispatcher_->ViewJob("jobs/a")->numeric_classes, (std::set<std::string>{"a", "b"}))
      << "its class counts all the same";
  dispatcher_->Heard("v", two.get(), CanaryOf("b", {1, 2.5f}));
  EXPECT_EQ(difference(), 0.5);
  dispatcher_->Stop("jobs/a", absl::CancelledError("enough"));
  ASSERT_TRUE(job->AwaitEnded());
  EXPECT_EQ(job->last().largest_difference, 0.5) << "the report keeps it";
}

TEST_F(DispatcherTest, WithoutAnyWorkerAJobFailsAfterTheGrace) {
  DispatcherOptions options;
  options.schedule.worker_grace = absl::Seconds(5);
  Make(options);
  const auto job = Submit(10);
  clock_.Advance(absl::Seconds(5));
  dispatcher_->Tick();
  ASSERT_TRUE(job->AwaitEnded());
  EXPECT_EQ(job->ended().code(), absl::StatusCode::kFailedPrecondition) << job->ended();
}

}  // namespace
}  // namespace tilewright
