// A tenant in the scheduling core: its quota, what counts against it, what it received. A value
// type; pure.

#ifndef TILEWRIGHT_COORDINATOR_SCHEDULE_TENANT_H_
#define TILEWRIGHT_COORDINATOR_SCHEDULE_TENANT_H_

#include <cstdint>
#include <string>

#include "coordinator/schedule/ready_index.h"
#include "coordinator/schedule/types.h"

namespace tilewright::schedule {

struct Tenant {
  std::string name;
  TenantQuota quota;
  TenantAccount account;
  int open_jobs = 0;       // Invariant: its active jobs, all stages of one together.
  int64_t open_bytes = 0;  // Invariant: of their outputs, tiles neither accepted nor left out.
};

}  // namespace tilewright::schedule

#endif  // TILEWRIGHT_COORDINATOR_SCHEDULE_TENANT_H_
