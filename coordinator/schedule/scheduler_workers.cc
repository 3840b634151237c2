// Workers: their streams, their silence, and what they say they hold.

#include <algorithm>
#include <map>
#include <memory>
#include <set>

#include "absl/strings/str_cat.h"
#include "coordinator/schedule/planted.h"
#include "coordinator/schedule/scheduler_impl.h"
#include "coordinator/schedule/sentences.h"

namespace tilewright {

using schedule::Planted;
using schedule::PlantedBug;
using schedule::SecondsText;
using schedule::TileList;
using schedule::TileMark;
using schedule::TimerKind;

void Scheduler::Impl::On(const WorkerJoined& event) {
  std::unique_ptr<Worker>& slot = workers_[event.worker];
  if (slot == nullptr) {
    slot = std::make_unique<Worker>();
    slot->id = ++last_worker_;
    slot->name = event.worker;
    worker_by_id_[slot->id] = slot.get();
  }
  Worker& worker = *slot;
  if (worker.connected()) CloseStream(worker, "its control stream was replaced");
  const bool came_back = worker.incarnation == event.incarnation;
  const bool changed = worker.offer.environment_key != event.offer.environment_key;
  if (!came_back) {
    EndIncarnation(worker);
    worker.earlier_incarnation = worker.incarnation;
    worker.earlier_key = worker.offer.environment_key;
    worker.incarnation = event.incarnation;
    worker.dying = false;
    worker.canary.reset();
    CountCanaryDeaths(worker);
    worker.late_canaries.clear();
    worker.link_rate.reset();
    worker.loaded = nullptr;
  }
  worker.offer = event.offer;
  // It may hold leases; after a restart, also those of the earlier coordinator.
  const bool may_hold = came_back || restarted_;
  worker.state = may_hold ? WorkerState::kResyncing : WorkerState::kConnected;
  if (may_hold) out_.sync_requests.push_back(worker.name);
  RecordJoined(worker);
  deadlines_.Clear({TimerKind::kForget, worker.id});
  Heard(worker);
  for (Stage* stage : worker.stages) {
    StageWorker& at = stage->workers[worker.id];
    if (changed) {  // another device or build: what was measured is void
      at.seconds = {};
      at.switch_seconds.reset();
      at.canary_deaths = 0;
    }
    if (!came_back) {
      at.numeric_class.clear();
      at.canary_failure = at.canary_deaths < schedule::kCanaryDeathsMax
                              ? ""
                              : absl::StrCat("ended ", at.canary_deaths,
                                             " times in a row before it answered its canary");
    }
    SetSpeed(*stage, worker, at, true);
  }
  const std::string text =
      absl::StrCat("Worker ", worker.name, came_back ? " came back." : " joined.");
  bool told = false;
  Touch(worker);
  for (const auto& [id, job] : active_jobs_) {
    const bool was_candidate = job->candidates.contains(worker.id);  // its stream was replaced
    RefreshCandidate(*job, worker);
    if (!job->candidates.contains(worker.id)) continue;
    if (was_candidate) CandidatesChanged(*job);
    Tell(job, "worker_joined", std::nullopt, worker.name, text);
    told = true;
  }
  if (!told) Tell(nullptr, "worker_joined", std::nullopt, worker.name, text);
}

void Scheduler::Impl::On(const WorkerHeard& event) {
  Worker* worker = FindWorker(event.worker);
  if (worker != nullptr && worker->connected()) Heard(*worker);
}

void Scheduler::Impl::Heard(Worker& worker) {
  worker.last_heard = now_;
  deadlines_.Set({TimerKind::kLiveness, worker.id}, now_ + options_.liveness);
}

void Scheduler::Impl::On(const StreamClosed& event) {
  Worker* worker = FindWorker(event.worker);
  if (worker == nullptr || !worker->connected() || worker->incarnation != event.incarnation) return;
  Disconnect(*worker, "its control stream closed");
}

void Scheduler::Impl::OnSilence(Worker& worker) {
  out_.disconnects.push_back(worker.name);
  Disconnect(worker, absl::StrCat("silent for ", SecondsText(options_.liveness)));
}

void Scheduler::Impl::OnForget(Worker& worker) {
  const std::vector<Lease*> leases = worker.leases;
  for (Lease* lease : leases) EndLease(*lease);
  for (Stage* stage : worker.stages) stage->workers.erase(worker.id);
  worker.stages.clear();
  if (worker.draining) return;  // the user's word holds until it is taken back
  LiftQuarantine(worker);
  std::erase(awake_, &worker);
  SetResting(worker, false);
  if (worker.idle) idle_.erase(worker.idle_rank);
  worker_by_id_.erase(worker.id);
  const std::string name = worker.name;  // the key must outlive the worker
  workers_.erase(name);
}

void Scheduler::Impl::Disconnect(Worker& worker, const std::string& why) {
  CloseStream(worker, why);
  RecordGone(worker);
  for (const auto& [id, job] : active_jobs_) RefreshCandidate(*job, worker);
}

void Scheduler::Impl::CloseStream(Worker& worker, const std::string& why) {
  worker.state = WorkerState::kGone;
  yield_ = true;
  deadlines_.Clear({TimerKind::kLiveness, worker.id});
  deadlines_.Set({TimerKind::kForget, worker.id}, now_ + options_.worker_memory);
  if (worker.canary.has_value()) KeepLateCanary(worker);
  ForgetCanary(worker);
  worker.canary_jobs.clear();
  for (Stage* stage : worker.stages) SetSpeed(*stage, worker, stage->workers[worker.id], false);

  std::map<uint64_t, std::vector<int64_t>> offered;  // by job of which it held something
  const std::vector<Lease*> leases = worker.leases;
  for (Lease* lease : leases) {
    lease->take_back_sent = false;
    if (lease->job != nullptr) offered[lease->job->id];
    const LeaseState was = lease->state;
    if (lease->live()) {
      // An attempt that ran may have finished: its result stays welcome, and a sync may bring the
      // lease back.
      lease->state = was == LeaseState::kQueued ? LeaseState::kReturning : LeaseState::kOrphaned;
      EndCopy(*lease);
      const bool forgotten = was == LeaseState::kQueued && Planted(PlantedBug::kForgottenLease);
      const std::vector<int64_t> tiles = forgotten ? std::vector<int64_t>() : OfferTiles(*lease);
      if (lease->job != nullptr) {
        std::vector<int64_t>& all = offered[lease->job->id];
        all.insert(all.end(), tiles.begin(), tiles.end());
      }
    }
    if (lease->state == LeaseState::kReturning && !lease->started.has_value()) {
      EndLease(*lease);
    } else if (lease->state != LeaseState::kOrphaned) {
      deadlines_.Clear({TimerKind::kLease, lease->sequence});
    }
  }
  for (auto& [id, tiles] : offered) {
    std::sort(tiles.begin(), tiles.end());
    Tell(FindJob(id), "worker_gone",
         tiles.empty() ? std::nullopt : std::make_optional(tiles.front()), worker.name,
         absl::StrCat(
             "Worker ", worker.name, " is gone: ", why,
             tiles.empty() ? "" : absl::StrCat("; ", TileList(tiles), " offered to others"), "."));
  }
  if (offered.empty()) {
    Tell(nullptr, "worker_gone", std::nullopt, worker.name,
         absl::StrCat("Worker ", worker.name, " is gone: ", why, "."));
  }
  Touch(worker);
}

void Scheduler::Impl::EndIncarnation(Worker& worker) {
  std::vector<Lease*> ran;
  int64_t open = 0;
  const std::vector<Lease*> leases = worker.leases;
  if (worker.dying) {
    // It said what it died of, and on which tiles; what else it held did not run.
    worker.next_single = true;
    for (Lease* lease : leases) EndLease(*lease);
    return;
  }
  for (Lease* lease : leases) {
    const bool prepared =
        lease->state == LeaseState::kOrphaned;  // a queued one never becomes an orphan
    if (lease->started.has_value() || prepared) {
      ran.push_back(lease);
      open += lease->open;
    }
  }
  std::set<uint64_t> jobs;  // ids, so that each is charged once
  for (Lease* lease : ran) {
    if (lease->job != nullptr) jobs.insert(lease->job->id);
  }
  if (!ran.empty()) {
    NoteTrouble(worker);
    worker.charges++;
    worker.next_single = true;
  }
  for (uint64_t id : jobs) FindJob(id)->worker_charges[worker.name]++;
  for (Lease* lease : ran) Crash(*lease, open == 1);
  // A poisoned tile may have ended a job above; its leases stay until here.
  for (Lease* lease : leases) EndLease(*lease);
  for (uint64_t id : jobs) {
    if (Job* job = FindJob(id); job != nullptr) ReviewStanding(worker, job);
  }
  if (!ran.empty()) ReviewStanding(worker, nullptr);
}

void Scheduler::Impl::SetSpeed(Stage& stage, Worker& worker, StageWorker& at, bool connected) {
  const double speed =
      connected && worker.connected() && !worker.put_aside() && at.seconds.measured()
          ? 1 / absl::ToDoubleSeconds(at.seconds.Mean())
          : 0;
  const double relative = speed > 0 ? schedule::RelativeSpeed(worker.offer.probe_flops) : 0;
  stage.speeds.Update(worker.id, &worker, at.tiles_per_second, speed, &at.speed_class);
  stage.relative_speed_sum += relative - at.relative_speed;
  at.tiles_per_second = speed;
  at.relative_speed = relative;
  if (stage.speeds.workers() == 0) {
    stage.relative_speed_sum = 0;  // what is left is rounding
  } else if (stage.speeds.speed() > 0) {
    stage.tile_work = absl::Seconds(stage.relative_speed_sum / stage.speeds.speed());
  }
}

void Scheduler::Impl::On(const WorkerSynced& event) {
  Worker* worker = FindWorker(event.worker);
  if (worker == nullptr || !worker->connected()) return;
  Heard(*worker);
  std::map<uint64_t, const HeldLease*> held;
  std::map<LeaseKey, const HeldLease*> strange;  // in the order of their grants
  for (const HeldLease& lease : event.held) {
    if (const Lease* known = FindLease(lease.lease, worker->name); known != nullptr) {
      held[known->sequence] = &lease;
    } else {
      strange[lease.lease] = &lease;
    }
  }
  const std::vector<Lease*> leases = worker->leases;
  for (Lease* lease : leases) {
    auto it = held.find(lease->sequence);
    if (it != held.end()) {
      SyncLease(*lease, *it->second);
    } else if (lease->earlier.has_value() || lease->sequence <= event.seen_grant_sequence) {
      const std::vector<int64_t> lost = lease->WantedTiles();
      if (!lost.empty() && lease->job != nullptr) {
        Tell(lease->job, "tile_requeued", lost.front(), worker->name,
             absl::StrCat("Worker ", worker->name, " no longer holds lease ", NameOf(*lease), "; ",
                          TileList(lost), " will run again."));
      }
      EndLease(*lease);
    }
  }
  worker->state = WorkerState::kConnected;
  for (const auto& [key, lease] : strange) {
    // What is finished gets its verdict when it arrives; the rest is not worth computing.
    if (!Adopt(*worker, *lease) && lease->state != HeldState::kFinished) Discard(*worker, *lease);
  }
  const bool changed = worker->offer.credit_bytes != event.credit_bytes ||
                       (worker->offer.credit_tiles < 1) != (event.credit_tiles < 1);
  worker->offer.credit_tiles =
      event.credit_tiles +
      (Planted(PlantedBug::kCreditsAreIncrements) ? worker->offer.credit_tiles : 0);
  worker->offer.credit_bytes = event.credit_bytes;
  ApplyCredits(*worker);
  // What it began to prepare before it was put aside comes back with it.
  if (worker->put_aside()) TakeBackUnbegun(*worker, false);
  ArmHead(*worker);
  Touch(*worker);
  if (changed) {
    for (const auto& [id, job] : active_jobs_) RefreshCandidate(*job, *worker);
  }
  if (awaited_.erase(worker->name) > 0 && awaited_.empty()) EndWait();
}

void Scheduler::Impl::SyncLease(Lease& lease, const HeldLease& held) {
  std::vector<int64_t> open = held.open_tiles;
  std::sort(open.begin(), open.end());
  const uint64_t sequence = lease.sequence;
  for (int64_t i = static_cast<int64_t>(lease.tiles.size()) - 1; i >= 0; --i) {
    if (lease.marks[i] == TileMark::kSettled ||
        std::binary_search(open.begin(), open.end(), lease.tiles[i])) {
      continue;
    }
    const bool last = lease.open == 1;
    if (lease.marks[i] == TileMark::kWanted) GiveBack(lease, 1);
    SettleTile(lease, i);
    if (last) return;
  }
  if (lease.state == LeaseState::kOrphaned && lease.wanted > 0) {
    const bool runs = lease.started.has_value();
    lease.state = runs ? LeaseState::kRunning : LeaseState::kPreparing;
    for (int64_t tile : lease.WantedTiles()) {
      if (lease.job->tiles.state(tile) == schedule::TileState::kReturned)
        lease.job->tiles.MarkLeased(tile);
    }
    UpdateReady(*lease.job);
    if (!runs && held.state != HeldState::kPreparing && held.state != HeldState::kQueued)
      Start(lease, now_);
    TrackFinishes(*lease.worker);
    return;
  }
  switch (lease.state) {
    case LeaseState::kOrphaned:  // all its tiles were accepted elsewhere in the meantime
    case LeaseState::kReturning:
    case LeaseState::kLapsed:
      if (lease.state == LeaseState::kOrphaned) lease.state = LeaseState::kReturning;
      if (lease.wanted == 0 && !lease.take_back_sent) {
        TakeBackLease(lease, "Its tiles are no longer wanted.");
      } else if (deadlines_.At({TimerKind::kLease, sequence}) == Instant::Never()) {
        WaitForReturn(lease);
      }
      return;
    case LeaseState::kQueued:
    case LeaseState::kPreparing:
      // The report may have been lost with an earlier stream.
      if (held.state == HeldState::kRunning || held.state == HeldState::kFinished)
        Start(lease, now_);
      return;
    case LeaseState::kRunning:
      return;
  }
}

void Scheduler::Impl::ApplyCredits(Worker& worker) {
  int64_t tiles = worker.held_tiles - worker.offer.credit_tiles;
  int64_t bytes = worker.offer.credit_bytes > 0 ? worker.held_bytes - worker.offer.credit_bytes : 0;
  const std::vector<Lease*> leases = worker.leases;
  for (size_t i = leases.size(); i-- > 1 && (tiles > 0 || bytes > 0);) {
    Lease& lease = *leases[i];
    if (lease.state == LeaseState::kReturning && !lease.started.has_value()) {
      tiles -= lease.open;  // on its way back already
      bytes -= lease.open * lease.credit_bytes_per_tile;
    }
    if (lease.state != LeaseState::kQueued) continue;
    tiles -= lease.open;
    bytes -= lease.open * lease.credit_bytes_per_tile;
    const std::vector<int64_t> wanted = lease.WantedTiles();
    Tell(lease.job, "tile_requeued", wanted.front(), worker.name,
         absl::StrCat("Worker ", worker.name, " holds less now; ", TileList(wanted),
                      " taken back unstarted."));
    TakeBackLease(lease, "The worker's credit shrank.");
  }
}

}  // namespace tilewright
