// The life of jobs: submitted, without workers, ended.

#include <algorithm>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "coordinator/schedule/clocks.h"
#include "coordinator/schedule/eligibility.h"
#include "coordinator/schedule/scheduler_impl.h"
#include "coordinator/schedule/sentences.h"

namespace tilewright {

using schedule::JobState;
using schedule::Timer;
using schedule::TimerKind;

namespace {

constexpr size_t kStagesMax = 1024;
// Tenants beyond which those without a job and without a lead are forgotten.
constexpr size_t kTenantsMax = 1024;

}  // namespace

void Scheduler::Impl::On(const JobSubmitted& event) {
  if (jobs_.contains(event.job.name) || groups_.contains(event.job.name)) return;
  Record submitted{.kind = Record::Kind::kJobSubmitted,
                   .job = event.job.name,
                   .spec = std::make_shared<const JobSpec>(event.job)};
  if (!event.later_stages.empty())
    submitted.later_stages = std::make_shared<const std::vector<JobSpec>>(event.later_stages);
  out_.records.push_back(std::move(submitted));
  Submit(event.job);
  for (const JobSpec& stage : event.later_stages) Submit(stage);
}

void Scheduler::Impl::Submit(const JobSpec& spec) {
  Job& job = OpenJob(spec, absl::ZeroDuration());
  ContinueJob(job);
  if (job.tiles.open() == 0) {
    EndJob(job, EndReason::kDone, absl::OkStatus());
    return;
  }
  for (auto& [id, at] : job.stage->workers) ForgiveCanaryDeaths(at);
  UpdateReady(job);
  for (const auto& [id, worker] : worker_by_id_) {
    if (worker->connected() && WhyNotCandidate(job, *worker).empty()) job.candidates[id] = worker;
  }
  wake_idle_ = true;
  CandidatesChanged(job);
  ForgetStages();
}

Scheduler::Impl::Job& Scheduler::Impl::OpenJob(const JobSpec& spec, absl::Duration age) {
  Job& job = *(jobs_[spec.name] = std::make_unique<Job>(spec));
  job.id = ++last_job_;
  job.submitted = now_ - age;
  job.tiles_ahead = spec.tiles_ahead;
  job.leased_max = spec.leased_max;
  job.stage = &StageFor(spec);
  job.stage->active_jobs++;
  job.stage->last_used = job.id;
  job.tenant = &TenantFor(spec.tenant);
  job.group = &GroupFor(spec);
  job.group->stages.push_back(&job);
  if (++job.group->active == 1) job.tenant->open_jobs++;
  job.tenant->open_bytes += spec.output_bytes * spec.tile_count;
  job.priority = spec.priority;
  active_jobs_[job.id] = &job;
  if (spec.max_duration.has_value())
    deadlines_.Set({TimerKind::kMaxDuration, job.id},
                   std::max(now_, job.submitted + *spec.max_duration));
  return job;
}

void Scheduler::Impl::On(const JobStopped& event) {
  const std::vector<Job*> stages = ActiveStages(event.job);
  if (stages.empty()) return;
  EndJob(*stages.front(), EndReason::kStopped, absl::CancelledError(event.reason));
}

void Scheduler::Impl::EndJob(Job& job, EndReason reason, const absl::Status& status) {
  const std::string value =
      status.ok()
          ? "succeeded"
          : absl::StrCat(status.code() == absl::StatusCode::kCancelled ? "cancelled" : "failed",
                         ": ", status.message());
  EndStage(job, reason, status);
  Keep(job, {.kind = Record::Kind::kJobEnded, .value = value});
  if (status.ok()) return;
  for (Job* stage : job.group->stages) {
    if (stage->active()) EndStage(*stage, reason, status);
  }
}

void Scheduler::Impl::EndStage(Job& job, EndReason reason, const absl::Status& status) {
  job.state = JobState::kEnded;
  active_jobs_.erase(job.id);
  ending_jobs_.erase(job.id);
  job.tracked = false;
  job.finishes.clear();
  job.stage->active_jobs--;
  for (TimerKind kind : {TimerKind::kWorkerGrace, TimerKind::kClassGrace, TimerKind::kProof,
                         TimerKind::kCanaryRetry, TimerKind::kMaxDuration, TimerKind::kEndGame}) {
    deadlines_.Clear({kind, job.id});
  }
  const std::string why = status.ok() ? absl::StrCat(job.spec.name, " is done.")
                                      : absl::StrCat(job.spec.name, " has ended.");
  for (const auto& [sequence, lease] : leases_) {
    if (lease->job != &job) continue;
    if (lease->wanted > 0) TakeBackLease(*lease, why);
    lease->last_budget = WorkBudgetOf(*lease);
    lease->job = nullptr;
  }
  for (const auto& [id, worker] : job.candidates) std::erase(worker->canary_jobs, job.id);
  job.candidates.clear();
  UpdateReady(job);
  if (--job.group->active == 0) job.tenant->open_jobs--;
  job.tenant->open_bytes -= job.spec.output_bytes * job.tiles.open();
  job.tenant = nullptr;
  job.tiles.Release();
  out_.job_ends.push_back({job.spec.name, reason, status});
}

void Scheduler::Impl::EndIfDone(Job& job) {
  if (job.active() && job.tiles.open() == 0) EndJob(job, EndReason::kDone, absl::OkStatus());
}

std::optional<absl::Duration> Scheduler::Impl::Remaining(const Job& job) const {
  const int64_t moving = job.tiles.open() - static_cast<int64_t>(job.tiles.failed().size());
  const double speed = PoolOf(job).tiles_per_second;
  if (moving == 0 || speed <= 0) return std::nullopt;
  return absl::Seconds(static_cast<double>(moving) / speed);
}

void Scheduler::Impl::UpdateReady(Job& job) {
  UpdateEnding(job);
  UpdateFull(job);
  const std::vector<Job*>& stages = job.group->stages;
  ready_.SetReady(job.group->account, std::any_of(stages.begin(), stages.end(),
                                                  [](const Job* s) { return s->servable(); }));
}

Scheduler::Impl::Tenant& Scheduler::Impl::TenantFor(const std::string& name) {
  std::unique_ptr<Tenant>& tenant = tenants_[name];
  if (tenant != nullptr) return *tenant;
  tenant = std::make_unique<Tenant>();
  tenant->name = name;
  tenant->quota = QuotaOf(name);
  tenant->account.id = ++last_tenant_;
  tenant->account.share = tenant->quota.share;
  Tenant& made = *tenant;
  if (tenants_.size() > kTenantsMax) ForgetTenants();
  return made;
}

void Scheduler::Impl::ForgetTenants() {
  std::erase_if(tenants_, [&](const auto& entry) {
    const Tenant& tenant = *entry.second;
    return tenant.account.id != last_tenant_ && tenant.open_jobs == 0 &&
           tenant.account.time <= ready_.entry();
  });
}

Scheduler::Impl::Stage& Scheduler::Impl::StageFor(const JobSpec& spec) {
  std::unique_ptr<Stage>& stage = stages_[schedule::StageKeyOf(spec)];
  if (stage == nullptr) {
    stage = std::make_unique<Stage>();
    stage->key = schedule::StageKeyOf(spec);
  }
  return *stage;
}

// What was measured of a stage is dear; only the least recently used ones beyond a generous number
// go.
void Scheduler::Impl::ForgetStages() {
  while (stages_.size() > kStagesMax) {
    auto oldest = stages_.end();
    for (auto it = stages_.begin(); it != stages_.end(); ++it) {
      if (it->second->active_jobs > 0) continue;
      if (oldest == stages_.end() || it->second->last_used < oldest->second->last_used) oldest = it;
    }
    if (oldest == stages_.end()) return;
    Stage* stage = oldest->second.get();
    for (const auto& [id, worker] : worker_by_id_) {
      std::erase(worker->stages, stage);
      if (worker->loaded == stage) worker->loaded = nullptr;
      std::erase_if(worker->late_canaries,
                    [&](const schedule::Canary& c) { return c.stage == stage; });
      if (worker->canary.has_value() && worker->canary->stage == stage) ForgetCanary(*worker);
    }
    stages_.erase(oldest);
  }
}

void Scheduler::Impl::RefreshCandidate(Job& job, Worker& worker) {
  const bool eligible = worker.connected() && WhyNotCandidate(job, worker).empty();
  if (eligible == job.candidates.contains(worker.id)) {
    if (worker.quarantined() || job.blocklist.contains(worker.name)) KeepSomebody(job);
    if (!job.waiting_told.empty()) TellWaiting(job);
    return;
  }
  if (eligible) {
    job.candidates[worker.id] = &worker;
  } else {
    job.candidates.erase(worker.id);
    std::erase(worker.canary_jobs, job.id);
  }
  wake_idle_ = true;  // "elsewhere" may mean another worker now
  CandidatesChanged(job);
}

void Scheduler::Impl::CandidatesChanged(Job& job) {
  const Timer grace{TimerKind::kWorkerGrace, job.id};
  const Timer retry{TimerKind::kCanaryRetry, job.id};
  if (job.paused) {  // it waits for nobody; the rest is caught up on when it is resumed
    KeepSomebody(job);
    return;
  }
  if (job.spec.prove_class) {
    WantCanaries(job);
    MaybeChooseClass(job);
  } else {
    WatchClassHolders(job);
  }
  KeepSomebody(job);
  if (HasHope(job)) {
    deadlines_.Clear(grace);
    deadlines_.Clear(retry);
    job.waiting_told.clear();
    job.floor_emptied = false;
    return;
  }
  const bool fails = job.state == JobState::kWaiting || job.floor_emptied;
  if (fails && deadlines_.At(grace) == Instant::Never()) {
    deadlines_.Set(grace, now_ + options_.worker_grace);
  }
  if (!fails && job.spec.prove_class && deadlines_.At(retry) == Instant::Never()) {
    deadlines_.Set(retry, now_ + options_.canary_retry);
  }
  TellWaiting(job);
}

void Scheduler::Impl::TellWaiting(Job& job) {
  // Of many workers that come and go and are of no use, not all reasons are looked up.
  if (job.notices["job_waiting"] >= options_.notices_per_kind_max) return;
  std::string why = WhyNobody(job);
  if (why == job.waiting_told) return;
  const Instant until = deadlines_.At({TimerKind::kWorkerGrace, job.id});
  const std::string limit =
      until == Instant::Never() ? "" : absl::StrCat(" up to ", schedule::SecondsText(until - now_));
  Tell(&job, "job_waiting", std::nullopt, "",
       absl::StrCat("No connected worker can take tiles of ", job.spec.name, " (", why,
                    "); it waits", limit, "."));
  job.waiting_told = std::move(why);
}

bool Scheduler::Impl::HasHope(const Job& job) const {
  return std::any_of(job.candidates.begin(), job.candidates.end(),
                     [&](const auto& entry) { return Helps(job, *entry.second); });
}

void Scheduler::Impl::OnWorkerGrace(Job& job) {
  EndJob(job, EndReason::kNoWorker,
         absl::FailedPreconditionError(absl::StrCat(
             "No connected worker could take tiles of ", job.spec.name, " (model ",
             job.spec.model_name, ") within ", schedule::SecondsText(options_.worker_grace), ": ",
             WhyNobody(job), ".")));
}

std::string Scheduler::Impl::WhyNobody(const Job& job) const {
  std::vector<const Worker*> connected;
  for (const auto& [name, worker] : workers_) {
    if (worker->connected()) connected.push_back(worker.get());
  }
  if (connected.empty()) return "none is connected";
  std::partial_sort(
      connected.begin(), connected.begin() + std::min(connected.size(), schedule::kWorkersNamed),
      connected.end(), [](const Worker* a, const Worker* b) { return a->name < b->name; });
  std::vector<std::string> reasons;
  for (const Worker* worker : connected) {
    if (reasons.size() == schedule::kWorkersNamed && connected.size() > schedule::kWorkersNamed) {
      reasons.push_back(absl::StrCat("and ", connected.size() - schedule::kWorkersNamed, " more"));
      break;
    }
    reasons.push_back(absl::StrCat(worker->name, " ", WhyNot(job, *worker)));
  }
  return absl::StrJoin(reasons, "; ");
}

std::string Scheduler::Impl::WhyNot(const Job& job, const Worker& worker) const {
  std::string why = WhyNotCandidate(job, worker);
  if (!why.empty() || !job.spec.prove_class) return why;
  const std::string& numeric_class = ClassOf(*job.stage, worker);
  if (numeric_class.empty()) {
    auto at = job.stage->workers.find(worker.id);
    const bool failed = at != job.stage->workers.end() && !at->second.canary_failure.empty();
    return failed ? at->second.canary_failure : "has not answered its canary yet";
  }
  if (!job.numeric_class.empty() && numeric_class != job.numeric_class) {
    return absl::StrCat("is of numeric class ", schedule::ShortDigest(numeric_class),
                        ", the job of ", schedule::ShortDigest(job.numeric_class));
  }
  return "";
}

}  // namespace tilewright
