// Numeric classes: canaries, the proof and the presumption of a class, foreign results.

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "coordinator/schedule/clocks.h"
#include "coordinator/schedule/promise.h"
#include "coordinator/schedule/scheduler_impl.h"
#include "coordinator/schedule/sentences.h"

namespace tilewright {

using schedule::ShortDigest;
using schedule::TimerKind;

namespace {

constexpr size_t kLateCanariesMax = 64;

}  // namespace

const std::string& Scheduler::Impl::ClassOf(const Stage& stage, const Worker& worker) const {
  static const std::string* const kUnknown = new std::string();
  auto at = stage.workers.find(worker.id);
  if (at != stage.workers.end() && !at->second.numeric_class.empty())
    return at->second.numeric_class;
  const std::string& key = worker.offer.environment_key;
  if (stage.conflicting_keys.contains(key)) return *kUnknown;
  auto known = stage.class_of_key.find(key);
  return known == stage.class_of_key.end() ? *kUnknown : known->second;
}

bool Scheduler::Impl::CanaryFailed(const Stage& stage, const Worker& worker) const {
  auto at = stage.workers.find(worker.id);
  return at != stage.workers.end() && !at->second.canary_failure.empty();
}

bool Scheduler::Impl::MayGrant(const Job& job, const Worker& worker) const {
  if (!job.spec.prove_class) return true;
  return !job.numeric_class.empty() && ClassOf(*job.stage, worker) == job.numeric_class;
}

void Scheduler::Impl::WantCanaries(Job& job) {
  for (const auto& [id, worker] : job.candidates) {
    if (!ClassOf(*job.stage, *worker).empty() || CanaryFailed(*job.stage, *worker)) continue;
    if (worker->canary.has_value() && worker->canary->stage == job.stage) continue;
    auto& waiting = worker->canary_jobs;
    if (std::find(waiting.begin(), waiting.end(), job.id) != waiting.end()) continue;
    waiting.push_back(job.id);
    Touch(*worker);
  }
  const schedule::Timer proof{TimerKind::kProof, job.id};
  if (job.numeric_class.empty() && !job.proof_over && !job.candidates.empty() &&
      deadlines_.At(proof) == Instant::Never()) {
    absl::Duration budget;
    for (const auto& [id, worker] : job.candidates) {
      budget = std::max(budget, schedule::FirstTileBudget(
                                    job.spec.flops_per_tile, job.spec.executed_batch,
                                    worker->offer.probe_flops, job.spec.tile_timeout, options_));
    }
    deadlines_.Set(proof, now_ + budget);
  }
}

bool Scheduler::Impl::OccupiedByCanary(Worker& worker) {
  if (worker.canary.has_value()) return true;
  while (!worker.canary_jobs.empty()) {
    Job* job = FindJob(worker.canary_jobs.front());
    if (job != nullptr && !job->paused && job->candidates.contains(worker.id) &&
        ClassOf(*job->stage, worker).empty() && !CanaryFailed(*job->stage, worker)) {
      if (!worker.leases.empty()) return true;  // after what it holds
      worker.canary_jobs.pop_front();
      worker.canary = schedule::Canary{++last_canary_, job->stage};
      const absl::Duration budget =
          schedule::FirstTileBudget(job->spec.flops_per_tile, job->spec.executed_batch,
                                    worker.offer.probe_flops, job->spec.tile_timeout, options_);
      deadlines_.Set({TimerKind::kCanary, worker.id}, now_ + budget);
      out_.canaries.push_back(
          {worker.name, last_canary_, job->spec.name,
           schedule::CanarySeed(job->spec.model_digest, job->spec.dtype, job->spec.executed_batch),
           budget});
      return true;
    }
    worker.canary_jobs.pop_front();
  }
  return false;
}

void Scheduler::Impl::ForgetCanary(Worker& worker) {
  worker.canary.reset();
  deadlines_.Clear({TimerKind::kCanary, worker.id});
}

void Scheduler::Impl::KeepLateCanary(Worker& worker) {
  worker.late_canaries.push_back(*worker.canary);
  if (worker.late_canaries.size() > kLateCanariesMax) worker.late_canaries.pop_front();
}

void Scheduler::Impl::CountCanaryDeaths(Worker& worker) {
  std::vector<Stage*> counted;
  for (const schedule::Canary& canary : worker.late_canaries) {
    if (std::find(counted.begin(), counted.end(), canary.stage) != counted.end()) continue;
    counted.push_back(canary.stage);
    auto [at, inserted] = canary.stage->workers.try_emplace(worker.id);
    if (inserted) worker.stages.push_back(canary.stage);
    at->second.canary_deaths++;
  }
}

void Scheduler::Impl::ForgiveCanaryDeaths(schedule::StageWorker& at) {
  if (at.canary_deaths >= schedule::kCanaryDeathsMax) at.canary_failure.clear();
  at.canary_deaths = 0;
}

void Scheduler::Impl::OnCanaryTimeout(Worker& worker) {
  CanaryMeasured unanswered{.worker = worker.name,
                            .canary = worker.canary->number,
                            .digest = "",
                            .seconds = 0,
                            .text = "no answer in time"};
  KeepLateCanary(worker);
  On(unanswered);
}

void Scheduler::Impl::RetryCanaries(Job& job) {
  for (const auto& [id, worker] : job.candidates) {
    auto at = job.stage->workers.find(id);
    if (at != job.stage->workers.end()) at->second.canary_failure.clear();
  }
  CandidatesChanged(job);
}

void Scheduler::Impl::On(const CanaryMeasured& event) {
  Worker* worker = FindWorker(event.worker);
  if (worker == nullptr) return;
  Stage* stage = nullptr;
  if (worker->canary.has_value() && worker->canary->number == event.canary) {
    stage = worker->canary->stage;
    ForgetCanary(*worker);
  } else {
    const auto late =
        std::find_if(worker->late_canaries.begin(), worker->late_canaries.end(),
                     [&](const schedule::Canary& c) { return c.number == event.canary; });
    if (late == worker->late_canaries.end()) return;
    stage = late->stage;
    worker->late_canaries.erase(late);
  }
  auto [at, inserted] = stage->workers.try_emplace(worker->id);
  if (inserted) worker->stages.push_back(stage);
  at->second.canary_seconds = event.seconds;
  at->second.numeric_class = event.digest;
  if (!event.digest.empty()) at->second.canary_deaths = 0;
  at->second.canary_failure =
      event.digest.empty() ? absl::StrCat("failed its canary (", schedule::Quoted(event.text), ")")
                           : "";
  const std::string& key = worker->offer.environment_key;
  if (!event.digest.empty() && !stage->conflicting_keys.contains(key)) {
    auto [known, first] = stage->class_of_key.try_emplace(key, event.digest);
    if (!first && known->second != event.digest) {
      // Two workers that call themselves alike differ: from now on each must prove itself.
      stage->conflicting_keys.insert(key);
      stage->class_of_key.erase(known);
    }
  }
  Touch(*worker);
  wake_idle_ = true;
  std::vector<Job*> concerned;
  for (const auto& [id, job] : active_jobs_) {
    if (job->stage == stage && job->spec.prove_class) concerned.push_back(job);
  }
  for (Job* job : concerned) {
    if (event.digest.empty()) {
      Tell(job, "canary_failed", std::nullopt, worker->name,
           absl::StrCat("Worker ", worker->name, " ", at->second.canary_failure, "."));
    }
    CandidatesChanged(*job);
  }
}

void Scheduler::Impl::MaybeChooseClass(Job& job) {
  if (!job.numeric_class.empty()) return;
  std::vector<schedule::ClassSpeed> answered;
  int others = 0;
  for (const auto& [id, worker] : job.candidates) {
    const std::string& numeric_class = ClassOf(*job.stage, *worker);
    if (numeric_class.empty()) {
      if (!CanaryFailed(*job.stage, *worker) && !job.proof_over) return;
      continue;
    }
    double speed = job.spec.flops_per_tile > 0 ? worker->offer.probe_flops / job.spec.flops_per_tile
                                               : worker->offer.probe_flops;
    auto at = job.stage->workers.find(id);
    if (at != job.stage->workers.end()) {
      if (at->second.canary_seconds > 0)
        speed = job.spec.executed_batch / at->second.canary_seconds;
      if (at->second.seconds.measured())
        speed = 1 / absl::ToDoubleSeconds(at->second.seconds.Mean());
    }
    answered.push_back({numeric_class, speed});
  }
  if (answered.empty()) return;
  job.numeric_class = schedule::FastestClass(answered);
  job.promise = Promise::kStrict;
  deadlines_.Clear({TimerKind::kProof, job.id});
  for (const schedule::ClassSpeed& worker : answered)
    others += worker.numeric_class != job.numeric_class;
  RecordClass(job);
  Tell(
      &job, "promise_chosen", std::nullopt, "",
      absl::StrCat("Strict, proven: class ", ShortDigest(job.numeric_class), " of ",
                   answered.size() - others, answered.size() - others == 1 ? " worker" : " workers",
                   "; ", others, " of another class."));
  wake_idle_ = true;
}

void Scheduler::Impl::PresumePromise(Job& job) {
  std::set<std::string> keys;
  for (const auto& [id, worker] : job.candidates) keys.insert(worker->offer.environment_key);
  job.promise = schedule::PresumedPromise(keys);
  const size_t workers = job.candidates.size();
  std::string text;
  if (job.promise == Promise::kStrict) {
    job.numeric_class = *keys.begin();
    text = workers == 1 ? "Strict by presumption: one worker is eligible."
                        : absl::StrCat("Strict by presumption: the ", workers,
                                       " eligible workers share one environment.");
  } else {
    text = absl::StrCat("Tolerant: the ", workers, " eligible workers have ", keys.size(),
                        " environments.");
  }
  RecordClass(job);
  Tell(&job, "promise_chosen", std::nullopt, "", text);
}

void Scheduler::Impl::TurnTolerant(Job& job, std::optional<int64_t> tile, const std::string& worker,
                                   const std::string& why) {
  job.promise = Promise::kTolerant;
  job.numeric_class.clear();
  deadlines_.Clear({TimerKind::kClassGrace, job.id});
  RecordClass(job);
  Tell(&job, "turned_tolerant", tile, worker,
       absl::StrCat(job.spec.name, " promises no single hash any more",
                    tile.has_value() ? absl::StrCat(" from tile ", *tile, " on") : "", ": ", why,
                    "."));
}

void Scheduler::Impl::RecordClass(const Job& job) {
  Keep(job, {.kind = Record::Kind::kJobClass, .value = job.numeric_class, .promise = job.promise});
}

void Scheduler::Impl::WatchClassHolders(Job& job) {
  if (job.promise != Promise::kStrict) return;
  const schedule::Timer timer{TimerKind::kClassGrace, job.id};
  const bool held = std::any_of(
      job.candidates.begin(), job.candidates.end(),
      [&](const auto& entry) { return entry.second->offer.environment_key == job.numeric_class; });
  if (held) {
    deadlines_.Clear(timer);
  } else if (deadlines_.At(timer) == Instant::Never()) {
    deadlines_.Set(timer, now_ + options_.class_grace);
  }
}

std::string Scheduler::Impl::ClassMismatch(const Job& job, const ResultArrived& event,
                                           const Worker* worker, std::string* numeric_class) const {
  std::string key;
  bool known = false;
  if (worker != nullptr && event.incarnation == worker->incarnation) {
    key = worker->offer.environment_key;
    known = true;
  } else if (worker != nullptr && event.incarnation == worker->earlier_incarnation) {
    key = worker->earlier_key;
    known = true;
  }
  std::string measured = event.numeric_class;
  if (measured.empty() && known && event.incarnation == worker->incarnation) {
    measured = ClassOf(*job.stage, *worker);
  }
  if (measured.empty() && job.restored && job.spec.prove_class && event.lease.epoch < epoch_) {
    // The earlier coordinator granted only to workers that had proven the class.
    measured = job.numeric_class;
  }
  *numeric_class = measured.empty() ? key : measured;
  if (job.promise != Promise::kStrict) return "";
  if (job.spec.prove_class) {
    if (measured == job.numeric_class) return "";
    return measured.empty() ? absl::StrCat("The job is strict, and the numeric class of ",
                                           event.worker, " is not known.")
                            : absl::StrCat("The result is of numeric class ", ShortDigest(measured),
                                           ", the job of ", ShortDigest(job.numeric_class), ".");
  }
  if (known && key == job.numeric_class) return "";
  return absl::StrCat("The job is strict, and the environment of ", event.worker,
                      known ? " is another one." : " is not known.");
}

}  // namespace tilewright
