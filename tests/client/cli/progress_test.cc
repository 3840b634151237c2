#include "client/cli/progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/cli/progress_reporter.h"

namespace tilewright {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// 90 of 200 tiles of a 10 Mpx output in 2 s: 2.25 Mpx/s, 2.4 s to go.
Job Running() {
  Job job;
  job.name = "jobs/a";
  job.state = JobState::kRunning;
  job.plan.tiles = 200;
  job.plan.output_width = 5000;
  job.plan.output_height = 2000;
  job.tiles_done = 90;
  job.compute = absl::Seconds(2);
  job.elapsed = absl::Seconds(9);
  job.workers = {{"a", 50}, {"b", 40}};
  return job;
}

TEST(Progress, IsARateAndAnEstimate) {
  const Progress progress = ProgressOf(Running());
  EXPECT_EQ(progress.percent, 45);
  EXPECT_NEAR(progress.megapixels_per_second, 2.25, 1e-9);
  ASSERT_TRUE(progress.eta.has_value());
  EXPECT_NEAR(absl::ToDoubleSeconds(*progress.eta), 2 * 110 / 90.0, 1e-6);
}

TEST(Progress, BelievesTheCoordinatorsEstimate) {
  Job job = Running();
  job.eta = absl::Seconds(31);
  EXPECT_EQ(ProgressOf(job).eta, absl::Seconds(31));
}

TEST(Progress, SaysNothingItDoesNotKnow) {
  Job job = Running();
  job.tiles_done = 0;
  EXPECT_EQ(ProgressOf(job).megapixels_per_second, 0);
  EXPECT_FALSE(ProgressOf(job).eta.has_value());
  job.plan.tiles = 0;
  EXPECT_EQ(ProgressOf(job).percent, 0);
  job = Running();
  job.tiles_done = 199;
  EXPECT_EQ(ProgressOf(job).percent, 99) << "100 only when all are done";
  job.compute = absl::ZeroDuration();
  EXPECT_GT(ProgressOf(job).megapixels_per_second, 0) << "from the elapsed time then";
  job.state = JobState::kMerging;
  EXPECT_FALSE(ProgressOf(job).eta.has_value());
}

TEST(ProgressBar, FillsTheLine) {
  EXPECT_EQ(ProgressBar(Running(), 74),
            "[=========>           ]  45%  90/200 tiles  2.2 Mpx/s  ETA 0:02  2 workers");
  EXPECT_EQ(ProgressBar(Running(), 74).size(), 74u);
  EXPECT_EQ(ProgressBar(Running(), 500).size(), 93u) << "a bar has at most 40 characters";
}

TEST(ProgressBar, NeverExceedsTheTerminal) {
  for (int columns = 0; columns <= 200; ++columns) {
    EXPECT_LE(ProgressBar(Running(), columns).size(), static_cast<size_t>(columns));
  }
  EXPECT_EQ(ProgressBar(Running(), 39), " 45%  90/200 tiles  2.2 Mpx/s  ETA 0:02");
}

TEST(ProgressBar, ShowsTheStateWhenNothingIsComputed) {
  Job job;
  job.state = JobState::kQueued;
  job.plan.tiles = 4;
  EXPECT_EQ(ProgressBar(job, 40), "[>             ]   0%  0/4 tiles  queued");
  job.state = JobState::kMerging;
  job.tiles_done = 4;
  EXPECT_EQ(ProgressBar(job, 41), "[==============] 100%  4/4 tiles  merging");
}

TEST(ProgressLine, IsForLogs) {
  EXPECT_EQ(ProgressLine(Running()), "running  45%  90/200 tiles  2.2 Mpx/s  ETA 0:02  2 workers");
}

TEST(ProgressLine, ShowsWhatStopsAJobAndWhatToType) {
  Job job = Running();
  job.paused = true;
  EXPECT_EQ(ProgressLine(job),
            "running, paused  45%  90/200 tiles  2.2 Mpx/s  ETA 0:02  2 workers");
  EXPECT_THAT(ProgressBar(job, 100), testing::EndsWith("  2 workers  running, paused"));
  EXPECT_EQ(DecisionText(job), "");
  job.paused = false;
  job.waits_for_decision = true;
  job.failed_tiles = {7};
  job.failed_tile_count = 1;
  EXPECT_THAT(ProgressLine(job), testing::StartsWith("running, waits for a decision  45%"));
  EXPECT_EQ(DecisionText(job),
            "tile 7 failed on worker after worker; the others go on. What now?\n"
            "  tilewright jobs retry jobs/a         tries again\n"
            "  tilewright jobs accept-holes jobs/a  leaves them out of the picture\n"
            "  tilewright jobs cancel jobs/a        ends the job\n");
}

TEST(TilesText, NamesTen) {
  EXPECT_EQ(TilesText({1, 2}, 2), "1, 2");
  EXPECT_EQ(TilesText({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, 2000),
            "1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 1990 more");
}

TEST(LinePace, SpeaksAtChangesTenthsAndAfterSilence) {
  LinePace pace;
  Job job = Running();
  Instant now = Instant::FromStart(absl::Seconds(100));
  EXPECT_TRUE(pace.Due(job, now)) << "the first";
  EXPECT_FALSE(pace.Due(job, now)) << "nothing new";
  job.tiles_done = 99;
  EXPECT_FALSE(pace.Due(job, now)) << "49 %";
  job.tiles_done = 100;
  EXPECT_TRUE(pace.Due(job, now)) << "50 %";
  EXPECT_FALSE(pace.Due(job, now + absl::Seconds(10) - absl::Nanoseconds(1)));
  EXPECT_TRUE(pace.Due(job, now + absl::Seconds(10)));
  job.state = JobState::kMerging;
  EXPECT_TRUE(pace.Due(job, now + absl::Seconds(11)));
  job.waits_for_decision = true;
  EXPECT_TRUE(pace.Due(job, now + absl::Seconds(11))) << "it waits for its user";
  EXPECT_FALSE(pace.Due(job, now + absl::Seconds(11)));
}

TEST(EventsAfter, AreTheNewOnes) {
  const Event a{"a", 1, "w", "", absl::Seconds(1)};
  const Event b{"b", std::nullopt, "", "", absl::Seconds(2)};
  const Event c{"a", 1, "w", "", absl::Seconds(3)};
  EXPECT_THAT(EventsAfter({a, b, c}, std::nullopt), ElementsAre(a, b, c));
  EXPECT_THAT(EventsAfter({a, b, c}, a), ElementsAre(b, c));
  EXPECT_THAT(EventsAfter({a, b, c}, c), IsEmpty());
  EXPECT_THAT(EventsAfter({b, c}, a), ElementsAre(b, c)) << "the coordinator dropped what we saw";
}

TEST(Texts, OfTimesAndBytes) {
  EXPECT_EQ(ClockText(absl::ZeroDuration()), "0:00");
  EXPECT_EQ(ClockText(absl::Milliseconds(6500)), "0:07");
  EXPECT_EQ(ClockText(absl::Seconds(754)), "12:34");
  EXPECT_EQ(ClockText(absl::Seconds(3723)), "1:02:03");
  EXPECT_EQ(BytesText(0), "0 B");
  EXPECT_EQ(BytesText(999), "999 B");
  EXPECT_EQ(BytesText(1500), "1.5 kB");
  EXPECT_EQ(BytesText(999'960), "1.0 MB");
  EXPECT_EQ(BytesText(398'131'200), "398.1 MB");
  EXPECT_EQ(BytesText(18'000'000'000'000'000'000u), "18.0 EB");
}

}  // namespace
}  // namespace tilewright
