#include "client/cli/sequence_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace tilewright {
namespace {

using ::testing::HasSubstr;

FrameResult Rendered(uint64_t number) {
  FrameResult result;
  result.number = number;
  result.input = absl::StrCat("/in_", number, ".png");
  result.output = absl::StrCat("/out_", number, ".tif");
  result.job.emplace();
  result.job->name = absl::StrCat("jobs/", number);
  result.job->state = JobState::kSucceeded;
  result.job->pixel_hash = "00000000000000ff";
  return result;
}

FrameResult Failed(uint64_t number, const absl::Status& status) {
  FrameResult result = Rendered(number);
  result.job.reset();
  result.status = status;
  return result;
}

FrameResult Skipped(uint64_t number) {
  FrameResult result = Rendered(number);
  result.job.reset();
  result.skipped = true;
  return result;
}

TEST(SequenceProgress, CountsFramesAndFailures) {
  SequenceProgress progress(4);
  progress.Add(Rendered(7));
  EXPECT_EQ(progress.Line(Rendered(7)), "frame 7 rendered  (1 of 4)");
  const FrameResult failed = Failed(9, absl::NotFoundError("no such file"));
  progress.Add(failed);
  EXPECT_EQ(progress.Line(failed), "frame 9 failed: no such file  (2 of 4, 1 failed)");
  progress.Add(Skipped(8));
  EXPECT_EQ(progress.Line(Skipped(8)), "frame 8 skipped  (3 of 4, 1 failed)");
}

TEST(SequenceReport, NamesWhatFailedAndNoMoreThanTwenty) {
  std::vector<FrameResult> results = {Rendered(1), Skipped(2),
                                      Failed(3, absl::CancelledError("not begun"))};
  EXPECT_EQ(SequenceReport(results), "frames         3: 1 rendered, 1 skipped, 1 cancelled\n");
  for (uint64_t i = 10; i < 32; ++i) results.push_back(Failed(i, absl::DataLossError("torn")));
  const std::string report = SequenceReport(results);
  EXPECT_THAT(report, HasSubstr("25: 1 rendered, 1 skipped, 22 failed, 1 cancelled\n"));
  EXPECT_THAT(report, HasSubstr("failed         29: torn\n"));
  EXPECT_THAT(report, ::testing::Not(HasSubstr("30: torn")));
  EXPECT_THAT(report, HasSubstr("and 2 more\n"));
}

TEST(SequenceDocument, HoldsEveryFrame) {
  EXPECT_EQ(SequenceDocument({Rendered(1), Failed(2, absl::DataLossError("torn"))}),
            R"({"frames":[{"type":"frame","frame":1,"state":"rendered","input":"/in_1.png",)"
            R"("output":"/out_1.tif","job":"jobs/1","pixel_hash":"00000000000000ff","error":null},)"
            R"({"type":"frame","frame":2,"state":"failed","input":"/in_2.png",)"
            R"("output":"/out_2.tif","job":"","pixel_hash":"",)"
            R"("error":{"code":"DATA_LOSS","reason":"","message":"torn"}}]})");
}

TEST(SequenceExitCode, IsThatOfTheFirstFailure) {
  EXPECT_EQ(SequenceExitCode({Rendered(1), Skipped(2)}), ExitCode::kOk);
  EXPECT_EQ(SequenceExitCode({Rendered(1), Failed(2, absl::CancelledError(""))}),
            ExitCode::kCancelled);
  EXPECT_EQ(SequenceExitCode({Failed(1, absl::CancelledError("")),
                              Failed(2, absl::NotFoundError("")), Rendered(3)}),
            ExitCode::kNotFound);
  FrameResult holed = Rendered(4);
  holed.job->hole_count = 1;
  EXPECT_EQ(SequenceExitCode({holed}), ExitCode::kHoles);
  FrameResult poisoned = Rendered(5);
  poisoned.job->state = JobState::kFailed;
  poisoned.job->error = poisoned.status = absl::InternalError("tile 3 failed on three workers");
  EXPECT_EQ(SequenceExitCode({poisoned}), ExitCode::kJobFailed);
  // The job went well, its download did not.
  FrameResult lost = Rendered(6);
  lost.status = absl::UnavailableError("gone");
  EXPECT_EQ(SequenceExitCode({lost}), ExitCode::kUnavailable);
}

}  // namespace
}  // namespace tilewright
