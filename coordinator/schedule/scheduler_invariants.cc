// What must hold after every event; for tests.

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "coordinator/schedule/eligibility.h"
#include "coordinator/schedule/scheduler_impl.h"
#include "proto/base/status_macros.h"

namespace tilewright {

using schedule::TileMark;
using schedule::TileState;
using schedule::TimerKind;

namespace {

template <typename... Parts>
absl::Status Broken(const Parts&... parts) {
  return absl::InternalError(absl::StrCat(parts...));
}

}  // namespace

absl::Status Scheduler::Impl::CheckInvariants() const {
  if (next_deadline_ < now_) return Broken("next_deadline is in the past");
  if (!awake_.empty()) return Broken("workers are still to be looked at");
  if (worker_by_id_.size() != workers_.size()) return Broken("the worker indices differ");

  const bool waits = deadlines_.At({TimerKind::kRestartGrace, 0}) != Instant::Never();
  if (waits != WaitsForWorkers()) return Broken("it waits for workers if and only if it has to");
  for (const auto& [key, lease] : adopted_) {
    if (key.epoch >= epoch_ || FindLease(lease->sequence) != lease || lease->earlier != key)
      return Broken("the index of adopted leases is wrong");
  }

  int64_t resting = 0;
  size_t leases_of_workers = 0, adopted_leases = 0, idle = 0;
  for (const auto& [name, owned] : workers_) {
    const Worker& worker = *owned;
    int64_t tiles = 0, bytes = 0;
    int live = 0, adopted = 0;
    bool overdue = false;
    uint64_t before = 0;
    for (const Lease* lease : worker.leases) {
      if (lease->worker != &worker || lease->sequence <= before)
        return Broken(name, ": leases out of order");
      before = lease->sequence;
      tiles += lease->open;
      bytes += lease->open * lease->credit_bytes_per_tile;
      live += lease->live();
      adopted += lease->earlier.has_value();
      overdue = overdue || lease->overdue;
      if (!worker.connected() && lease->live())
        return Broken(name, ": is gone and has live lease ", lease->sequence);
      if (lease->state == LeaseState::kOrphaned && worker.state == WorkerState::kConnected) {
        return Broken(name, ": is connected and has orphaned lease ", lease->sequence);
      }
    }
    leases_of_workers += worker.leases.size();
    adopted_leases += static_cast<size_t>(adopted);
    if (worker.recorded != (worker.connected() || awaited_.contains(name)))
      return Broken(name, ": the records do not say whether it is connected");
    if (tiles != worker.held_tiles || bytes != worker.held_bytes) {
      return Broken(name, ": holds ", tiles, " tiles, counted ", worker.held_tiles);
    }
    if (live - adopted > 2) return Broken(name, ": has ", live, " live leases");
    if (overdue) {
      for (const Lease* lease : worker.leases) {
        if (lease->state == LeaseState::kQueued)
          return Broken(name, ": has work queued behind an overdue lease");
      }
    }
    if (worker.quarantined() != put_aside_.contains(worker.id) ||
        worker.quarantined() !=
            (deadlines_.At({TimerKind::kQuarantine, worker.id}) != Instant::Never())) {
      return Broken(name, ": a quarantine is listed and timed");
    }
    if (worker.put_aside() && worker.state == WorkerState::kConnected) {
      for (const Lease* lease : worker.leases) {
        if (lease->live() && !lease->started.has_value())
          return Broken(name, ": is put aside and has work queued");
      }
    }
    const bool is_idle = worker.state == WorkerState::kConnected && !worker.put_aside() &&
                         !overdue && !worker.canary.has_value() && live == 0;
    if (worker.idle != is_idle || idle_.contains(worker.idle_rank) != is_idle)
      return Broken(name, ": idle index is wrong");
    idle += is_idle;
    resting += worker.resting;
    if (worker.resting && !is_idle) return Broken(name, ": rests and is not idle");
    for (const Stage* stage : worker.stages) {
      const StageWorker& at = stage->workers.at(worker.id);
      const bool listed = at.speed_class != schedule::SpeedOrder::kNone;
      if (listed != (at.tiles_per_second > 0) ||
          (listed && !stage->speeds.classes().at(at.speed_class).workers.contains(worker.id)))
        return Broken(name, ": order of speeds is wrong");
    }
    if (worker.connected() !=
        (deadlines_.At({TimerKind::kLiveness, worker.id}) != Instant::Never())) {
      return Broken(name, ": liveness is watched if and only if it is connected");
    }
  }
  if (resting != resting_) return Broken("resting workers are miscounted");
  if (leases_of_workers != leases_.size() || adopted_leases != adopted_.size() ||
      idle != idle_.size())
    return Broken("a lease or idle worker is lost");

  for (const auto& [sequence, owned] : leases_) {
    const Lease& lease = *owned;
    int64_t wanted = 0, open = 0;
    for (size_t i = 0; i < lease.tiles.size(); ++i) {
      wanted += lease.marks[i] == TileMark::kWanted;
      open += lease.marks[i] != TileMark::kSettled;
      if (lease.marks[i] != TileMark::kWanted) continue;
      if (lease.job == nullptr) return Broken("lease ", sequence, " wants tiles of an ended job");
      const auto& attempts = lease.job->tiles.attempts(lease.tiles[i]);
      if (std::count(attempts.begin(), attempts.end(), sequence) != 1) {
        return Broken("tile ", lease.tiles[i], " does not know lease ", sequence);
      }
      const TileState state = lease.job->tiles.state(lease.tiles[i]);
      if (state == TileState::kAccepted || state <= TileState::kFresh ||
          (lease.live() && state != TileState::kLeased)) {
        return Broken("tile ", lease.tiles[i], " is in the wrong state for lease ", sequence);
      }
    }
    if (wanted != lease.wanted || open != lease.open || open == 0)
      return Broken("lease ", sequence, " miscounts");
    if (lease.live() && wanted == 0)
      return Broken("lease ", sequence, " is live and wants nothing");
    if (lease.state == LeaseState::kReturning && wanted > 0)
      return Broken("lease ", sequence, " returns and wants");
    const bool timed = deadlines_.At({TimerKind::kLease, sequence}) != Instant::Never();
    const bool waits_behind =
        lease.state == LeaseState::kQueued && lease.worker->leases.front() != &lease;
    if (lease.worker->connected() && !timed && !waits_behind &&
        lease.state != LeaseState::kOrphaned && lease.worker->state == WorkerState::kConnected) {
      return Broken("lease ", sequence, " in state ", static_cast<int>(lease.state),
                    " is watched by no deadline");
    }
  }

  TW_RETURN_IF_ERROR(ready_.Check());
  std::map<const Tenant*, std::pair<int, int64_t>> of_tenants;  // open jobs and bytes
  std::map<const schedule::JobGroup*, absl::Duration> charged;
  for (const auto& [sequence, lease] : leases_) {
    if (lease->job != nullptr) charged[lease->job->group] += lease->charge.work * lease->wanted;
  }
  for (const auto& [name, owned] : jobs_) {
    const Job& job = *owned;
    if (job.active() != active_jobs_.contains(job.id))
      return Broken(name, ": active index is wrong");
    if (job.group->active == 0 && job.active()) return Broken(name, ": its group has ended");
    if (job.full != (job.active() && job.tiles.ready() >= job.spec.ready_max))
      return Broken(name, ": it is full if and only if enough tiles are ready");
    if (job.active() != (job.tenant != nullptr)) return Broken(name, ": its tenant is wrong");
    if (!job.active()) {
      if (deadlines_.At({TimerKind::kEndGame, job.id}) != Instant::Never())
        return Broken(name, ": has ended and its end game goes on");
      continue;
    }
    of_tenants[job.tenant].second += job.spec.output_bytes * job.tiles.open();
    TW_RETURN_IF_ERROR(Annotate(job.tiles.Check(), name));
    for (int64_t tile = 0; tile < job.tiles.count(); ++tile) {
      for (uint64_t sequence : job.tiles.attempts(tile)) {
        const Lease* lease = FindLease(sequence);
        if (lease == nullptr || !lease->Wants(tile))
          return Broken(name, ": tile ", tile, " knows a lost attempt");
      }
      if ((job.tiles.state(tile) == TileState::kLeased) != HasLiveAttempt(job, tile)) {
        return Broken(name, ": tile ", tile, " is leased if and only if a live lease wants it");
      }
    }
    int64_t accepted = job.continued;
    for (const auto& [worker, tiles] : job.tiles_by_worker) accepted += tiles;
    if (accepted != job.tiles.accepted())
      return Broken(name, ": accepted tiles differ from their workers' sum");
    const bool hope = HasHope(job);
    for (const auto& [worker_name, worker] : workers_) {
      const bool eligible = worker->connected() && WhyNotCandidate(job, *worker).empty();
      if (eligible != job.candidates.contains(worker->id))
        return Broken(name, ": candidates are wrong");
      if (worker->connected() && !eligible && !worker->draining && !hope && Helps(job, *worker) &&
          schedule::WhyNotEligible(job.spec, worker->offer, job.stage->memory_floor).empty()) {
        return Broken(name, ": its last eligible worker, ", worker_name, ", is put aside");
      }
    }
    int64_t copies = 0;
    for (const auto& [sequence, lease] : leases_) {
      if (lease->job != &job) continue;
      copies += lease->copy;
      if (lease->copy && !lease->live())
        return Broken("lease ", sequence, " copies and is not live");
      if (job.tracked && lease->live() &&
          (!lease->finish.has_value() || !job.finishes.contains({*lease->finish, sequence})))
        return Broken(name, ": lease ", sequence, " is not in the order of finishes");
    }
    if (copies != job.copies_open) return Broken(name, ": counts ", job.copies_open, " copies");
    if (ending_jobs_.contains(job.id) !=
        (!job.paused && job.tiles.ready() == 0 && job.tiles.leased() > 0))
      return Broken(name, ": ending index is wrong");
    if (job.first_grant.has_value() && job.promise == Promise::kUndecided)
      return Broken(name, ": granted undecided");
  }
  size_t stages = 0;
  for (const auto& [name, group] : groups_) {
    int active = 0;
    bool servable = false;
    const Tenant* tenant = nullptr;
    for (const Job* stage : group->stages) {
      ++stages;
      active += stage->active();
      servable = servable || stage->servable();
      if (stage->active()) tenant = stage->tenant;
      if (stage->group != group.get() || FindJob(stage->spec.name) != stage)
        return Broken(name, ": a stage is listed wrongly");
    }
    if (group->stages.empty() || active != group->active)
      return Broken(name, ": its active stages are miscounted");
    if (group->account.ready != servable) return Broken(name, ": ready index is wrong");
    if (active > 0 && group->account.work < charged[group.get()])
      return Broken(name, ": was charged less than its open tiles");
    if (active > 0) of_tenants[tenant].first++;
  }
  if (stages != jobs_.size()) return Broken("a job is in no group");
  for (const auto& [name, tenant] : tenants_) {
    if (std::make_pair(tenant->open_jobs, tenant->open_bytes) != of_tenants[tenant.get()])
      return Broken("tenant ", name, ": open jobs or bytes are miscounted");
  }
  return absl::OkStatus();
}

}  // namespace tilewright
