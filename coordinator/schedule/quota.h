// Policy: what a tenant may still submit. Stateless functions; thread-safe; pure.

#ifndef TILEWRIGHT_COORDINATOR_SCHEDULE_QUOTA_H_
#define TILEWRIGHT_COORDINATOR_SCHEDULE_QUOTA_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "coordinator/schedule/events.h"
#include "coordinator/schedule/types.h"

namespace tilewright::schedule {

// What the tenant has at present.
struct QuotaUse {
  int open_jobs = 0;
  int64_t open_bytes = 0;
};

// INVALID_ARGUMENT for numbers that are none; RESOURCE_EXHAUSTED names tenant, limit and use.
absl::Status CheckQuota(const JobSpec& job, const TenantQuota& quota, const QuotaUse& use);
// All stages together; they are one open job.
absl::Status CheckQuota(const JobSubmitted& job, const TenantQuota& quota, const QuotaUse& use);

// The same of a priority alone.
absl::Status CheckPriority(const std::string& tenant, int priority, const TenantQuota& quota);

// Whether the job would be admitted if the tenant had nothing else: only then does waiting help.
bool FitsEmptyQuota(const JobSubmitted& job, const TenantQuota& quota);

// When to ask again, by the time that the tenant's open work still takes: in [1 s, 10 min]; 10 s if
// it is unknown.
absl::Duration RetryAfter(std::optional<absl::Duration> remaining);

}  // namespace tilewright::schedule

#endif  // TILEWRIGHT_COORDINATOR_SCHEDULE_QUOTA_H_
