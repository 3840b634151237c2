// The standing of workers: drained, blocklisted for a job, quarantined.

#include "coordinator/schedule/eligibility.h"
#include "coordinator/schedule/scheduler_impl.h"

namespace tilewright {

void Scheduler::Impl::On(const WorkerDrained& /*event*/) {}
void Scheduler::Impl::On(const WorkerResumed& /*event*/) {}
void Scheduler::Impl::On(const BlocklistCleared& /*event*/) {}

std::string Scheduler::Impl::WhyNotCandidate(const Job& job, const Worker& worker) const {
  return schedule::WhyNotEligible(job.spec, worker.offer, job.stage->memory_floor);
}

}  // namespace tilewright
