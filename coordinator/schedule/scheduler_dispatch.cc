// Dispatch: who gets what, after every event. Looks only at workers that the event concerned, and
// at idle ones when tiles became ready.

#include <algorithm>
#include <limits>

#include "absl/container/inlined_vector.h"
#include "coordinator/schedule/batch_size.h"
#include "coordinator/schedule/eligibility.h"
#include "coordinator/schedule/poison.h"
#include "coordinator/schedule/scheduler_impl.h"

namespace tilewright {

namespace {

// Returned tiles that one look at a job considers: those a worker may not retry are passed over.
constexpr int kReturnedLooked = 64;
// Candidates up to which it is looked whose speed counts; of more, few are ever kept from a job.
constexpr int64_t kPoolLooked = 32;

}  // namespace

void Scheduler::Impl::Touch(Worker& worker) {
  if (worker.awake) return;
  worker.awake = true;
  awake_.push_back(&worker);
}

int Scheduler::Impl::LiveLeases(const Worker& worker) const {
  return static_cast<int>(std::count_if(worker.leases.begin(), worker.leases.end(),
                                        [](const Lease* lease) { return lease->live(); }));
}

bool Scheduler::Impl::HasOverdue(const Worker& worker) {
  return std::any_of(worker.leases.begin(), worker.leases.end(),
                     [](const Lease* lease) { return lease->overdue; });
}

int64_t Scheduler::Impl::FreeCreditOf(const Worker& worker, const Job& job) {
  return schedule::FreeCredit({.level_tiles = worker.offer.credit_tiles,
                               .level_bytes = worker.offer.credit_bytes,
                               .held_tiles = worker.held_tiles,
                               .held_bytes = worker.held_bytes,
                               .tile_bytes = schedule::CreditBytesOfTile(job.spec)});
}

void Scheduler::Impl::UpdateIdle(Worker& worker) {
  const bool idle = worker.state == WorkerState::kConnected && !worker.put_aside() &&
                    !HasOverdue(worker) && !worker.canary.has_value() && LiveLeases(worker) == 0;
  if (idle == worker.idle) return;
  if (!idle) SetResting(worker, false);
  worker.idle = idle;
  if (idle) {
    worker.idle_rank = {-worker.offer.probe_flops, worker.id};
    idle_[worker.idle_rank] = &worker;
  } else {
    idle_.erase(worker.idle_rank);
  }
}

void Scheduler::Impl::Dispatch() {
  for (Worker* worker : awake_) {
    UpdateIdle(*worker);
    TellDrained(*worker);
  }
  if (WaitsForWorkers()) {
    wake_idle_ = yield_ = false;  // the end of the wait looks at all of them
  } else if (!results_held_) {
    DispatchAwake();
  }
  for (Worker* worker : awake_) worker->awake = false;
  awake_.clear();
}

void Scheduler::Impl::DispatchAwake() {
  if (wake_idle_) {
    for (const auto& [rank, worker] : idle_) Touch(*worker);
    wake_idle_ = false;
  }
  if (awake_.empty()) return;
  granted_before_ = last_sequence_;
  // First leases before second ones: prefetching must not take a tile from an idle worker.
  for (bool prefetch : {false, true}) {
    // Helping may touch the worker that is helped.
    for (size_t i = 0; i < awake_.size(); ++i) {
      Worker& worker = *awake_[i];
      if (worker.state != WorkerState::kConnected) continue;
      if (OccupiedByCanary(worker)) {
        UpdateIdle(worker);
        continue;
      }
      if (LiveLeases(worker) != (prefetch ? 1 : 0)) continue;
      if (!GiveLease(worker, prefetch) && worker.idle) HelpToEnd(worker);
    }
  }
  if (yield_) YieldToReturned();
  yield_ = false;
}

void Scheduler::Impl::YieldToReturned() {
  std::vector<Job*> jobs;  // taking back gives back, and so changes the order
  ready_.Walk([&](const schedule::JobAccount& account) {
    for (Job* job : account.group->stages) {
      if (job->servable() && !job->tiles.returned().empty()) jobs.push_back(job);
    }
    return false;
  });
  for (Job* job : jobs) {
    int64_t returned = static_cast<int64_t>(job->tiles.returned().size());
    for (const auto& [id, worker] : job->candidates) {
      if (returned <= 0) break;
      if (LiveLeases(*worker) < 2) continue;
      Lease& last = *worker->leases.back();
      if (last.state != LeaseState::kQueued || last.job != job) continue;
      // What was granted a moment ago is no older than the tiles that returned; and taking it back
      // would reach the worker before the grant itself.
      if (last.sequence > granted_before_) continue;
      if (last.tiles.front() < *job->tiles.returned().begin()) continue;
      returned -= last.open;
      TakeBackLease(last, "Tiles of a worker that left come first.");
    }
  }
}

bool Scheduler::Impl::GiveLease(Worker& worker, bool prefetch) {
  if (HasOverdue(worker)) return false;
  Given given = Given::kNothing;
  ready_.Walk([&](const schedule::JobAccount& account) {
    // Later stages first: what waits between two stages is used up.
    const std::vector<Job*>& stages = account.group->stages;
    for (auto stage = stages.rbegin(); stage != stages.rend(); ++stage) {
      if (!(*stage)->servable() || HeldUp(**stage)) continue;
      const Given of_stage = GiveLeaseOf(**stage, worker, prefetch);
      if (of_stage != Given::kNothing) given = of_stage;
      if (given == Given::kLease) return true;
    }
    return given != Given::kNothing;
  });
  return given == Given::kLease;
}

Scheduler::Impl::Given Scheduler::Impl::GiveLeaseOf(Job& job, Worker& worker, bool prefetch) {
  if (!job.candidates.contains(worker.id) || !MayGrant(job, worker)) return Given::kNothing;
  auto at = job.stage->workers.find(worker.id);
  std::optional<absl::Duration> tile_seconds;
  if (at != job.stage->workers.end() && at->second.seconds.measured())
    tile_seconds = at->second.seconds.Mean();
  int64_t count = schedule::BatchSize({.ready = job.tiles.ready(),
                                       .part = PartOf(job, tile_seconds),
                                       .tile_seconds = tile_seconds,
                                       .executed_batch = job.spec.executed_batch,
                                       .free_credit = FreeCreditOf(worker, job),
                                       .single = worker.next_single || worker.on_probation()},
                                      options_);
  if (prefetch && count > 0) {
    const double unaccepted = static_cast<double>(job.spec.tile_count - job.tiles.accepted());
    const double sum = PoolOf(job).tiles_per_second;
    schedule::PrefetchQuery query{
        .ready = job.tiles.ready(),
        .idle_slots = IdleSlots(job),
        .tile_seconds = tile_seconds,
        .remaining = std::nullopt,
        .held = worker.held_tiles,
        .share = 0,
        .recovering = worker.lapses_in_row > 0 || worker.next_single || worker.on_probation()};
    if (sum > 0 && tile_seconds.has_value()) {
      query.remaining = absl::Seconds(unaccepted / sum);
      query.share = unaccepted * at->second.tiles_per_second / sum;
    }
    count = std::min(count, schedule::PrefetchLimit(query));
    // A short executed batch takes as long as a whole one: whoever holds few tiles gets them
    // together, once it has done those it holds.
    const int64_t whole = std::min<int64_t>(job.spec.executed_batch, job.tiles.ready());
    if (count <= 0 || count < whole) return Given::kWait;
  }
  if (count > 0 && LeavesToFaster(job, worker)) return Given::kNothing;
  std::vector<int64_t> tiles = TakeTiles(job, worker, count);
  if (tiles.empty()) {
    // Its wavefront may wait for a slow worker.
    const bool helps = !prefetch && count > 0 && HelpJob(job, worker);
    return helps ? Given::kLease : Given::kNothing;
  }
  GrantTiles(job, worker, std::move(tiles));
  return Given::kLease;
}

Scheduler::Impl::Pool Scheduler::Impl::PoolOf(const Job& job) const {
  const schedule::SpeedOrder& speeds = job.stage->speeds;
  if (static_cast<int64_t>(job.candidates.size()) > kPoolLooked)
    return {speeds.speed(), speeds.workers(), static_cast<int64_t>(job.candidates.size())};
  Pool pool;
  for (const auto& [id, worker] : job.candidates) {
    if (!MayGrant(job, *worker)) continue;
    ++pool.workers;
    const auto at = job.stage->workers.find(id);
    if (at == job.stage->workers.end() || at->second.tiles_per_second <= 0) continue;
    ++pool.measured;
    pool.tiles_per_second += at->second.tiles_per_second;
  }
  return pool;
}

double Scheduler::Impl::PartOf(const Job& job, std::optional<absl::Duration> tile_seconds) const {
  const Pool pool = PoolOf(job);
  const double all = std::max<double>(static_cast<double>(pool.workers), 1);
  if (!tile_seconds.has_value() || pool.measured == 0) return 1 / all;
  // Those not measured yet are taken for as fast as the others on the average.
  const double speed =
      pool.tiles_per_second * std::max(1.0, all / static_cast<double>(pool.measured));
  return 1 / absl::ToDoubleSeconds(*tile_seconds) / speed;
}

void Scheduler::Impl::GrantTiles(Job& job, Worker& worker, std::vector<int64_t> tiles) {
  if (job.promise == Promise::kUndecided) PresumePromise(job);
  if (job.promise == Promise::kStrict && !job.spec.prove_class &&
      worker.offer.environment_key != job.numeric_class) {
    TurnTolerant(job, tiles.front(), worker.name,
                 "worker " + worker.name + " has another environment");
  }
  Grant(worker, job, std::move(tiles));
}

std::vector<int64_t> Scheduler::Impl::TakeTiles(Job& job, const Worker& worker, int64_t count) {
  count = std::min(count, job.leased_max - job.tiles.leased());
  std::vector<int64_t> taken;
  int looked = 0;
  for (int64_t tile : job.tiles.returned()) {
    if (static_cast<int64_t>(taken.size()) >= count || ++looked > kReturnedLooked) break;
    const schedule::TileTrouble* trouble = job.tiles.trouble(tile);
    if (!MayTake(job, worker, tile)) continue;
    if (trouble != nullptr && trouble->alone) {
      if (!taken.empty()) continue;
      return {tile};
    }
    taken.push_back(tile);
  }
  const int64_t end = WavefrontEnd(job);
  for (int64_t tile = job.tiles.NextFresh(0);
       static_cast<int64_t>(taken.size()) < count && tile < end;
       tile = job.tiles.NextFresh(tile + 1)) {
    taken.push_back(tile);
  }
  // After a restart what returns may lie behind tiles that this coordinator has never granted.
  std::sort(taken.begin(), taken.end());
  return taken;
}

bool Scheduler::Impl::MayTake(const Job& job, const Worker& worker, int64_t tile) const {
  absl::InlinedVector<const Worker*, 2> trying;
  for (uint64_t sequence : job.tiles.attempts(tile)) {
    const Lease& lease = *leases_.at(sequence);
    if (lease.worker == &worker) return false;  // its own attempt has not settled
    if (lease.live()) trying.push_back(lease.worker);
  }
  const schedule::TileTrouble* trouble = job.tiles.trouble(tile);
  const int own = trouble == nullptr ? 0 : trouble->Count(worker.name);
  if (own == 0) return true;
  int fewest = std::numeric_limits<int>::max();
  for (const auto& [id, other] : job.candidates) {
    if (other == &worker || !Usable(job, *other)) continue;
    const bool tries = std::find(trying.begin(), trying.end(), other) != trying.end();
    fewest = std::min(fewest, trouble->Count(other->name) + (tries ? 1 : 0));
    if (fewest < own) break;
  }
  return schedule::MayRetry(own, fewest);
}

bool Scheduler::Impl::Usable(const Job& job, const Worker& worker) const {
  return worker.state == WorkerState::kConnected && MayGrant(job, worker) && !HasOverdue(worker) &&
         !worker.canary.has_value();
}

int64_t Scheduler::Impl::IdleSlots(const Job& job) const {
  // Only when few tiles are left does it matter which idle workers could take them.
  const int64_t idle = static_cast<int64_t>(idle_.size()) - resting_;
  if (job.tiles.ready() > idle) return idle;
  return std::count_if(idle_.begin(), idle_.end(), [&](const auto& entry) {
    const Worker& worker = *entry.second;
    return !worker.resting && job.candidates.contains(worker.id) && MayGrant(job, worker);
  });
}

}  // namespace tilewright
