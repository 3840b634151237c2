// What users do to jobs: pause, resume, priority, decisions on failed tiles; quotas.

#include "coordinator/schedule/scheduler_impl.h"

namespace tilewright {

void Scheduler::Impl::On(const JobPaused& /*event*/) {}
void Scheduler::Impl::On(const JobResumed& /*event*/) {}
void Scheduler::Impl::On(const JobPriority& /*event*/) {}
void Scheduler::Impl::On(const FailedTilesRetried& /*event*/) {}
void Scheduler::Impl::On(const HolesAccepted& /*event*/) {}

absl::Status Scheduler::Impl::Admit(const JobSpec& /*job*/, absl::Duration* /*retry_after*/) const {
  return absl::OkStatus();
}

}  // namespace tilewright
