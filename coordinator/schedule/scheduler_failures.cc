// Failures: what they are charged to, when a tile is poison, what a crash means.

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "coordinator/schedule/eligibility.h"
#include "coordinator/schedule/poison.h"
#include "coordinator/schedule/scheduler_impl.h"
#include "coordinator/schedule/sentences.h"

namespace tilewright {

using schedule::TileMark;
using schedule::TileState;
using schedule::WorkerTrouble;

namespace {

// One may be an accident; a third one is poison.
constexpr int kChargesBeforeSmaller = 2;

}  // namespace

void Scheduler::Impl::On(const TileFailed& event) {
  Lease* lease = FindLease(event.lease, event.worker);
  if (lease == nullptr) return;
  const int64_t position = lease->Find(event.tile);
  if (position < 0 || lease->marks[position] == TileMark::kSettled) return;
  Worker& worker = *lease->worker;
  Job* job = lease->job;
  const int executed = lease->tiles.size() == 1 ? 1 : event.batch;
  lease->busy_since = now_;
  SettleTile(*lease, position);
  if (job == nullptr) return;

  std::string what = TileFailureCauseName(event.cause);
  if (!event.text.empty()) absl::StrAppend(&what, " (", schedule::Quoted(event.text), ")");
  Tell(job, "tile_failed", event.tile, worker.name,
       absl::StrCat("Worker ", worker.name, " failed tile ", event.tile, ": ", what, "."));
  if (event.cause == TileFailureCause::kOutOfMemory) {
    OutOfMemory(*job, worker, event.tile, event);
    return;
  }
  schedule::FailureCharge charge = schedule::ChargeFor(event.cause, executed);
  if (schedule::EndsTheProcess(event.cause)) {
    // One death, however many tiles the batch held.
    charge.worker = !std::exchange(worker.dying, true);
  }
  if (charge.worker) ChargeWorker(job, worker, event.cause == TileFailureCause::kBadResult);
  if (!job->tiles.closed(event.tile)) {
    schedule::TileTrouble& trouble = job->tiles.MutableTrouble(event.tile);
    if (charge.alone) trouble.alone = true;
    if (charge.tile) {
      ChargeTile(*job, worker, event.tile, what);
      if (event.cause == TileFailureCause::kLaunchTimeout) AllowSmaller(*job, worker, event.tile);
    } else {
      trouble.On(worker.name).uncharged++;
    }
  }
  if (charge.worker) ReviewStanding(worker, job);
}

void Scheduler::Impl::OutOfMemory(Job& job, Worker& worker, int64_t tile, const TileFailed& event) {
  Stage& stage = *job.stage;
  const int64_t floor =
      schedule::RaisedMemoryFloor(stage.memory_floor, event.peak_bytes, worker.offer.memory_bytes);
  if (floor == stage.memory_floor) return;
  // A worker that left a moment ago may come back with enough; without one nobody can help.
  const auto somebody_may = [&](const Job& wanting) {
    return std::any_of(worker_by_id_.begin(), worker_by_id_.end(), [&](const auto& entry) {
      return schedule::WhyNotEligible(wanting.spec, entry.second->offer, floor).empty();
    });
  };
  if (MayTurnTolerant(job) && !somebody_may(job)) {
    // In a smaller way, whose bits may be others, it may well fit.
    TurnTolerant(job, tile, worker.name,
                 absl::StrCat("worker ", worker.name,
                              " has not the memory to compute it in the way that gives the same "
                              "bits, and no worker has more"));
    return;
  }
  stage.memory_floor = floor;
  Tell(&job, "memory_floor_raised", tile, worker.name,
       absl::StrCat("A tile of ", job.spec.name, " needs more than ",
                    schedule::BytesText(floor - 1), " of device memory: ", worker.name, " with ",
                    schedule::BytesText(worker.offer.memory_bytes), " ran out."));
  std::vector<Job*> concerned;
  for (const auto& [id, other] : active_jobs_) {
    if (other->stage == &stage) concerned.push_back(other);
  }
  for (Job* other : concerned) {
    if (somebody_may(*other)) {
      const auto candidates = other->candidates;
      other->floor_emptied =
          std::all_of(candidates.begin(), candidates.end(), [&](const auto& entry) {
            return !schedule::WhyNotEligible(other->spec, entry.second->offer, floor).empty();
          });
      for (const auto& [id, candidate] : candidates) RefreshCandidate(*other, *candidate);
      continue;
    }
    EndJob(*other, EndReason::kNoWorker,
           absl::FailedPreconditionError(
               absl::StrCat("A tile of ", other->spec.name, " (model ", other->spec.model_name,
                            ") needs more than ", schedule::BytesText(floor - 1),
                            " of device memory, which no worker has: ", WhyNobody(*other),
                            ". A smaller tile needs less.")));
  }
}

void Scheduler::Impl::AllowSmaller(Job& job, const Worker& worker, int64_t tile) {
  if (!job.active() || !MayTurnTolerant(job) || HasGoodOther(job, worker)) return;
  const schedule::TileTrouble* trouble = job.tiles.trouble(tile);
  if (trouble == nullptr || trouble->charged() < kChargesBeforeSmaller) return;
  TurnTolerant(job, tile, worker.name,
               absl::StrCat("the tile ended worker ", worker.name,
                            " again, which may compute it in a smaller way, and nobody else is "
                            "there"));
}

void Scheduler::Impl::GiveUp(Lease& lease) {
  Job* job = lease.job;
  Worker& worker = *lease.worker;
  const std::vector<int64_t> wanted = lease.WantedTiles();
  EndLease(lease);
  if (wanted.empty()) return;
  Tell(job, "tile_requeued", wanted.front(), worker.name,
       absl::StrCat("Worker ", worker.name, " gave up a lease unasked; ",
                    schedule::TileList(wanted), " will run again."));
  // A worker that does nothing but this would do it for ever.
  ChargeWorker(job, worker);
  ChargeTile(*job, worker, wanted.front(), TileFailureCauseName(TileFailureCause::kRefused));
  ReviewStanding(worker, job);
}

void Scheduler::Impl::ChargeWorker(Job* job, Worker& worker, bool bad_result) {
  NoteTrouble(worker);
  worker.charges++;
  if (bad_result) worker.bad_results_in_row++;
  if (job != nullptr) job->worker_charges[worker.name]++;
}

void Scheduler::Impl::ChargeTile(Job& job, Worker& worker, int64_t tile, const std::string& what) {
  if (!job.active() || job.tiles.closed(tile)) return;
  schedule::TileTrouble& trouble = job.tiles.MutableTrouble(tile);
  WorkerTrouble& on_worker = trouble.On(worker.name);
  on_worker.charged++;
  on_worker.last = what;
  if (!schedule::IsPoison(trouble.charged(), trouble.charged_workers(), PoisonJury(job))) return;
  std::vector<std::string> workers;
  for (const WorkerTrouble& t : trouble.workers) {
    if (t.charged == 1) workers.push_back(t.worker);
    if (t.charged > 1) workers.push_back(absl::StrCat(t.worker, " (", t.charged, " times)"));
  }
  const std::string sentence =
      absl::StrCat("Tile ", tile, " of ", job.spec.name, " (model ", job.spec.model_name,
                   ") failed ", trouble.charged(), " times, on ", schedule::JoinAnd(workers),
                   "; the last cause was ", what, ".");
  Tell(&job, "tile_poisoned", tile, worker.name, sentence);
  Acquit(job, trouble);
  switch (job.spec.on_failed_tile) {
    case OnFailedTile::kFail:
      EndJob(job, EndReason::kTileFailed, absl::FailedPreconditionError(sentence));
      return;
    case OnFailedTile::kWait:
      ParkTile(job, tile);
      return;
    case OnFailedTile::kHole:
      LeaveOut(job, tile);
      return;
  }
}

void Scheduler::Impl::Acquit(Job& job, const schedule::TileTrouble& trouble) {
  for (const WorkerTrouble& t : trouble.workers) {
    if (t.charged == 0) continue;
    int& charges = job.worker_charges[t.worker];
    charges = std::max(0, charges - t.charged);
    if (Worker* worker = FindWorker(t.worker); worker != nullptr) worker->bad_results_in_row = 0;
  }
}

void Scheduler::Impl::Crash(Lease& lease, bool alone) {
  Job* job = lease.job;
  Worker& worker = *lease.worker;
  if (job == nullptr || lease.wanted == 0) return;
  const std::vector<int64_t> tiles = lease.WantedTiles();
  Tell(job, "worker_crashed", tiles.front(), worker.name,
       absl::StrCat("Worker ", worker.name, " restarted while it ran lease ", NameOf(lease),
                    " with ", schedule::TileList(tiles), "."));
  if (alone) {
    ChargeTile(*job, worker, tiles.front(), "a crash of the worker");
    AllowSmaller(*job, worker, tiles.front());
    return;
  }
  // Any of them may be the culprit, so each is retried in a lease of its own, anywhere.
  for (int64_t tile : tiles) job->tiles.MutableTrouble(tile).alone = true;
}

}  // namespace tilewright
