// A coordinator that is killed at any moment: its successor goes on from the checkpoint that lies
// beside the output, and the pixels are those of an undisturbed job. Real processes.

#include <signal.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <random>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/wire/status_details.h"
#include "tests/chaos/continue_fixture.h"
#include "tests/cluster/cluster.h"
#include "tests/cluster/picture.h"

namespace tilewright {
namespace {

using ::testing::HasSubstr;

// Of TILEWRIGHT_SEED, or another one each time; printed.
uint64_t Seed() {
  uint64_t seed = std::random_device()();
  const char* given = std::getenv("TILEWRIGHT_SEED");
  if (given != nullptr && !absl::SimpleAtoi(given, &seed)) ADD_FAILURE() << "no seed: " << given;
  std::cout << "TILEWRIGHT_SEED=" << seed << "\n";
  return seed;
}

class StoppedTest : public ContinueTest {
 protected:
  StoppedTest() { interval_ = "3600"; }
};

TEST_F(ContinueTest, KilledAtAnyMomentGivesThePixelsOfAnUndisturbedJob) {
  const v1::Job undisturbed = Finish(Request("reference.tif"));
  const uint64_t tiles = undisturbed.plan().tiles();
  ASSERT_GT(tiles, 400u);
  EXPECT_EQ(undisturbed.continued_tiles(), 0u);
  std::mt19937_64 random(Seed());
  uint64_t done_at_kills = 0, redone = 0, taken_over = 0;
  int kills = 0;
  for (int jobs = 0; kills < TILEWRIGHT_KILLS; ++jobs) {
    JobRequest request = Request(absl::StrCat("killed-", jobs, ".tif"));
    request.overviews = random() % 2 == 0;
    uint64_t promised = 0;     // by the latest checkpoint that was seen
    uint64_t done_before = 0;  // when the coordinator was killed
    // The output may be published before the coordinator is killed.
    while (!std::filesystem::exists(request.output)) {
      SCOPED_TRACE(absl::StrCat("after ", kills, " kills"));
      const std::string name = Submit(request);
      const uint64_t goal = done_before + random() % (tiles - done_before + tiles / 10);
      if (request.continue_partial && random() % 4 == 0 && kills < TILEWRIGHT_KILLS) {
        Kill();  // what is read back is not worse for it
        ++kills;
        continue;
      }
      const v1::Job job = AwaitTiles(name, goal, request.continue_partial);
      if (request.continue_partial) {
        EXPECT_TRUE(FindEvent(job, "continued").has_value()) << EventsOf(job);
        EXPECT_GE(job.continued_tiles(), promised) << EventsOf(job);
        redone += done_before - std::min(done_before, job.continued_tiles());
        taken_over += job.continued_tiles();
      }
      if (kills == TILEWRIGHT_KILLS || goal > tiles) {
        const absl::StatusOr<v1::Job> ended = cluster_->AwaitSuccess(name, kPatience);
        ASSERT_TRUE(ended.ok()) << ended.status();
        EXPECT_EQ(ended->pixel_hash(), undisturbed.pixel_hash()) << EventsOf(*ended);
        EXPECT_EQ(ended->tiles_done(), tiles);
        ExpectLeasedOnce(*ended);
        for (const char* left : {".partial", ".partial.scratch", ".partial.checkpoint"}) {
          EXPECT_FALSE(std::filesystem::exists(request.output + left)) << left;
        }
        break;
      }
      if (job.state() == v1::Job::STATE_SUCCEEDED) break;
      promised = job.checkpoint_tiles();
      done_before = job.tiles_done();
      done_at_kills += done_before;
      Kill();
      ++kills;
      request.continue_partial = true;
    }
  }
  std::cout << TILEWRIGHT_KILLS << " kills: " << done_at_kills << " tiles were done, " << taken_over
            << " taken over, " << redone << " computed again\n";
  EXPECT_LT(redone, done_at_kills) << "checkpoints are of use";
}

TEST_F(ContinueTest, WhatIsNoUseIsSaidAndTheJobBeginsFromTheStart) {
  JobRequest request = Request("a.tif");
  const v1::Job undisturbed = Finish(Request("reference.tif"));
  const std::string record = request.output + ".partial.checkpoint";
  const auto kill_half_way = [&] {
    JobRequest fresh = request;
    fresh.continue_partial = false;
    const std::string name = Submit(fresh);
    const auto safe = cluster_->Await(
        name, [](const v1::Job& job) { return job.checkpoint_tiles() > 350; }, kPatience);
    ASSERT_TRUE(safe.ok()) << safe.status();
    Kill();
    ASSERT_TRUE(std::filesystem::exists(record));
    // Without --continue it is refused as ever, in words that name the way out.
    const absl::StatusOr<std::string> again = cluster_->Submit(fresh);
    EXPECT_EQ(again.status().code(), absl::StatusCode::kAlreadyExists);
    EXPECT_THAT(std::string(again.status().message()), HasSubstr("--continue"));
  };
  const auto begins_anew = [&](const std::string& why) {
    const v1::Job job = Finish(request);
    EXPECT_EQ(job.continued_tiles(), 0u);
    const v1::Event told = FindEvent(job, "continued").value_or(v1::Event());
    EXPECT_THAT(told.text(), HasSubstr("Begins from the start")) << EventsOf(job);
    EXPECT_THAT(told.text(), HasSubstr(why));
    return job.pixel_hash();
  };
  request.continue_partial = true;
  {
    SCOPED_TRACE("torn");
    kill_half_way();
    std::filesystem::resize_file(record, std::filesystem::file_size(record) / 2);
    EXPECT_EQ(begins_anew("torn"), undisturbed.pixel_hash());
    std::filesystem::remove(request.output);
  }
  {
    SCOPED_TRACE("of another request");
    kill_half_way();
    request.halo = 12;
    const absl::Status refused = cluster_->Submit(request).status();
    EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(ReasonOf(refused), "UNFINISHED_WORK_OF_ANOTHER");
    EXPECT_THAT(std::string(refused.message()), HasSubstr("its plan is"));
    // That work was not lost by it.
    request.halo.reset();
    const v1::Job job = Finish(request);
    EXPECT_GT(job.continued_tiles(), 350u);
    EXPECT_EQ(job.pixel_hash(), undisturbed.pixel_hash());
    std::filesystem::remove(request.output);
  }
  {
    SCOPED_TRACE("pixels were lost");
    kill_half_way();
    const std::string partial = request.output + ".partial";
    ASSERT_GT(std::filesystem::file_size(partial), 1000u);
    std::fstream(partial, std::ios::in | std::ios::out | std::ios::binary).seekp(500) << "damage";
    EXPECT_EQ(begins_anew("does not hold"), undisturbed.pixel_hash());
    std::filesystem::remove(request.output);
  }
  {
    SCOPED_TRACE("nothing there");
    EXPECT_EQ(begins_anew("no unfinished output"), undisturbed.pixel_hash());
  }
}

TEST_F(StoppedTest, ACoordinatorThatIsToldToStopLeavesWhatWasMerged) {
  const v1::Job undisturbed = Finish(Request("reference.tif"));
  JobRequest request = Request("a.tif");
  const v1::Job before = AwaitTiles(Submit(request), 200);
  EXPECT_EQ(before.checkpoint_tiles(), 0u) << "none was due";
  Restart(SIGTERM);
  request.continue_partial = true;
  const v1::Job job = Finish(request);
  EXPECT_EQ(job.pixel_hash(), undisturbed.pixel_hash()) << EventsOf(job);
  // Tiles that waited to be merged are computed again.
  EXPECT_GT(job.continued_tiles(), 100u) << EventsOf(job);
  ExpectLeasedOnce(job);
}

TEST_F(ContinueTest, OfSeveralStagesTheLastGoesOnAndTheOthersDoWhatItNeeds) {
  JobRequest request = Request("reference.tif");
  request.then = "gaussian-blur";
  request.tile = 128;
  const v1::Job undisturbed = Finish(request);
  EXPECT_EQ(undisturbed.plan().skipped_tiles(), 0u);
  request.output = cluster_->Path("a.tif");
  const absl::StatusOr<v1::Job> safe = cluster_->Await(
      Submit(request), [](const v1::Job& job) { return job.checkpoint_tiles() > 60; }, kPatience);
  ASSERT_TRUE(safe.ok()) << safe.status();
  ASSERT_FALSE(safe->state() == v1::Job::STATE_SUCCEEDED) << "it was not slow enough";
  Kill();
  request.continue_partial = true;
  const v1::Job job = Finish(request);
  EXPECT_EQ(job.pixel_hash(), undisturbed.pixel_hash()) << EventsOf(job);
  EXPECT_GE(job.continued_tiles(), safe->checkpoint_tiles());
  ASSERT_EQ(job.plan().stages_size(), 2);
  EXPECT_LT(job.continued_tiles(), job.plan().stages(1).tiles());
  // Nothing of the last stage is done twice, and what only finished tiles read is not made again.
  EXPECT_GT(job.plan().skipped_tiles(), 10u);
  EXPECT_LT(job.plan().skipped_tiles(), job.plan().stages(0).tiles());
  ExpectLeasedOnce(job);
  EXPECT_EQ(job.tiles_done(), job.plan().tiles());
}

TEST_F(ContinueTest, TheCommandLineGoesOnAndSaysSo) {
  const v1::Job undisturbed = Finish(Request("reference.tif"));
  const JobRequest request = Request("a.tif");
  const auto safe = cluster_->Await(
      Submit(request), [](const v1::Job& job) { return job.checkpoint_tiles() > 50; }, kPatience);
  ASSERT_TRUE(safe.ok()) << safe.status();
  Kill();
  const CliResult run = cluster_->Cli({"render", "-i", request.input, "-o", request.output, "-n",
                                       request.model, "-t", "64", "--continue", "--json"},
                                      kPatience);
  ASSERT_EQ(run.exit_code, 0) << run.err;
  ASSERT_TRUE(run.json.has_value()) << run.out;
  EXPECT_EQ(run.json->fields().at("pixel_hash").string_value(), undisturbed.pixel_hash());
  EXPECT_GE(run.json->fields().at("continued_tiles").number_value(),
            static_cast<double>(safe->checkpoint_tiles()));
}

}  // namespace
}  // namespace tilewright
