// Workers whose memory runs out, whose device is lost, hangs or gives nonsense: the job ends with
// the pixels of an undisturbed one, and its report says what was done. Real processes; the engines
// fail by order (tests/worker/faulty).

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/chaos/blur_fixture.h"
#include "tests/cluster/cluster.h"
#include "worker/exit_code.h"

namespace tilewright {
namespace {

using ::testing::HasSubstr;

// Less memory than any machine has: what it hands back, another worker may take.
constexpr char kLittleMemory[] = ",memory:1000000";

class LadderTest : public BlurTest {
 protected:
  void Add(const std::string& name, const std::string& engine_fault = "",
           const std::vector<std::string>& flags = {}) {
    WorkerSetup setup;
    setup.engine_fault = engine_fault;
    setup.flags = flags;
    const absl::Status added = cluster_->AddWorker(name, setup);
    ASSERT_TRUE(added.ok()) << added;
  }

  static uint64_t Attempts(const v1::Job& job, v1::LadderStep step) {
    for (const v1::LadderCount& count : job.ladder()) {
      if (count.step() == step) return count.attempts();
    }
    return 0;
  }

  // A job begun on the only worker, whose process then ends with `code`; another finishes it.
  void ExpectDeath(const std::string& fault, WorkerExit code,
                   const std::vector<std::string>& environment = {}) {
    WorkerSetup setup;
    setup.engine_fault = fault;
    setup.environment = environment;
    ASSERT_TRUE(cluster_->AddWorker("doomed", setup).ok());
    const std::string name = Submit(/*strict=*/false);
    const absl::StatusOr<int> ended = cluster_->worker("doomed").Wait(kPatience);
    ASSERT_TRUE(ended.ok()) << fault << ": " << ended.status();
    EXPECT_EQ(*ended, static_cast<int>(code)) << fault;
    Add("helper");
    const v1::Job job = Finish(name);
    EXPECT_EQ(job.pixel_hash(), reference_) << fault << "\n" << EventsOf(job);
    EXPECT_EQ(job.promise(), "strict") << fault;
    End("helper");
  }
};

TEST_F(LadderTest, CachesAreDroppedAndTheTileTriedAgain) {
  RenderReference();
  Add("a", "oom:4");
  const v1::Job job = Render(/*strict=*/true);
  EXPECT_EQ(job.pixel_hash(), reference_);
  EXPECT_EQ(Attempts(job, v1::LADDER_STEP_DROPPED_CACHES), 1u) << EventsOf(job);
  EXPECT_EQ(job.ladder_size(), 1);
  EXPECT_TRUE(FindEvent(job, "ladder_step", "a").has_value()) << EventsOf(job);
  EXPECT_EQ(job.attempts(), job.plan().tiles());
}

TEST_F(LadderTest, SubTilesGiveAStrictJobItsBits) {
  RenderReference();
  // Whole tiles of 64 never fit, sub-tiles of 38 do; the canary is computed in them, too.
  Add("small", "oom-pixels:3000");
  const v1::Job job = Render(/*strict=*/true);
  EXPECT_EQ(job.pixel_hash(), reference_);
  EXPECT_EQ(Attempts(job, v1::LADDER_STEP_SUB_TILES), job.plan().tiles()) << EventsOf(job);
  EXPECT_EQ(Attempts(job, v1::LADDER_STEP_HANDED_BACK), 0u);
}

TEST_F(LadderTest, APresumedPromiseIsGivenUpWhereOnlySubTilesFit) {
  RenderReference();
  Add("small", "oom-pixels:3000");
  const v1::Job job = Render(/*strict=*/false);
  EXPECT_EQ(job.promise(), "tolerant") << EventsOf(job);
  EXPECT_TRUE(FindEvent(job, "turned_tolerant", "small").has_value()) << EventsOf(job);
  EXPECT_EQ(job.pixel_hash(), reference_) << "sub-tiles of a blur have its bits";
  EXPECT_EQ(Attempts(job, v1::LADDER_STEP_SUB_TILES), job.plan().tiles()) << EventsOf(job);
}

TEST_F(LadderTest, ProvenSubTilesAndWholeTilesShareAStrictJob) {
  RenderReference();
  Add("small", "oom-pixels:3000,slow:5");
  Add("whole", "slow:20");
  const v1::Job job = Render(/*strict=*/true);
  EXPECT_EQ(job.pixel_hash(), reference_);
  EXPECT_EQ(job.numeric_classes_size(), 1);
  EXPECT_GT(Attempts(job, v1::LADDER_STEP_SUB_TILES), 0u) << EventsOf(job);
}

TEST_F(LadderTest, SubTilesOfOtherBitsNeverEnterAStrictJob) {
  RenderReference();
  // The control: its sub-tiles differ in one sample, so its canary does.
  Add("other", absl::StrCat("oom-pixels:3000,other-bits:3000", kLittleMemory));
  Add("whole", "slow:30");
  const v1::Job job = Render(/*strict=*/true);
  EXPECT_TRUE(job.pixel_hash() == reference_ ||
              (job.workers_size() == 1 && job.workers(0).name() == "other"))
      << EventsOf(job);
  EXPECT_EQ(job.workers_size(), 1) << "two classes were mixed";
}

TEST_F(LadderTest, ATileThatFitsNoWayIsHandedBackAndDoneElsewhere) {
  RenderReference();
  Add("tiny", absl::StrCat("oom:1+", kLittleMemory));
  Add("big", "slow:200");
  const v1::Job job = Render(/*strict=*/false);
  EXPECT_EQ(job.pixel_hash(), reference_) << EventsOf(job);
  EXPECT_GT(Attempts(job, v1::LADDER_STEP_HANDED_BACK), 0u) << EventsOf(job);
  EXPECT_TRUE(FindEvent(job, "memory_floor_raised", "tiny").has_value()) << EventsOf(job);
  ASSERT_EQ(job.workers_size(), 1);
  EXPECT_EQ(job.workers(0).name(), "big");
}

TEST_F(LadderTest, MemoryThatFailsAtEveryKthAllocationChangesNoPixel) {
  RenderReference();
  Add("whole", "slow:20");
  uint64_t steps = 0;
  for (int k = 1; k <= 8; ++k) {
    const std::string name = absl::StrCat("every-", k);
    Add(name, absl::StrCat("oom-every:", k, kLittleMemory));
    for (const bool strict : {true, false}) {
      const v1::Job job = Render(strict);
      EXPECT_EQ(job.pixel_hash(), reference_) << k << " " << strict << "\n" << EventsOf(job);
      for (const v1::LadderCount& count : job.ladder()) steps += count.attempts();
    }
    EXPECT_TRUE(cluster_->worker(name).Running()) << name << " went down";
    End(name);
  }
  EXPECT_GT(steps, 0u) << "no allocation failed, so nothing was tested";
}

TEST_F(LadderTest, WhatNoTileCanBeHandedBackForEndsTheProcessWithItsCode) {
  RenderReference();
  ExpectDeath("lost:2", WorkerExit::kDeviceLost);
  ExpectDeath("timeout:2", WorkerExit::kLaunchTimeout);
  ExpectDeath("no-memory:2", WorkerExit::kOutOfMemory);
  ExpectDeath("hang:2", WorkerExit::kHang, {"TILEWRIGHT_TEST_WATCHDOG_MS=1500"});
  ExpectDeath("hang-load:1", WorkerExit::kHang, {"TILEWRIGHT_TEST_WATCHDOG_MS=1500"});
}

TEST_F(LadderTest, AStartOnALowerRungBeginsWithSubTiles) {
  RenderReference();
  Add("again", "slow:1", {"--first-rung", "3"});
  const v1::Job job = Render(/*strict=*/true);
  EXPECT_EQ(job.pixel_hash(), reference_);
  EXPECT_EQ(Attempts(job, v1::LADDER_STEP_SUB_TILES), job.plan().tiles()) << EventsOf(job);
  EXPECT_EQ(Attempts(job, v1::LADDER_STEP_DROPPED_CACHES), 0u);
}

TEST_F(LadderTest, NonsenseIsComputedAgain) {
  RenderReference();
  for (const std::string fault : {"nan:3", "shape:3"}) {
    Add("bad", fault);
    const v1::Job job = Render(/*strict=*/false);
    EXPECT_EQ(job.pixel_hash(), reference_) << fault;
    EXPECT_TRUE(FindEvent(job, "tile_failed", "bad").has_value()) << fault << EventsOf(job);
    End("bad");
  }
}

TEST_F(LadderTest, AConstantIsBelievedOnlyIfItComesOutTwice) {
  RenderReference();
  Add("once", "constant:3");
  const v1::Job job = Render(/*strict=*/false);
  EXPECT_EQ(job.pixel_hash(), reference_) << EventsOf(job);
  EXPECT_EQ(job.constant_results(), 0u);
  EXPECT_TRUE(FindEvent(job, "result_doubted", "once").has_value()) << EventsOf(job);
  EXPECT_TRUE(FindEvent(job, "result_refused", "once").has_value()) << EventsOf(job);
  End("once");
  Add("always", "constant:1+");
  const v1::Job gray = Render(/*strict=*/false);
  EXPECT_EQ(gray.constant_results(), gray.plan().tiles()) << EventsOf(gray);
  EXPECT_NE(gray.pixel_hash(), reference_) << "the control: its network does give constants";
}

TEST_F(LadderTest, AStaleBufferIsNoticedAndTheTileRunAgain) {
  RenderReference();
  Add("stale", "stale:3");
  const v1::Job job = Render(/*strict=*/false);
  EXPECT_EQ(job.pixel_hash(), reference_) << EventsOf(job);
  EXPECT_FALSE(FindEvent(job, "tile_failed").has_value()) << "once more was enough";
  Add("helper", "slow:50");
  End("stale");
  // Its buffer is never written again.
  Add("stuck", "stale:2+");
  const v1::Job helped = Render(/*strict=*/false);
  EXPECT_EQ(helped.pixel_hash(), reference_) << EventsOf(helped);
  EXPECT_TRUE(FindEvent(helped, "tile_failed", "stuck").has_value()) << EventsOf(helped);
}

TEST_F(LadderTest, AWorkerThatCrashesAtEveryLeaseIsChargedThreeTimesAndThenLeftAlone) {
  RenderReference();
  Add("slow", "slow:4000");  // so that the job lasts
  const std::string name = Submit(/*strict=*/false);
  // Whoever supervises it starts it again and again.
  int starts = 0;
  for (; starts < 6; ++starts) {
    Add("bad", "crash:1");
    if (HasFatalFailure()) return;
    const absl::StatusOr<v1::Job> settled = cluster_->Await(
        name,
        [&](const v1::Job& now) {
          return now.tiles_done() == now.plan().tiles() || !cluster_->worker("bad").Running() ||
                 FindEvent(now, "worker_blocklisted", "bad").has_value();
        },
        kPatience);
    ASSERT_TRUE(settled.ok()) << settled.status();
    if (cluster_->worker("bad").Running()) break;
  }
  Add("good");
  const v1::Job job = Finish(name);
  EXPECT_EQ(job.pixel_hash(), reference_) << EventsOf(job);
  int crashes = 0;
  for (const v1::Event& event : job.events()) crashes += event.kind() == "worker_crashed";
  EXPECT_EQ(crashes, 3) << EventsOf(job);
  EXPECT_EQ(starts, 3) << "the fourth process was given nothing and lives";
  EXPECT_TRUE(FindEvent(job, "worker_blocklisted", "bad").has_value()) << EventsOf(job);
  EXPECT_TRUE(cluster_->worker("bad").Running());
}

}  // namespace
}  // namespace tilewright
