// What a tenant may still submit, on literal data.

#include "coordinator/schedule/quota.h"

#include <limits>

#include "gtest/gtest.h"

namespace tilewright::schedule {
namespace {

JobSpec Job(int64_t tiles, int64_t bytes, int priority = 0) {
  JobSpec job;
  job.name = "jobs/1";
  job.tenant = "lab";
  job.tile_count = tiles;
  job.output_bytes = bytes;
  job.priority = priority;
  return job;
}

TEST(Quota, AdmitsUpToItsLimitsAndNotBeyond) {
  const TenantQuota quota{
      .share = 1, .open_jobs_max = 2, .open_bytes_max = 1000, .priority_max = 3};
  EXPECT_TRUE(CheckQuota(Job(10, 100, 3), quota, {}).ok());
  EXPECT_EQ(CheckQuota(Job(10, 101), quota, {}),
            absl::ResourceExhaustedError("Tenant lab may have 1000 B of output to be computed and "
                                         "has 0 B; this job adds 1010 B."));
  EXPECT_TRUE(CheckQuota(Job(4, 100), quota, {.open_jobs = 1, .open_bytes = 600}).ok());
  EXPECT_EQ(CheckQuota(Job(4, 100), quota, {.open_jobs = 1, .open_bytes = 601}),
            absl::ResourceExhaustedError("Tenant lab may have 1000 B of output to be computed and "
                                         "has 601 B; this job adds 400 B."));
  EXPECT_EQ(CheckQuota(Job(1, 1), quota, {.open_jobs = 2, .open_bytes = 0}),
            absl::ResourceExhaustedError("Tenant lab may have 2 open jobs and has 2."));
  EXPECT_EQ(CheckQuota(Job(1, 1, 4), quota, {}),
            absl::ResourceExhaustedError("Tenant lab may use priorities up to 3, not 4."));
}

TEST(Quota, OfATenantWhoseLimitWasLoweredAdmitsNothing) {
  const TenantQuota quota{.share = 1, .open_jobs_max = 9, .open_bytes_max = 10, .priority_max = 5};
  EXPECT_TRUE(
      absl::IsResourceExhausted(CheckQuota(Job(1, 1), quota, {.open_jobs = 1, .open_bytes = 500})));
  EXPECT_TRUE(CheckQuota(Job(1, 0), quota, {.open_jobs = 1, .open_bytes = 10}).ok());
}

TEST(Quota, RefusesNumbersThatAreNone) {
  const TenantQuota quota;
  EXPECT_TRUE(CheckQuota(Job(0, 100), quota, {}).ok()) << "an empty job is one";
  EXPECT_TRUE(absl::IsInvalidArgument(CheckQuota(Job(-1, 100), quota, {})));
  EXPECT_TRUE(absl::IsInvalidArgument(CheckQuota(Job(1, -1), quota, {})));
  EXPECT_TRUE(absl::IsInvalidArgument(
      CheckQuota(Job(1 << 20, std::numeric_limits<int64_t>::max() / 1000), quota, {})));
  EXPECT_TRUE(CheckPriority("lab", kPriorityMin, quota).ok());
  EXPECT_TRUE(CheckPriority("lab", kPriorityMax, quota).ok());
  EXPECT_EQ(CheckPriority("lab", kPriorityMax + 1, quota),
            absl::InvalidArgumentError("A priority lies between -5 and 5, not at 6."));
  EXPECT_TRUE(absl::IsInvalidArgument(CheckPriority("lab", kPriorityMin - 1, quota)));
  JobSpec job = Job(1, 1);
  job.max_duration = absl::ZeroDuration();
  EXPECT_EQ(CheckQuota(job, quota, {}), absl::InvalidArgumentError("A job cannot end within 0 s."));
  job.max_duration = absl::Nanoseconds(1);
  EXPECT_TRUE(CheckQuota(job, quota, {}).ok());
}

TEST(Quota, SaysWhenToAskAgainWithinBounds) {
  EXPECT_EQ(RetryAfter(std::nullopt), absl::Seconds(10));
  EXPECT_EQ(RetryAfter(absl::Milliseconds(3)), absl::Seconds(1));
  EXPECT_EQ(RetryAfter(absl::Seconds(42)), absl::Seconds(42));
  EXPECT_EQ(RetryAfter(absl::Hours(5)), absl::Minutes(10));
  EXPECT_FALSE(FitsEmptyQuota({Job(10, 101)}, {.open_bytes_max = 1000}));
  EXPECT_TRUE(FitsEmptyQuota({Job(10, 100)}, {.open_bytes_max = 1000}));
}

}  // namespace
}  // namespace tilewright::schedule
