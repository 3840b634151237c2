// The clocks of leases: waited for, preparing, running, lapsed, returning.

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "coordinator/schedule/clocks.h"
#include "coordinator/schedule/planted.h"
#include "coordinator/schedule/scheduler_impl.h"
#include "coordinator/schedule/sentences.h"

namespace tilewright {

using schedule::Planted;
using schedule::PlantedBug;
using schedule::SecondsText;
using schedule::TileList;
using schedule::Timer;
using schedule::TimerKind;

namespace {

// Syncs asked for before an unstarted, taken-back lease counts as gone.
constexpr int kReturnAsks = 3;
// Doublings of the time between two such syncs.
constexpr int kAskBackoff = 4;

}  // namespace

void Scheduler::Impl::ArmHead(Worker& worker) {
  if (worker.leases.empty() || !worker.connected()) return;
  Lease& head = *worker.leases.front();
  if (!head.head_since.has_value()) head.head_since = now_;
  const Timer timer{TimerKind::kLease, head.sequence};
  if (head.state != LeaseState::kQueued || deadlines_.At(timer) != Instant::Never()) return;
  deadlines_.Set(timer, *head.head_since + StartBudgetOf(head));
}

absl::Duration Scheduler::Impl::StartBudgetOf(const Lease& lease) const {
  const int64_t bytes = lease.input_bytes_per_tile * static_cast<int64_t>(lease.tiles.size());
  return schedule::StartBudget(bytes, lease.worker->link_rate, options_) * lease.patience;
}

void Scheduler::Impl::On(const LeaseStarted& event) {
  Worker* worker = FindWorker(event.worker);
  if (worker == nullptr || !worker->connected()) return;
  Heard(*worker);
  Lease* lease = FindLease(event.lease, event.worker);
  if (lease == nullptr) return;
  worker->dying = false;
  // Leases run in order: what was taken back of earlier ones has been dropped. Their results may
  // still be on the way.
  const std::vector<Lease*> leases = worker->leases;
  for (Lease* earlier : leases) {
    if (earlier == lease) break;
    if (earlier->wanted == 0) EndLease(*earlier);
  }
  if (lease->started.has_value()) return;
  if (worker->leases.size() == 1 && lease->state == LeaseState::kQueued &&
      lease->input_bytes_per_tile > 0 && now_ > lease->granted) {
    // The first tile came to an otherwise idle worker within this time: a lower bound of its link's
    // rate.
    const double rate = static_cast<double>(lease->input_bytes_per_tile) /
                        absl::ToDoubleSeconds(now_ - lease->granted);
    worker->link_rate =
        worker->link_rate.has_value() ? *worker->link_rate * 0.75 + rate * 0.25 : rate;
  }
  MeasureStart(*lease);
  Start(*lease, now_);
  TrackFinishes(*worker);
  Touch(*worker);
}

void Scheduler::Impl::Start(Lease& lease, Instant started) {
  lease.started = started;
  lease.clock = lease.busy_since = started;
  if (lease.job != nullptr) lease.worker->loaded = lease.job->stage;
  if (!lease.head_since.has_value()) lease.head_since = started;
  if (lease.live()) lease.state = LeaseState::kRunning;
  RestartClock(lease);
  // Whoever may not take its tiles first may copy them now.
  if (lease.job != nullptr && lease.job->tiles.ready() == 0 && !idle_.empty())
    AskAgain(*lease.job, options_.lease_work_min);
}

absl::Duration Scheduler::Impl::WorkBudgetOf(const Lease& lease) const {
  if (lease.job == nullptr) return *lease.last_budget;
  const JobSpec& spec = lease.job->spec;
  const auto at = lease.job->stage->workers.find(lease.worker->id);
  const bool measured = at != lease.job->stage->workers.end() && at->second.seconds.measured();
  const absl::Duration budget =
      measured
          ? schedule::WorkBudget(at->second.seconds.Percentile95(), lease.open, spec.tile_timeout,
                                 options_)
          : schedule::FirstTileBudget(spec.flops_per_tile, spec.executed_batch,
                                      lease.worker->offer.probe_flops, spec.tile_timeout, options_);
  return std::min(budget * lease.patience, spec.tile_timeout);
}

void Scheduler::Impl::RestartClock(Lease& lease) {
  if (lease.state != LeaseState::kRunning && lease.state != LeaseState::kReturning) return;
  if (!lease.timed()) return;
  deadlines_.Set({TimerKind::kLease, lease.sequence}, lease.clock + WorkBudgetOf(lease));
}

void Scheduler::Impl::On(const LeasePreparing& event) {
  Worker* worker = FindWorker(event.worker);
  if (worker == nullptr || !worker->connected()) return;
  Heard(*worker);
  Lease* lease = FindLease(event.lease, event.worker);
  if (lease == nullptr ||
      (lease->state != LeaseState::kQueued && lease->state != LeaseState::kPreparing))
    return;
  const bool moved = lease->state == LeaseState::kQueued || lease->progress != event.progress;
  lease->state = LeaseState::kPreparing;
  lease->progress = event.progress;
  if (moved) deadlines_.Set({TimerKind::kLease, lease->sequence}, now_ + options_.prepare_stall);
}

void Scheduler::Impl::OnLeaseDeadline(Lease& lease) {
  Worker& worker = *lease.worker;
  switch (lease.state) {
    case LeaseState::kQueued: {
      const std::vector<int64_t> tiles = lease.WantedTiles();
      PreferOthers(lease);
      NoteTrouble(worker);
      worker.lapses_in_row++;
      worker.next_single = true;
      lease.overdue = true;
      Tell(lease.job, "lease_not_started", tiles.front(), worker.name,
           absl::StrCat("Worker ", worker.name, " did not start lease ", NameOf(lease), " within ",
                        SecondsText(StartBudgetOf(lease)), "; ", TileList(tiles),
                        " offered to others."));
      TakeBackLease(lease, "The lease was not started in time.");
      ReturnQueued(worker);
      ReviewStanding(worker, nullptr);
      return;
    }
    case LeaseState::kPreparing:
      PreparationStalled(lease);
      return;
    case LeaseState::kRunning:
      if (WasHeld(lease)) {
        lease.clock = now_;
        RestartClock(lease);
        return;
      }
      Lapse(lease);
      return;
    case LeaseState::kOrphaned:
      // Nobody waits for it: it only keeps the worker from new work should it come back still
      // holding it.
      lease.state = LeaseState::kLapsed;
      lease.overdue = true;
      return;
    case LeaseState::kReturning:
      if (lease.started.has_value() && lease.timed()) {
        Lapse(lease);
        return;
      }
      if (!worker.connected()) return;
      if (!lease.started.has_value() && lease.sync_asks >= kReturnAsks) {
        EndLease(lease);
        return;
      }
      break;
    case LeaseState::kLapsed:
      if (!worker.connected()) return;
      break;
  }
  lease.sync_asks++;
  out_.sync_requests.push_back(worker.name);
  WaitForReturn(lease);
}

void Scheduler::Impl::Lapse(Lease& lease) {
  Worker& worker = *lease.worker;
  Job* const job = lease.job;
  const bool told = lease.wanted > 0;
  const absl::Duration elapsed = now_ - lease.clock;
  lease.state = LeaseState::kLapsed;
  lease.overdue = true;
  EndCopy(lease);
  NoteTrouble(worker);
  worker.lapses_in_row++;
  worker.next_single = true;
  if (lease.started.has_value() && lease.job != nullptr && !lease.earlier.has_value()) {
    auto at = lease.job->stage->workers.find(worker.id);
    if (at != lease.job->stage->workers.end()) at->second.seconds.AddCensored(elapsed);
  }
  const std::vector<int64_t> wanted = lease.WantedTiles();
  PreferOthers(lease);
  OfferTiles(lease);
  wake_idle_ = true;  // this worker is no alternative any more
  if (told) {
    Tell(lease.job, "lease_lapsed", wanted.front(), worker.name,
         absl::StrCat("Lease ", NameOf(lease), " of worker ", worker.name, " lapsed after ",
                      SecondsText(elapsed), " without a tile; ", TileList(wanted),
                      " offered to others, a late result stays welcome."));
  }
  ReturnQueued(worker);
  if (worker.connected()) {
    // A worker that lost the lease says so, and is free again.
    out_.sync_requests.push_back(worker.name);
    WaitForReturn(lease);
  }
  Touch(worker);
  ReviewStanding(worker, nullptr);
  if (Planted(PlantedBug::kLapseIsFailure) && told) {
    ChargeWorker(job, worker);
    ChargeTile(*job, worker, wanted.front(), "a lapse");
    ReviewStanding(worker, job);
  }
}

void Scheduler::Impl::PreparationStalled(Lease& lease) {
  Worker& worker = *lease.worker;
  Job& job = *lease.job;
  const std::vector<int64_t> tiles = lease.WantedTiles();
  const std::string text =
      absl::StrCat("preparation without progress for ", SecondsText(options_.prepare_stall));
  lease.overdue = true;
  worker.next_single = true;
  TakeBackLease(lease, absl::StrCat("Stopped: ", text, "."));
  ReturnQueued(worker);
  ChargeWorker(&job, worker);
  Tell(&job, "tile_failed", tiles.front(), worker.name,
       absl::StrCat("Worker ", worker.name, " failed ", TileList(tiles), ": ", text, "."));
  if (tiles.size() == 1) {
    ChargeTile(job, worker, tiles.front(), text);
  } else {
    for (int64_t tile : tiles) job.tiles.MutableTrouble(tile).alone = true;
  }
  ReviewStanding(worker, &job);
}

void Scheduler::Impl::ReturnQueued(Worker& worker) {
  const std::vector<Lease*> leases = worker.leases;
  for (Lease* lease : leases) {
    if (!lease->live() || lease->started.has_value()) continue;
    const std::vector<int64_t> tiles = lease->WantedTiles();
    Tell(lease->job, "tile_requeued", tiles.front(), worker.name,
         absl::StrCat("Lease ", NameOf(*lease), " of worker ", worker.name,
                      " waited behind an overdue one; ", TileList(tiles), " offered to others."));
    TakeBackLease(*lease, "The lease before it is overdue.");
  }
}

void Scheduler::Impl::PreferOthers(Lease& lease) {
  // Only what was executed, or would have been next: the rest of the lease is not to blame.
  if (lease.job == nullptr) return;
  int blamed = 0;
  for (int64_t tile : lease.WantedTiles()) {
    if (++blamed > lease.job->spec.executed_batch) return;
    lease.job->tiles.MutableTrouble(tile).On(lease.worker->name).uncharged++;
  }
}

void Scheduler::Impl::WaitForReturn(Lease& lease) {
  if (lease.state == LeaseState::kReturning && lease.started.has_value() && lease.timed()) {
    // A running attempt that is no longer wanted may end like any other, so its work clock goes on.
    if (deadlines_.At({TimerKind::kLease, lease.sequence}) == Instant::Never()) {
      lease.clock = now_;
      RestartClock(lease);
    }
    return;
  }
  if (lease.state == LeaseState::kOrphaned) return;
  const int doublings = std::min(lease.sync_asks, kAskBackoff);
  deadlines_.Set({TimerKind::kLease, lease.sequence},
                 now_ + options_.start_grace * schedule::Patience(doublings));
}

}  // namespace tilewright
