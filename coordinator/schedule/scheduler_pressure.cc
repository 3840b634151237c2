// Back-pressure: the wavefront of a job, its bound of leased tiles, and results that wait to be
// taken in.

#include <algorithm>

#include "coordinator/schedule/scheduler_impl.h"

namespace tilewright {

void Scheduler::Impl::On(const JobBudget& event) {
  Job* job = FindJob(event.job);
  if (job == nullptr || !job->active() || event.tiles_ahead < 0 || event.leased_max < 0) return;
  job->tiles_ahead = event.tiles_ahead;
  job->leased_max = event.leased_max;
  wake_idle_ = true;
}

void Scheduler::Impl::On(const ResultsHeld& event) {
  if (results_held_ == event.held) return;
  results_held_ = event.held;
  if (event.held) return;
  results_freed_ = now_;
  wake_idle_ = true;
}

void Scheduler::Impl::TileCloses(Job& job, int64_t tile) {
  const bool moves = job.tiles_ahead > 0 && tile == job.tiles.LowestOpen();
  const bool makes_room = job.tiles.leased() >= job.leased_max;
  if (moves || makes_room) wake_idle_ = true;
}

int64_t Scheduler::Impl::WavefrontEnd(Job& job) const {
  const int64_t count = job.tiles.count();
  if (job.tiles_ahead == 0) return count;
  const int64_t lowest = job.tiles.LowestOpen();
  return job.tiles_ahead >= count - lowest ? count : lowest + job.tiles_ahead;
}

}  // namespace tilewright
