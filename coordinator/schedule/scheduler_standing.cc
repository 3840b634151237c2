// The standing of workers: drained by the user, blocklisted for a job, quarantined, on probation.

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "coordinator/schedule/eligibility.h"
#include "coordinator/schedule/planted.h"
#include "coordinator/schedule/scheduler_impl.h"
#include "coordinator/schedule/sentences.h"
#include "coordinator/schedule/standing.h"

namespace tilewright {

using schedule::Planted;
using schedule::PlantedBug;
using schedule::QuarantineCause;
using schedule::SecondsText;
using schedule::TileList;
using schedule::TimerKind;

namespace {

// More workers than this make no difference to what is poison.
constexpr int64_t kPoisonJuryMax = 3;

}  // namespace

// ---- What users decide

void Scheduler::Impl::On(const WorkerDrained& event) {
  Worker* worker = FindWorker(event.worker);
  if (worker == nullptr) return;
  worker->draining = true;
  TakeBackUnbegun(*worker, event.at_once);
  RefreshWorker(*worker);
}

void Scheduler::Impl::TellDrained(Worker& worker) {
  if (!worker.draining || worker.drained_told) return;
  if (!worker.leases.empty() || worker.canary.has_value()) return;
  worker.drained_told = true;
  Tell(nullptr, "worker_drained", std::nullopt, worker.name,
       absl::StrCat("Worker ", worker.name, " is drained: it holds nothing."));
}

void Scheduler::Impl::On(const WorkerResumed& event) {
  Worker* worker = FindWorker(event.worker);
  if (worker == nullptr || !worker->draining) return;
  worker->draining = worker->drained_told = false;
  Tell(nullptr, "worker_resumed", std::nullopt, worker->name,
       absl::StrCat("Worker ", worker->name, " is resumed."));
  RefreshWorker(*worker);
  // What kept it from being forgotten is over.
  const schedule::Timer forget{TimerKind::kForget, worker->id};
  if (!worker->connected() && deadlines_.At(forget) == Instant::Never())
    deadlines_.Set(forget, now_ + options_.worker_memory);
}

void Scheduler::Impl::On(const BlocklistCleared& event) {
  if (!ViewWorker(event.worker).has_value()) return;
  // Jobs remember the name of a worker that is forgotten otherwise.
  for (const auto& [id, job] : active_jobs_) {
    job->blocklist.erase(event.worker);
    job->worker_charges.erase(event.worker);
  }
  Tell(nullptr, "blocklist_cleared", std::nullopt, event.worker,
       absl::StrCat("Nothing is held against worker ", event.worker, " any more."));
  Worker* worker = FindWorker(event.worker);
  if (worker == nullptr) return;
  Forgive(*worker);
  worker->lapses_in_row = worker->bad_results_in_row = 0;
  for (Stage* stage : worker->stages) ForgiveCanaryDeaths(stage->workers[worker->id]);
  LiftQuarantine(*worker);
  RefreshWorker(*worker);
  for (const auto& [id, job] : active_jobs_) {
    if (job->spec.prove_class && job->candidates.contains(worker->id)) CandidatesChanged(*job);
  }
}

void Scheduler::Impl::ForgiveWorkers(Job& job) {
  job.worker_charges.clear();
  const std::set<std::string> blocklist = std::exchange(job.blocklist, {});
  for (const std::string& name : blocklist) {
    if (Worker* worker = FindWorker(name); worker != nullptr) RefreshCandidate(job, *worker);
  }
}

// ---- What a worker's standing means

std::string Scheduler::Impl::WhyNotCandidate(const Job& job, const Worker& worker) const {
  std::string why = schedule::WhyNotEligible(job.spec, worker.offer, job.stage->memory_floor);
  if (why.empty()) why = WhyPutAside(worker);
  if (why.empty() && job.blocklist.contains(worker.name)) {
    auto charges = job.worker_charges.find(worker.name);
    why = absl::StrCat("is blocklisted for ", job.spec.name, " after ",
                       charges == job.worker_charges.end() ? 0 : charges->second, " failures");
  }
  return why;
}

std::string Scheduler::Impl::WhyPutAside(const Worker& worker) const {
  if (worker.draining) return "is drained";
  if (worker.quarantined()) {
    return absl::StrCat("is quarantined for another ", SecondsText(worker.quarantine->until - now_),
                        " after ",
                        schedule::QuarantineCauseText(worker.quarantine->cause, options_));
  }
  return "";
}

bool Scheduler::Impl::Helps(const Job& job, const Worker& worker) const {
  if (!job.spec.prove_class) return true;
  const std::string& numeric_class = ClassOf(*job.stage, worker);
  if (numeric_class.empty()) return !CanaryFailed(*job.stage, worker);
  return job.numeric_class.empty() || job.numeric_class == numeric_class;
}

bool Scheduler::Impl::HasGoodOther(const Job& job, const Worker& worker) const {
  return std::any_of(job.candidates.begin(), job.candidates.end(), [&](const auto& entry) {
    const Worker& other = *entry.second;
    return &other != &worker && other.connected() && !other.quarantine.has_value() &&
           Helps(job, other) && !HasOverdue(other);
  });
}

bool Scheduler::Impl::IsNeeded(const Worker& worker) const {
  return std::any_of(active_jobs_.begin(), active_jobs_.end(), [&](const auto& entry) {
    const Job& job = *entry.second;
    return WhyNotCandidate(job, worker).empty() && Helps(job, worker) && !HasGoodOther(job, worker);
  });
}

// ---- Trouble and its consequences

void Scheduler::Impl::NoteTrouble(Worker& worker) {
  if (worker.last_trouble.has_value() &&
      schedule::Forgiven(now_ - *worker.last_trouble, worker.good_tiles, options_)) {
    Forgive(worker);
  }
  worker.last_trouble = now_;
  worker.good_tiles = 0;
}

void Scheduler::Impl::Forgive(Worker& worker) {
  worker.quarantines = worker.blocklistings = worker.charges = 0;
  for (const auto& [id, job] : active_jobs_) job->worker_charges.erase(worker.name);
}

void Scheduler::Impl::ReviewStanding(Worker& worker, Job* job) {
  if (Planted(PlantedBug::kNoQuarantine)) return;
  if (job != nullptr && job->active()) MaybeBlocklist(*job, worker);
  if (worker.quarantined()) return;  // what it still ran counts, but it is put aside already
  std::optional<QuarantineCause> cause =
      schedule::QuarantineFor({.lapses_in_row = worker.lapses_in_row,
                               .bad_results_in_row = worker.bad_results_in_row,
                               .blocklistings = worker.blocklistings},
                              options_);
  bool refuse_results = cause == QuarantineCause::kBadResults;
  if (worker.on_probation()) {
    refuse_results = refuse_results || worker.quarantine->refuse_results;
    cause = QuarantineCause::kProbeFailed;
  }
  if (cause.has_value() && !IsNeeded(worker)) Quarantine(worker, *cause, refuse_results);
}

void Scheduler::Impl::MaybeBlocklist(Job& job, Worker& worker) {
  const int charges = job.worker_charges[worker.name];
  if (job.blocklist.contains(worker.name) || !schedule::MustBlocklist(charges, options_) ||
      !HasGoodOther(job, worker)) {
    return;
  }
  job.blocklist.insert(worker.name);
  worker.blocklistings++;
  Tell(&job, "worker_blocklisted", std::nullopt, worker.name,
       absl::StrCat("Worker ", worker.name, " gets no more tiles of ", job.spec.name, " after ",
                    charges, " failures."));
  TakeBackUnbegun(worker, false, &job);
  RefreshCandidate(job, worker);
}

void Scheduler::Impl::Quarantine(Worker& worker, QuarantineCause cause, bool refuse_results) {
  const absl::Duration time = schedule::QuarantineTime(worker.quarantines++, options_);
  worker.blocklistings = 0;
  worker.quarantine = schedule::Quarantine{.cause = cause,
                                           .until = now_ + time,
                                           .probing = false,
                                           .refuse_results = refuse_results,
                                           .last_lease = last_sequence_};
  put_aside_[worker.id] = &worker;
  deadlines_.Set({TimerKind::kQuarantine, worker.id}, now_ + time);
  TellItsJobs(worker, "worker_quarantined",
              absl::StrCat("Worker ", worker.name, " is quarantined for ", SecondsText(time),
                           " after ", schedule::QuarantineCauseText(cause, options_), "."));
  TakeBackUnbegun(worker, refuse_results);
  RefreshWorker(worker);
}

void Scheduler::Impl::OnQuarantineOver(Worker& worker) {
  worker.quarantine->probing = true;
  put_aside_.erase(worker.id);
  RefreshWorker(worker);
}

void Scheduler::Impl::GoodTile(Worker& worker) {
  worker.bad_results_in_row = 0;
  worker.good_tiles++;
  if (!worker.on_probation()) return;
  worker.lapses_in_row = 0;
  LiftQuarantine(worker);
  TellItsJobs(
      worker, "worker_readmitted",
      absl::StrCat("Worker ", worker.name, " is trusted again: it computed a tile on probation."));
}

void Scheduler::Impl::LiftQuarantine(Worker& worker) {
  worker.quarantine.reset();
  worker.last_trouble = now_;
  worker.good_tiles = 0;
  put_aside_.erase(worker.id);
  deadlines_.Clear({TimerKind::kQuarantine, worker.id});
}

void Scheduler::Impl::KeepSomebody(Job& job) {
  if (HasHope(job)) return;
  std::vector<Worker*> workers;
  std::vector<schedule::PutAside> views;
  const auto consider = [&](Worker& worker) {
    if (!worker.connected() || worker.draining || !Helps(job, worker) ||
        !schedule::WhyNotEligible(job.spec, worker.offer, job.stage->memory_floor).empty() ||
        std::find(workers.begin(), workers.end(), &worker) != workers.end()) {
      return;
    }
    auto charges = job.worker_charges.find(worker.name);
    workers.push_back(&worker);
    views.push_back({.bad_results = worker.quarantined() && worker.quarantine->refuse_results,
                     .quarantines = worker.quarantines,
                     .charges = charges == job.worker_charges.end() ? 0 : charges->second});
  };
  for (const auto& [id, worker] : put_aside_) consider(*worker);
  for (const std::string& name : job.blocklist) {
    if (Worker* worker = FindWorker(name); worker != nullptr) consider(*worker);
  }
  if (workers.empty()) return;
  Worker& best = *workers[schedule::BestOf(views)];
  job.blocklist.erase(best.name);
  if (best.quarantined()) LiftQuarantine(best);
  best.next_single = true;
  Tell(&job, "worker_readmitted", std::nullopt, best.name,
       absl::StrCat("Worker ", best.name, " is readmitted: nobody else is left for ", job.spec.name,
                    "."));
  RefreshWorker(best);
}

void Scheduler::Impl::TakeBackUnbegun(Worker& worker, bool at_once, const Job* only) {
  const std::string why = worker.draining   ? "is drained"
                          : only == nullptr ? "is quarantined"
                                            : "is blocklisted for the job";
  const std::string text = absl::StrCat("The worker ", why, ".");
  const std::vector<Lease*> leases = worker.leases;
  for (Lease* lease : leases) {
    if (lease->wanted == 0 || (only != nullptr && lease->job != only)) continue;
    const std::vector<int64_t> wanted = lease->WantedTiles();
    std::vector<int64_t> back = wanted;
    if (!at_once && !(lease->live() && !lease->started.has_value())) {
      if (lease->state != LeaseState::kRunning) continue;
      const int64_t running = std::max(lease->job->spec.executed_batch, 1);
      if (static_cast<int64_t>(wanted.size()) <= running) continue;
      back.erase(back.begin(), back.begin() + running);
    }
    Tell(lease->job, "tile_requeued", back.front(), worker.name,
         absl::StrCat("Worker ", worker.name, " ", why, " and gives back ", TileList(back), "."));
    if (back.size() == wanted.size()) {
      TakeBackLease(*lease, text);
    } else {
      TakeBackTiles(*lease, back, text);
    }
  }
}

void Scheduler::Impl::RefreshWorker(Worker& worker) {
  for (Stage* stage : worker.stages) SetSpeed(*stage, worker, stage->workers[worker.id], true);
  for (const auto& [id, job] : active_jobs_) RefreshCandidate(*job, worker);
  Touch(worker);
}

void Scheduler::Impl::TellItsJobs(const Worker& worker, const std::string& kind,
                                  const std::string& text) {
  bool told = false;
  for (const auto& [id, job] : active_jobs_) {
    if (!job->candidates.contains(worker.id)) continue;
    Tell(job, kind, std::nullopt, worker.name, text);
    told = true;
  }
  if (!told) Tell(nullptr, kind, std::nullopt, worker.name, text);
}

int64_t Scheduler::Impl::PoisonJury(const Job& job) const {
  std::set<uint64_t> jury;
  const auto consider = [&](const Worker& worker) {
    if (static_cast<int64_t>(jury.size()) < kPoisonJuryMax && worker.connected() &&
        !worker.draining && MayGrant(job, worker) &&
        schedule::WhyNotEligible(job.spec, worker.offer, job.stage->memory_floor).empty()) {
      jury.insert(worker.id);
    }
  };
  for (const auto& [id, worker] : job.candidates) {
    if (static_cast<int64_t>(jury.size()) >= kPoisonJuryMax) break;
    consider(*worker);
  }
  for (const auto& [id, worker] : put_aside_) {
    if (static_cast<int64_t>(jury.size()) >= kPoisonJuryMax) break;
    consider(*worker);
  }
  for (const std::string& name : job.blocklist) {
    if (const Worker* worker = FindWorker(name); worker != nullptr) consider(*worker);
  }
  return static_cast<int64_t>(jury.size());
}

}  // namespace tilewright
