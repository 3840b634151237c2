#include "coordinator/schedule/quota.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "coordinator/schedule/sentences.h"

namespace tilewright::schedule {
namespace {

// Sums of outputs stay below what 64 bits hold.
constexpr int64_t kJobBytesMax = std::numeric_limits<int64_t>::max() / 4096;
constexpr absl::Duration kRetryUnknown = absl::Seconds(10);
constexpr absl::Duration kRetryMin = absl::Seconds(1);
constexpr absl::Duration kRetryMax = absl::Minutes(10);

}  // namespace

absl::Status CheckPriority(const std::string& tenant, int priority, const TenantQuota& quota) {
  if (priority < kPriorityMin || priority > kPriorityMax) {
    return absl::InvalidArgumentError(absl::StrCat("A priority lies between ", kPriorityMin,
                                                   " and ", kPriorityMax, ", not at ", priority,
                                                   "."));
  }
  if (priority > quota.priority_max) {
    return absl::ResourceExhaustedError(absl::StrCat("Tenant ", tenant,
                                                     " may use priorities up to ",
                                                     quota.priority_max, ", not ", priority, "."));
  }
  return absl::OkStatus();
}

absl::Status CheckQuota(const JobSpec& job, const TenantQuota& quota, const QuotaUse& use) {
  if (job.tile_count < 0 || job.output_bytes < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(job.tile_count, " tiles of ", job.output_bytes, " bytes are not a job."));
  }
  if (job.output_bytes > 0 && job.tile_count > kJobBytesMax / job.output_bytes) {
    return absl::InvalidArgumentError(absl::StrCat(job.tile_count, " tiles of ", job.output_bytes,
                                                   " bytes are more than ", BytesText(kJobBytesMax),
                                                   "."));
  }
  if (job.max_duration.has_value() && *job.max_duration <= absl::ZeroDuration()) {
    return absl::InvalidArgumentError(
        absl::StrCat("A job cannot end within ", SecondsText(*job.max_duration), "."));
  }
  if (absl::Status status = CheckPriority(job.tenant, job.priority, quota); !status.ok())
    return status;
  if (use.open_jobs >= quota.open_jobs_max) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "Tenant ", job.tenant, " may have ", quota.open_jobs_max,
        quota.open_jobs_max == 1 ? " open job" : " open jobs", " and has ", use.open_jobs, "."));
  }
  const int64_t bytes = job.tile_count * job.output_bytes;
  if (bytes > quota.open_bytes_max - std::min(use.open_bytes, quota.open_bytes_max)) {
    return absl::ResourceExhaustedError(
        absl::StrCat("Tenant ", job.tenant, " may have ", BytesText(quota.open_bytes_max),
                     " of output to be computed and has ", BytesText(use.open_bytes),
                     "; this job adds ", BytesText(bytes), "."));
  }
  return absl::OkStatus();
}

absl::Status CheckQuota(const JobSubmitted& job, const TenantQuota& quota, const QuotaUse& use) {
  absl::Status status = CheckQuota(job.job, quota, use);
  QuotaUse with = use;
  with.open_bytes += job.job.tile_count * job.job.output_bytes;
  for (const JobSpec& stage : job.later_stages) {
    if (!status.ok()) return status;
    status = CheckQuota(stage, quota, with);
    with.open_bytes += stage.tile_count * stage.output_bytes;
  }
  return status;
}

bool FitsEmptyQuota(const JobSubmitted& job, const TenantQuota& quota) {
  return CheckQuota(job, quota, {}).ok();
}

absl::Duration RetryAfter(std::optional<absl::Duration> remaining) {
  if (!remaining.has_value()) return kRetryUnknown;
  return std::clamp(*remaining, kRetryMin, kRetryMax);
}

}  // namespace tilewright::schedule
