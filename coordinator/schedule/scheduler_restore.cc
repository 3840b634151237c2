// The start of a coordinator after another one: its jobs, and the leases its workers still hold.

#include "coordinator/schedule/scheduler_impl.h"

namespace tilewright {

void Scheduler::Impl::Restore(const Snapshot& /*snapshot*/, Instant /*now*/) {}

}  // namespace tilewright
