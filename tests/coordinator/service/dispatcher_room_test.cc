// A full disk: the job keeps what it has, leases nothing more and goes on when there is room; the
// others are not held up.

#include <cerrno>

#include "absl/strings/match.h"
#include "coordinator/image/file_error.h"
#include "tests/coordinator/service/dispatcher_fixture.h"

namespace tilewright {
namespace {

constexpr absl::Duration kRetry = absl::Milliseconds(100);  // before workers are missed

absl::Status Full() { return FileError("writing", "/disk/a.tif.partial", ENOSPC); }

class DispatcherRoomTest : public DispatcherTest {
 protected:
  // A job whose disk is full, with one result that waits.
  std::shared_ptr<FakeJob> SubmitParked(const FakeControl& control, int64_t tiles) {
    auto job = std::make_shared<FakeJob>("jobs/a", tiles);
    job->SetRoom(Full());
    EXPECT_TRUE(dispatcher_->Submit(job->spec(), job).ok());
    lease_ = control.grants().back();
    Result(ResultOf(lease_, lease_.tiles(0), "w"));
    EXPECT_TRUE(job->AwaitWaitsForRoom(true));
    dispatcher_->Tick();  // after what follows from that
    return job;
  }
  // A job of one tile that is merged and finds no room to be finished.
  std::shared_ptr<FakeJob> SubmitUnfinished(const FakeControl& control) {
    auto job = std::make_shared<FakeJob>("jobs/a", 1);
    job->HoldMerging(true);
    EXPECT_TRUE(dispatcher_->Submit(job->spec(), job).ok());
    lease_ = control.grants().back();
    Result(ResultOf(lease_, 0, "w"));
    EXPECT_TRUE(job->AwaitRoomAsked(1));
    job->SetRoom(Full());
    job->HoldMerging(false);
    EXPECT_TRUE(job->AwaitWaitsForRoom(true));
    EXPECT_EQ(job->merged().size(), 1u);
    return job;
  }

  v1::Lease lease_;  // the latest
};

TEST_F(DispatcherRoomTest, AJobWhoseDiskIsFullLosesNothingAndGoesOnWhenThereIsRoom) {
  DispatcherOptions options;
  options.merges.room_retry = kRetry;
  Make(options);
  const auto control = Join(HelloOf("w"));
  const auto job = SubmitParked(*control, 10);
  EXPECT_TRUE(job->HasNotice("waits_for_room"));
  EXPECT_TRUE(absl::StartsWith(job->waits_for_room(),
                               "writing /disk/a.tif.partial: No space left on device; make room "
                               "there or choose another output. jobs/a keeps what it has"))
      << job->waits_for_room();
  // What is leased may come; nothing follows it.
  const size_t granted = control->grants().size();
  ComputeAll("w", *control);
  EXPECT_EQ(control->grants().size(), granted);
  EXPECT_TRUE(job->merged().empty());
  EXPECT_FALSE(dispatcher_->ViewJob("jobs/a")->paused);

  // It looks for room when its time has come, and not before.
  const int asked = job->rooms_asked();
  clock_.Advance(kRetry - absl::Milliseconds(50));
  dispatcher_->Tick();
  clock_.Advance(absl::Milliseconds(50));
  EXPECT_EQ(job->rooms_asked(), asked);
  dispatcher_->Tick();
  EXPECT_TRUE(job->AwaitRoomAsked(asked + 1));
  EXPECT_FALSE(job->HasNotice("has_room"));

  job->SetRoom(absl::OkStatus());
  while (job->rooms_asked() == asked + 1) ASSERT_TRUE(dispatcher_->Resume("jobs/a").ok());
  ASSERT_TRUE(job->AwaitWaitsForRoom(false));
  dispatcher_->Tick();
  EXPECT_TRUE(job->HasNotice("has_room"));
  ComputeAll("w", *control);
  ASSERT_TRUE(job->AwaitEnded());
  EXPECT_TRUE(job->ended().ok()) << job->ended();
  EXPECT_EQ(job->merged().size(), 10u);
  EXPECT_EQ(job->last().attempts, 10) << "nothing was computed twice";
}

TEST_F(DispatcherRoomTest, LooksForRoomAgainAndAgainByItself) {
  const SteadyClock clock;
  DispatcherOptions options;
  options.merges.room_retry = absl::Milliseconds(5);
  Dispatcher dispatcher(options, clock);
  const auto control = std::make_shared<FakeControl>();
  ASSERT_TRUE(dispatcher.Hello(HelloOf("w"), control).ok());
  const auto job = std::make_shared<FakeJob>("jobs/a", 1);
  job->SetRoom(Full());
  ASSERT_TRUE(dispatcher.Submit(job->spec(), job).ok());
  std::vector<IncomingTile> tiles;
  tiles.push_back(ResultOf(control->grants().at(0), 0, "w"));
  ASSERT_TRUE(dispatcher.Results("w", "one", std::move(tiles)).ok());
  EXPECT_TRUE(job->AwaitRoomAsked(50)) << job->rooms_asked();
  job->SetRoom(absl::OkStatus());
  EXPECT_TRUE(job->AwaitEnded());
  EXPECT_TRUE(job->finished());
}

TEST_F(DispatcherRoomTest, ResumeLooksForRoomAtOnce) {
  Make();
  const auto control = Join(HelloOf("w"));
  const auto job = SubmitParked(*control, 10);
  EXPECT_TRUE(dispatcher_->Resume("jobs/a").ok());
  EXPECT_TRUE(job->AwaitRoomAsked(2));
  job->SetRoom(absl::OkStatus());
  while (job->rooms_asked() == 2) ASSERT_TRUE(dispatcher_->Resume("jobs/a").ok());
  EXPECT_TRUE(job->AwaitMerged(1));
}

TEST_F(DispatcherRoomTest, AJobThatIsOnlyToBePublishedWaitsToo) {
  Make();
  const auto control = Join(HelloOf("w"));
  const auto job = SubmitUnfinished(*control);
  EXPECT_FALSE(job->finished());
  EXPECT_TRUE(dispatcher_->Resume("jobs/a").ok());
  EXPECT_TRUE(job->AwaitRoomAsked(3));
  job->SetRoom(absl::OkStatus());
  while (job->rooms_asked() == 3) ASSERT_TRUE(dispatcher_->Resume("jobs/a").ok());
  ASSERT_TRUE(job->AwaitEnded());
  EXPECT_TRUE(job->ended().ok()) << job->ended();
  EXPECT_TRUE(job->finished());
  EXPECT_FALSE(job->abandoned());
  EXPECT_TRUE(dispatcher_->Resume("jobs/a").ok()) << "it was done before";
}

TEST_F(DispatcherRoomTest, OtherJobsGoOnMeanwhile) {
  DispatcherOptions options;
  options.merges.threads = 1;
  options.merges.queued_bytes_max = 50;  // half a tile
  Make(options);
  const auto control = Join(HelloOf("w"));
  const auto parked = SubmitParked(*control, 10);
  EXPECT_TRUE(dispatcher_->HasRoom(std::make_shared<FakeSource>()));
  auto other = std::make_shared<FakeJob>("jobs/b", 5);
  ASSERT_TRUE(dispatcher_->Submit(other->spec(), other).ok());
  ComputeAll("w", *control);
  ASSERT_TRUE(other->AwaitEnded());
  EXPECT_TRUE(other->ended().ok()) << other->ended();
  EXPECT_TRUE(parked->merged().empty());
}

TEST_F(DispatcherRoomTest, AJobThatWaitsForRoomCanBeCancelled) {
  for (const bool finishing : {false, true}) {
    SCOPED_TRACE(finishing);
    Make();
    const auto control = Join(HelloOf("w"));
    const auto job = finishing ? SubmitUnfinished(*control) : SubmitParked(*control, 10);
    dispatcher_->Stop("jobs/a", absl::CancelledError("enough"));
    ASSERT_TRUE(job->AwaitEnded());
    EXPECT_EQ(job->ended(), absl::CancelledError("enough"));
    EXPECT_TRUE(job->abandoned());
    EXPECT_FALSE(job->finished());
    EXPECT_FALSE(job->HasNotice("has_room"));
    EXPECT_EQ(Result(ResultOf(lease_, 0, "w")).verdict(), v1::TileVerdict::VERDICT_DUPLICATE);
  }
}

TEST_F(DispatcherRoomTest, ShutdownDoesNotWaitForRoom) {
  for (const bool finishing : {false, true}) {
    SCOPED_TRACE(finishing);
    Make();
    const auto control = Join(HelloOf("w"));
    const auto job = finishing ? SubmitUnfinished(*control) : SubmitParked(*control, 10);
    dispatcher_->Shutdown();
    EXPECT_EQ(job->ended().code(), absl::StatusCode::kUnavailable) << job->ended();
    EXPECT_TRUE(job->abandoned());
  }
}

}  // namespace
}  // namespace tilewright
