// Workers that die, freeze, come late or lie in mid-job: the picture is the same to the bit, and
// the events say what happened. Real processes; `disagree` makes every tile different where tiles
// overlap.

#include <signal.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "grpcpp/client_context.h"
#include "gtest/gtest.h"
#include "proto/wire/status_details.h"
#include "tests/cluster/cluster.h"
#include "tests/cluster/picture.h"
#include "tests/cluster/with_cluster.h"

namespace tilewright {
namespace {

// Thousands of small tiles: a job that is certainly in its middle when a test looks at it.
constexpr int kWidth = 2400;
constexpr int kHeight = 1800;
constexpr int kTile = 64;

class FaultsTest : public WithCluster, public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(StartCluster());
    ASSERT_TRUE(
        WritePicture(NoisePicture(kWidth, kHeight, 3, 8, 11), cluster_->Path("in.tif")).ok());
  }

  void Add(const std::string& name) {
    const absl::Status added = cluster_->AddWorker(name);
    ASSERT_TRUE(added.ok()) << added;
  }

  std::string Submit() {
    JobRequest request;
    request.input = cluster_->Path("in.tif");
    request.output = cluster_->Path(absl::StrCat("out-", submitted_++, ".tif"));
    request.model = "disagree";
    request.tile = kTile;
    request.overlap = 16;
    const absl::StatusOr<std::string> job = cluster_->Submit(request);
    EXPECT_TRUE(job.ok()) << job.status();
    return job.ok() ? *job : "";
  }

  // Waits until a tenth of the tiles is done, and makes sure that the job still runs.
  void AwaitMiddle(const std::string& job) {
    const absl::StatusOr<v1::Job> middle = cluster_->Await(
        job, [](const v1::Job& now) { return now.tiles_done() * 10 >= now.plan().tiles(); });
    ASSERT_TRUE(middle.ok()) << middle.status();
    ASSERT_LT(middle->tiles_done(), middle->plan().tiles())
        << "the job was over before the fault; make it bigger";
  }

  // The pixels of a job that nothing disturbed, by one worker of that name, which stays.
  void RenderReference(const std::string& worker) {
    Add(worker);
    const absl::StatusOr<v1::Job> job = cluster_->AwaitSuccess(Submit());
    ASSERT_TRUE(job.ok()) << job.status();
    absl::StatusOr<Picture> picture = ReadPicture(cluster_->Path("out-0.tif"));
    ASSERT_TRUE(picture.ok()) << picture.status();
    reference_ = *std::move(picture);
    reference_hash_ = job->pixel_hash();
  }

  // The last job's output is the reference, bit for bit.
  void ExpectReference(const v1::Job& job) {
    const absl::StatusOr<Picture> picture =
        ReadPicture(cluster_->Path(absl::StrCat("out-", submitted_ - 1, ".tif")));
    ASSERT_TRUE(picture.ok()) << picture.status();
    EXPECT_EQ(Difference(*picture, reference_), "equal") << EventsOf(job);
    EXPECT_EQ(job.pixel_hash(), reference_hash_);
  }

  void Pause(const std::string& name) {
    grpc::ClientContext context;
    v1::PauseJobRequest request;
    v1::PauseJobResponse response;
    request.set_name(name);
    const absl::Status status = FromGrpc(cluster_->render().PauseJob(&context, request, &response));
    ASSERT_TRUE(status.ok()) << status;
  }
  void Resume(const std::string& name) {
    grpc::ClientContext context;
    v1::ResumeJobRequest request;
    v1::ResumeJobResponse response;
    request.set_name(name);
    const absl::Status status =
        FromGrpc(cluster_->render().ResumeJob(&context, request, &response));
    ASSERT_TRUE(status.ok()) << status;
  }

  static bool AllTilesDone(const v1::Job& job) { return job.tiles_done() == job.plan().tiles(); }

  Picture reference_;
  std::string reference_hash_;
  int submitted_ = 0;
};

TEST_F(FaultsTest, AKilledWorkersTilesRunAgainWithinASecond) {
  RenderReference("a");
  const std::string name = Submit();
  AwaitMiddle(name);
  if (HasFatalFailure()) return;
  // Frozen, it keeps what it runs, and the pause keeps b from doing that in its stead, so that
  // there is something to lose when it dies.
  cluster_->worker("a").Signal(SIGSTOP);
  Pause(name);
  Add("b");
  if (HasFatalFailure()) return;

  const absl::Time killed = absl::Now();
  cluster_->worker("a").Signal(SIGKILL);
  Resume(name);
  const absl::StatusOr<v1::Job> done_job = cluster_->Await(name, AllTilesDone);
  const absl::Duration recovery = absl::Now() - killed;
  ASSERT_TRUE(done_job.ok()) << done_job.status();
  EXPECT_LE(recovery, absl::Seconds(1)) << "from the kill to the last tile";
  const absl::StatusOr<v1::Job> job = cluster_->AwaitSuccess(name);
  ASSERT_TRUE(job.ok()) << job.status();
  ExpectReference(*job);
  EXPECT_TRUE(FindEvent(*job, "worker_gone", "a").has_value()) << EventsOf(*job);
  EXPECT_GT(job->attempts(), job->plan().tiles()) << "no tile ran twice, so nothing was lost";
  RecordProperty("recovery_ms", static_cast<int>(absl::ToInt64Milliseconds(recovery)));
}

TEST_F(FaultsTest, AWorkerKilledInFullRunChangesNothing) {
  RenderReference("a");
  Add("b");
  const std::string name = Submit();
  AwaitMiddle(name);
  if (HasFatalFailure()) return;
  cluster_->worker("a").Signal(SIGKILL);
  const absl::StatusOr<v1::Job> job = cluster_->AwaitSuccess(name);
  ASSERT_TRUE(job.ok()) << job.status();
  ExpectReference(*job);
  EXPECT_TRUE(FindEvent(*job, "worker_gone", "a").has_value()) << EventsOf(*job);
}

TEST_F(FaultsTest, AFrozenWorkersTilesRunAgainWithinTenSeconds) {
  RenderReference("a");
  const std::string name = Submit();
  AwaitMiddle(name);
  if (HasFatalFailure()) return;
  cluster_->worker("a").Signal(SIGSTOP);
  const absl::Time frozen = absl::Now();
  Add("b");
  const absl::StatusOr<v1::Job> done = cluster_->Await(name, AllTilesDone);
  const absl::Duration recovery = absl::Now() - frozen;
  ASSERT_TRUE(done.ok()) << done.status();
  EXPECT_LE(recovery, absl::Seconds(10)) << "from the freeze to the last tile";
  const absl::StatusOr<v1::Job> job = cluster_->AwaitSuccess(name);
  ASSERT_TRUE(job.ok()) << job.status();
  ExpectReference(*job);
  // Whatever came first: the end game that saw it late, the work clock of its lease, or its
  // liveness.
  EXPECT_TRUE(FindEvent(*job, "lease_taken_back", "a").has_value() ||
              FindEvent(*job, "lease_lapsed", "a").has_value() ||
              FindEvent(*job, "worker_gone", "a").has_value())
      << EventsOf(*job);
  // It comes back and is of use again.
  cluster_->worker("a").Signal(SIGCONT);
  ASSERT_TRUE(cluster_->AwaitWorker("a", true, absl::Seconds(20)).ok());
  cluster_->worker("b").Signal(SIGKILL);
  ASSERT_TRUE(cluster_->AwaitWorker("b", false, absl::Seconds(20)).ok());
  const absl::StatusOr<v1::Job> next = cluster_->AwaitSuccess(Submit());
  ASSERT_TRUE(next.ok()) << next.status();
  ExpectReference(*next);
}

TEST_F(FaultsTest, AWorkerFrozenPastLivenessGoesOnWithTheSameJob) {
  RenderReference("a");
  const std::string name = Submit();
  AwaitMiddle(name);
  if (HasFatalFailure()) return;
  cluster_->worker("a").Signal(SIGSTOP);
  const absl::Status gone = cluster_->AwaitWorker("a", false, absl::Seconds(15));
  ASSERT_TRUE(gone.ok()) << gone;
  cluster_->worker("a").Signal(SIGCONT);
  const absl::StatusOr<v1::Job> job = cluster_->AwaitSuccess(name);
  ASSERT_TRUE(job.ok()) << job.status();
  ExpectReference(*job);
}

TEST_F(FaultsTest, ALateJoinerTakesPart) {
  RenderReference("a");
  const std::string name = Submit();
  AwaitMiddle(name);
  if (HasFatalFailure()) return;
  // The first one rests meanwhile, so that the job lasts until the joiner is there.
  cluster_->worker("a").Signal(SIGSTOP);
  Add("late");
  cluster_->worker("a").Signal(SIGCONT);
  const absl::StatusOr<v1::Job> job = cluster_->AwaitSuccess(name);
  ASSERT_TRUE(job.ok()) << job.status();
  ExpectReference(*job);
  ASSERT_EQ(job->workers_size(), 2);
  EXPECT_GT(job->workers(0).tiles(), 0u);
  EXPECT_GT(job->workers(1).tiles(), 0u);
}

TEST_F(FaultsTest, AResultThatIsDamagedOnItsWayIsComputedAgain) {
  RenderReference("a");
  const absl::Status added = cluster_->AddWorker("damaging", "corrupt-checksum:3");
  ASSERT_TRUE(added.ok()) << added;
  const std::string name = Submit();
  const absl::StatusOr<v1::Job> job = cluster_->AwaitSuccess(name);
  ASSERT_TRUE(job.ok()) << job.status();
  ExpectReference(*job);
  const std::optional<v1::Event> event = FindEvent(*job, "tile_failed", "damaging");
  ASSERT_TRUE(event.has_value()) << EventsOf(*job);
  EXPECT_THAT(event->text(), testing::HasSubstr("checksum"));
  EXPECT_GT(job->attempts(), job->plan().tiles());
}

// The control: the reference does depend on what the workers compute.
TEST_F(FaultsTest, AnotherPictureHasOtherPixels) {
  RenderReference("a");
  Picture other = NoisePicture(kWidth, kHeight, 3, 8, 12);
  ASSERT_TRUE(WritePicture(other, cluster_->Path("in.tif")).ok());
  const absl::StatusOr<v1::Job> job = cluster_->AwaitSuccess(Submit());
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_NE(job->pixel_hash(), reference_hash_);
}

}  // namespace
}  // namespace tilewright
