// The life of leases: granted, taken back, settled tile by tile, ended.

#include <algorithm>
#include <cassert>
#include <memory>

#include "absl/strings/str_cat.h"
#include "coordinator/schedule/clocks.h"
#include "coordinator/schedule/eligibility.h"
#include "coordinator/schedule/planted.h"
#include "coordinator/schedule/promise.h"
#include "coordinator/schedule/scheduler_impl.h"

namespace tilewright {

using schedule::Planted;
using schedule::PlantedBug;
using schedule::TileMark;
using schedule::TileState;
using schedule::TimerKind;

void Scheduler::Impl::Grant(Worker& worker, Job& job, std::vector<int64_t> tiles) {
  assert(!WaitsForWorkers());
  Lease& lease = Enter(worker, &job, tiles, std::vector(tiles.size(), TileMark::kWanted));
  worker.next_single = false;
  if (!job.first_grant.has_value()) {
    job.first_grant = now_;
    job.state = schedule::JobState::kRunning;
    out_.job_starts.push_back(job.spec.name);
  }
  struct Grant& grant = out_.grants.emplace_back();
  grant.worker = worker.name;
  grant.lease = KeyOf(lease);
  grant.job = job.spec.name;
  grant.tiles = std::move(tiles);
  grant.strict = job.promise == Promise::kStrict;
  grant.deadline = WorkBudgetOf(lease);
  if (job.spec.prove_class) {
    grant.numeric_class = job.numeric_class;
    grant.canary_seed =
        schedule::CanarySeed(job.spec.model_digest, job.spec.dtype, job.spec.executed_batch);
  }
  lease.tile_estimate = TileEstimate(*job.stage, worker).value_or(absl::ZeroDuration());
  job.left_until.reset();
  SetResting(worker, false);
  ArmHead(worker);
  TrackFinishes(worker);
  UpdateIdle(worker);
}

Scheduler::Impl::Lease& Scheduler::Impl::Enter(Worker& worker, Job* job, std::vector<int64_t> tiles,
                                               std::vector<TileMark> marks) {
  const uint64_t sequence = ++last_sequence_;
  Lease& lease = *(leases_[sequence] = std::make_unique<Lease>());
  lease.sequence = sequence;
  lease.worker = &worker;
  lease.job = job;
  lease.tiles = std::move(tiles);
  lease.marks = std::move(marks);
  lease.open = static_cast<int64_t>(lease.tiles.size());
  lease.wanted = std::count(lease.marks.begin(), lease.marks.end(), TileMark::kWanted);
  lease.granted = now_;
  lease.patience = schedule::Patience(worker.lapses_in_row);
  worker.held_tiles += lease.open;
  worker.leases.push_back(&lease);
  if (job == nullptr) return lease;
  lease.credit_bytes_per_tile = schedule::CreditBytesOfTile(job->spec);
  lease.input_bytes_per_tile = job->spec.input_bytes;
  lease.charge = ChargeOf(*job, worker);
  worker.held_bytes += lease.open * lease.credit_bytes_per_tile;
  for (size_t i = 0; i < lease.tiles.size(); ++i) {
    if (lease.marks[i] != TileMark::kWanted) continue;
    const int64_t tile = lease.tiles[i];
    if (job->tiles.state(tile) != TileState::kLeased) job->tiles.MarkLeased(tile);  // else a copy
    job->tiles.AddAttempt(tile, sequence);
  }
  ready_.Charge(job->group->account, lease.charge, lease.wanted);
  UpdateReady(*job);
  job->attempts += lease.wanted;
  return lease;
}

schedule::TileCharge Scheduler::Impl::ChargeOf(const Job& job, const Worker& worker) const {
  const absl::Duration work =
      schedule::TileWork({.measured = job.stage->tile_work,
                          .flops_per_tile = job.spec.flops_per_tile,
                          .relative_speed = schedule::RelativeSpeed(worker.offer.probe_flops)});
  return schedule::ReadyIndex::ChargeOf(job.group->account, work);
}

void Scheduler::Impl::GiveBack(const Lease& lease, int64_t tiles) {
  if (lease.job != nullptr && tiles > 0)
    ready_.GiveBack(lease.job->group->account, lease.charge, tiles);
}

void Scheduler::Impl::On(const LeaseDropped& event) {
  Worker* worker = FindWorker(event.worker);
  if (worker == nullptr || !worker->connected()) return;
  Heard(*worker);
  Lease* lease = FindLease(event.lease, event.worker);
  if (lease == nullptr) return;
  if (lease->take_backs_open == 0) {
    GiveUp(*lease);
    return;
  }
  lease->take_backs_open--;
  for (int64_t i = static_cast<int64_t>(lease->tiles.size()) - 1; i >= 0; --i) {
    if (lease->marks[i] != TileMark::kUnwanted) continue;
    const bool last = lease->open == 1;
    SettleTile(*lease, i);
    if (last) return;
  }
}

void Scheduler::Impl::TakeBackLease(Lease& lease, const std::string& text) {
  Worker& worker = *lease.worker;
  if (lease.live()) lease.state = LeaseState::kReturning;
  EndCopy(lease);
  GiveBack(lease, lease.wanted);
  for (size_t i = 0; i < lease.tiles.size(); ++i) {
    if (lease.marks[i] != TileMark::kWanted) continue;
    lease.marks[i] = TileMark::kUnwanted;
    lease.wanted--;
    const int64_t tile = lease.tiles[i];
    lease.job->tiles.RemoveAttempt(tile, lease.sequence);
    if (lease.job->tiles.state(tile) == TileState::kLeased && !HasLiveAttempt(*lease.job, tile)) {
      lease.job->tiles.MarkReturned(tile);
      wake_idle_ = true;
    }
  }
  if (lease.job != nullptr) UpdateReady(*lease.job);
  if (worker.connected()) {
    out_.take_backs.push_back({worker.name, KeyOf(lease), {}, text});
    lease.take_back_sent = true;
    lease.take_backs_open++;
    WaitForReturn(lease);
  }
  Touch(worker);
}

void Scheduler::Impl::TakeBackTiles(Lease& lease, const std::vector<int64_t>& tiles,
                                    const std::string& text) {
  if (lease.wanted == static_cast<int64_t>(tiles.size())) {
    TakeBackLease(lease, text);
    return;
  }
  GiveBack(lease, static_cast<int64_t>(tiles.size()));
  schedule::TileTable& table = lease.job->tiles;
  for (int64_t tile : tiles) {
    const int64_t position = lease.Find(tile);
    assert(position >= 0 && lease.marks[position] == TileMark::kWanted);
    lease.marks[position] = TileMark::kUnwanted;
    lease.wanted--;
    table.RemoveAttempt(tile, lease.sequence);
    if (table.state(tile) == TileState::kLeased && !HasLiveAttempt(*lease.job, tile)) {
      table.MarkReturned(tile);
      wake_idle_ = true;
    }
  }
  UpdateReady(*lease.job);
  if (lease.worker->connected()) {
    out_.take_backs.push_back({lease.worker->name, KeyOf(lease), tiles, text});
    lease.take_backs_open++;
  }
}

std::vector<int64_t> Scheduler::Impl::OfferTiles(Lease& lease) {
  std::vector<int64_t> offered;
  if (lease.job == nullptr) return offered;
  for (size_t i = 0; i < lease.tiles.size(); ++i) {
    const int64_t tile = lease.tiles[i];
    if (lease.marks[i] != TileMark::kWanted || lease.job->tiles.state(tile) != TileState::kLeased ||
        HasLiveAttempt(*lease.job, tile)) {
      continue;
    }
    lease.job->tiles.MarkReturned(tile);
    offered.push_back(tile);
  }
  if (!offered.empty()) wake_idle_ = true;
  UpdateReady(*lease.job);
  return offered;
}

bool Scheduler::Impl::HasLiveAttempt(const Job& job, int64_t tile) const {
  const auto& attempts = job.tiles.attempts(tile);
  return std::any_of(attempts.begin(), attempts.end(),
                     [this](uint64_t sequence) { return leases_.at(sequence)->live(); });
}

void Scheduler::Impl::SettleTile(Lease& lease, int64_t position) {
  TileMark& mark = lease.marks[position];
  assert(mark != TileMark::kSettled);
  const int64_t tile = lease.tiles[position];
  if (mark == TileMark::kWanted) {
    lease.wanted--;
    schedule::TileTable& tiles = lease.job->tiles;
    tiles.RemoveAttempt(tile, lease.sequence);
    if (tiles.state(tile) == TileState::kLeased && !HasLiveAttempt(*lease.job, tile) &&
        !Planted(PlantedBug::kForgottenLease)) {
      tiles.MarkReturned(tile);
      wake_idle_ = true;
    }
    UpdateReady(*lease.job);
  }
  mark = TileMark::kSettled;
  lease.open--;
  lease.worker->held_tiles--;
  lease.worker->held_bytes -= lease.credit_bytes_per_tile;
  Touch(*lease.worker);
  if (lease.open == 0) {
    EndLease(lease);
    return;
  }
  if (lease.started.has_value()) {
    lease.clock = now_;
    RestartClock(lease);
  }
  if (lease.wanted == 0 && lease.live()) {
    lease.state = LeaseState::kReturning;
    EndCopy(lease);
    WaitForReturn(lease);
  }
}

void Scheduler::Impl::EndLease(Lease& lease) {
  // A state that is not live, so that its own attempts do not count.
  lease.state = LeaseState::kReturning;
  EndCopy(lease);
  if (lease.finish.has_value() && lease.job != nullptr)
    lease.job->finishes.erase({*lease.finish, lease.sequence});
  if (lease.wanted > 0) {
    GiveBack(lease, lease.wanted);
    if (!Planted(PlantedBug::kForgottenLease)) OfferTiles(lease);
    for (int64_t tile : lease.WantedTiles()) lease.job->tiles.RemoveAttempt(tile, lease.sequence);
  }
  Worker& worker = *lease.worker;
  worker.held_tiles -= lease.open;
  worker.held_bytes -= lease.open * lease.credit_bytes_per_tile;
  std::erase(worker.leases, &lease);
  deadlines_.Clear({TimerKind::kLease, lease.sequence});
  if (lease.earlier.has_value()) adopted_.erase(*lease.earlier);
  leases_.erase(lease.sequence);
  Touch(worker);
  ArmHead(worker);
}

}  // namespace tilewright
