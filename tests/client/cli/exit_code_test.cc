#include "client/cli/exit_code.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/wire/status_details.h"

namespace tilewright {
namespace {

int Code(const absl::Status& status) { return static_cast<int>(ExitCodeOf(status)); }

int FailedWith(const absl::Status& error) {
  Job job;
  job.state = JobState::kFailed;
  job.error = error;
  return static_cast<int>(ExitCodeOf(job));
}

// Literal numbers: they are a contract with scripts.
TEST(ExitCode, OfErrors) {
  EXPECT_EQ(Code(absl::OkStatus()), 0);
  EXPECT_EQ(Code(absl::InternalError("")), 1);
  EXPECT_EQ(Code(absl::UnknownError("")), 1);
  EXPECT_EQ(Code(absl::InvalidArgumentError("")), 3);
  EXPECT_EQ(Code(absl::NotFoundError("")), 4);
  EXPECT_EQ(Code(WithReason(absl::AlreadyExistsError(""), "OUTPUT_EXISTS")), 5);
  EXPECT_EQ(Code(WithReason(absl::AlreadyExistsError(""), "REQUEST_ID_REUSED")), 3);
  EXPECT_EQ(Code(absl::UnavailableError("")), 6);
  EXPECT_EQ(Code(absl::DeadlineExceededError("")), 6);
  EXPECT_EQ(Code(absl::FailedPreconditionError("")), 7);
  EXPECT_EQ(Code(absl::CancelledError("")), 9);
  EXPECT_EQ(Code(absl::ResourceExhaustedError("")), 10);
  EXPECT_EQ(Code(absl::PermissionDeniedError("")), 11);
}

TEST(ExitCode, OfJobs) {
  Job job;
  job.state = JobState::kSucceeded;
  EXPECT_EQ(static_cast<int>(ExitCodeOf(job)), 0);
  job.state = JobState::kCancelled;
  EXPECT_EQ(static_cast<int>(ExitCodeOf(job)), 9);
  EXPECT_EQ(FailedWith(absl::InternalError("tile 3 is poison")), 8);
  EXPECT_EQ(FailedWith(absl::AbortedError("tile 3 is poison")), 8);
  EXPECT_EQ(FailedWith(absl::UnavailableError("the coordinator is shutting down")), 6);
  EXPECT_EQ(FailedWith(absl::OkStatus()), 8) << "a failure without a reason is a failure";
  EXPECT_EQ(FailedWith(absl::InvalidArgumentError("the file is truncated")), 3);
  EXPECT_EQ(FailedWith(absl::FailedPreconditionError("no worker")), 7);
  EXPECT_EQ(FailedWith(absl::ResourceExhaustedError("disk full")), 10);
}

TEST(ExitCode, OfWhatBreaksWhileItIsRendered) {
  EXPECT_EQ(FailedWith(WithReason(absl::FailedPreconditionError("tile 3"), "TILE_FAILED")), 8);
  EXPECT_EQ(FailedWith(WithReason(absl::FailedPreconditionError("no worker"), "NO_WORKER")), 7);
  EXPECT_EQ(FailedWith(WithReason(absl::DeadlineExceededError("too long"), "MAX_DURATION")), 8);
}

TEST(ExitCode, OfHolesIsGoodOnlyForWhoAskedForThem) {
  Job job;
  job.state = JobState::kSucceeded;
  job.hole_count = 1;
  for (const OnFailedTile asked : {OnFailedTile::kFail, OnFailedTile::kWait}) {
    job.on_failed_tile = asked;
    EXPECT_EQ(static_cast<int>(ExitCodeOf(job)), 12);
  }
  job.on_failed_tile = OnFailedTile::kHole;
  EXPECT_EQ(static_cast<int>(ExitCodeOf(job)), 0);
  job.on_failed_tile = OnFailedTile::kWait;
  job.state = JobState::kRunning;
  EXPECT_EQ(static_cast<int>(ExitCodeOf(job)), 0) << "it goes on";
  job.state = JobState::kCancelled;
  EXPECT_EQ(static_cast<int>(ExitCodeOf(job)), 9);
}

TEST(ExitCode, HelpNamesEveryCode) {
  const std::string help = ExitCodeHelp();
  for (const char* line :
       {"    0  done", "    2  the command line", "    5  the output exists",
        "    8  the job failed", "   12  finished with holes", "  130  left by a second Ctrl-C"}) {
    EXPECT_THAT(help, testing::HasSubstr(line));
  }
}

}  // namespace
}  // namespace tilewright
