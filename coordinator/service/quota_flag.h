// The text of --quota. A pure function; thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_SERVICE_QUOTA_FLAG_H_
#define TILEWRIGHT_COORDINATOR_SERVICE_QUOTA_FLAG_H_

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "coordinator/schedule/types.h"

namespace tilewright {

// Enters "TENANT:KEY=VALUE,…" into `quotas`, or into `*default_quota` if TENANT is "*". Keys: share
// (a weight above 0), jobs (that have not ended), bytes (of outputs not yet computed), priority
// (the highest); one that is not named keeps TenantQuota's default. INVALID_ARGUMENT, with what is
// wrong, for anything else and for a tenant that was entered before.
absl::Status ParseQuota(absl::string_view text, std::map<std::string, TenantQuota>* quotas,
                        TenantQuota* default_quota);

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_SERVICE_QUOTA_FLAG_H_
