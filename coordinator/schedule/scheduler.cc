#include "coordinator/schedule/scheduler.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "coordinator/schedule/eligibility.h"
#include "coordinator/schedule/scheduler_impl.h"
#include "coordinator/schedule/sentences.h"

namespace tilewright {

using schedule::Timer;
using schedule::TimerKind;

Scheduler::Scheduler(const SchedulerOptions& options, uint64_t epoch, const Snapshot& snapshot,
                     Instant now)
    : impl_(std::make_unique<Impl>(options, epoch)) {
  impl_->Restore(snapshot, now);
}
Scheduler::~Scheduler() = default;

Decisions Scheduler::Handle(const Event& event, Instant now) { return impl_->Handle(event, now); }
Instant Scheduler::next_deadline() const { return impl_->next_deadline(); }
std::optional<JobView> Scheduler::ViewJob(const std::string& job) const {
  return impl_->ViewJob(job);
}
void Scheduler::Forget(const std::string& job) { impl_->Forget(job); }
std::vector<WorkerView> Scheduler::ViewWorkers() const { return impl_->ViewWorkers(); }
std::optional<WorkerView> Scheduler::ViewWorker(const std::string& name) const {
  return impl_->ViewWorker(name);
}
std::vector<MatchView> Scheduler::Match(const JobSpec& job) const { return impl_->Match(job); }
absl::Status Scheduler::Admit(const JobSubmitted& job, absl::Duration* retry_after) const {
  return impl_->Admit(job, retry_after);
}
absl::Status Scheduler::AdmitPriority(const std::string& job, int priority) const {
  return impl_->AdmitPriority(job, priority);
}
Footprint Scheduler::footprint() const { return impl_->footprint(); }
absl::Status Scheduler::CheckInvariants() const { return impl_->CheckInvariants(); }

Decisions Scheduler::Impl::Handle(const Event& event, Instant now) {
  now_ = std::max(now_, now);
  out_ = Decisions();
  // What was due before the event counts as having happened before it.
  FireDue();
  std::visit([this](const auto& e) { On(e); }, event);
  Dispatch();
  next_deadline_ = deadlines_.Next();
  return std::move(out_);
}

void Scheduler::Impl::FireDue() {
  while (std::optional<Timer> timer = deadlines_.PopDue(now_)) Fire(*timer);
}

void Scheduler::Impl::Fire(Timer timer) {
  switch (timer.kind) {
    case TimerKind::kLiveness:
      OnSilence(*worker_by_id_.at(timer.id));
      return;
    case TimerKind::kForget:
      OnForget(*worker_by_id_.at(timer.id));
      return;
    case TimerKind::kCanary:
      OnCanaryTimeout(*worker_by_id_.at(timer.id));
      return;
    case TimerKind::kLease:
      OnLeaseDeadline(*FindLease(timer.id));
      return;
    case TimerKind::kQuarantine:
      OnQuarantineOver(*worker_by_id_.at(timer.id));
      return;
    case TimerKind::kWorkerGrace:
      OnWorkerGrace(*FindJob(timer.id));
      return;
    case TimerKind::kClassGrace:
      TurnTolerant(*FindJob(timer.id), std::nullopt, "",
                   absl::StrCat("no worker of its environment was connected for ",
                                schedule::SecondsText(options_.class_grace)));
      return;
    case TimerKind::kMaxDuration:
      OnMaxDuration(*FindJob(timer.id));
      return;
    case TimerKind::kEndGame:
      OnEndGame(*FindJob(timer.id));
      return;
    case TimerKind::kCanaryRetry:
      RetryCanaries(*FindJob(timer.id));
      return;
    case TimerKind::kProof: {
      Job& job = *FindJob(timer.id);
      job.proof_over = true;
      MaybeChooseClass(job);
      return;
    }
    case TimerKind::kRestored:
      TellRestored();
      return;
    case TimerKind::kRestartGrace:
      EndWait();
      return;
  }
}

Scheduler::Impl::Job* Scheduler::Impl::FindJob(const std::string& name) const {
  auto it = jobs_.find(name);
  return it == jobs_.end() ? nullptr : it->second.get();
}

Scheduler::Impl::Job* Scheduler::Impl::FindJob(uint64_t id) const {
  auto it = active_jobs_.find(id);
  return it == active_jobs_.end() ? nullptr : it->second;
}

std::vector<Scheduler::Impl::Job*> Scheduler::Impl::ActiveStages(const std::string& name) const {
  std::vector<Job*> stages;
  const Job* job = FindJob(name);
  if (const auto group = groups_.find(name); group != groups_.end()) {
    stages = group->second->stages;
  } else if (job != nullptr) {
    stages = job->group->stages;
  }
  std::erase_if(stages, [](const Job* stage) { return !stage->active(); });
  return stages;
}

Scheduler::Impl::Worker* Scheduler::Impl::FindWorker(const std::string& name) const {
  auto it = workers_.find(name);
  return it == workers_.end() ? nullptr : it->second.get();
}

Scheduler::Impl::Lease* Scheduler::Impl::FindLease(uint64_t sequence) const {
  auto it = leases_.find(sequence);
  return it == leases_.end() ? nullptr : it->second.get();
}

Scheduler::Impl::Lease* Scheduler::Impl::FindLease(const LeaseKey& key,
                                                   const std::string& worker) const {
  Lease* lease = nullptr;
  if (key.epoch == epoch_) {
    lease = FindLease(key.sequence);
    if (lease != nullptr && lease->earlier.has_value()) return nullptr;
  } else if (auto it = adopted_.find(key); it != adopted_.end()) {
    lease = it->second;
  }
  return lease != nullptr && lease->worker->name == worker ? lease : nullptr;
}

std::string Scheduler::Impl::NameOf(const LeaseKey& lease) const {
  return lease.epoch == epoch_ ? absl::StrCat(lease.sequence)
                               : absl::StrCat(lease.epoch, "/", lease.sequence);
}

void Scheduler::Impl::Keep(const Job& job, Record record) {
  record.job = job.spec.name;
  record.age = now_ - job.submitted;
  out_.records.push_back(std::move(record));
}

void Scheduler::Impl::Tell(Job* job, std::string kind, std::optional<int64_t> tile,
                           const std::string& worker, std::string text) {
  if (job != nullptr) {
    const int told = ++job->notices[kind];
    if (told > options_.notices_per_kind_max) return;
    if (told == options_.notices_per_kind_max) {
      absl::StrAppend(&text, " Further notices of this kind are left out.");
    }
  }
  out_.notices.push_back(
      {job == nullptr ? "" : job->spec.name, std::move(kind), tile, worker, std::move(text)});
}

std::optional<JobView> Scheduler::Impl::ViewJob(const std::string& name) const {
  const Job* job = FindJob(name);
  if (job == nullptr) return std::nullopt;
  JobView view;
  view.tile_count = job->spec.tile_count;
  view.tiles_done = job->tiles.accepted();
  view.tiles_leased = job->tiles.leased();
  view.failed_tiles.assign(job->tiles.failed().begin(), job->tiles.failed().end());
  view.holes.assign(job->tiles.holes().begin(), job->tiles.holes().end());
  view.paused = job->paused;
  view.tenant = job->spec.tenant;
  view.priority = job->priority;
  view.attempts = job->attempts;
  view.copies = job->copies;
  view.promise = job->promise;
  view.numeric_class = job->numeric_class;
  view.numeric_classes = job->classes;
  view.tiles_by_worker.insert(job->tiles_by_worker.begin(), job->tiles_by_worker.end());
  view.first_grant = job->first_grant;
  view.last_accept = job->last_accept;
  if (!job->active()) {
    view.remaining = absl::ZeroDuration();
  } else if (!job->paused) {
    view.remaining = Remaining(*job);
  }
  return view;
}

void Scheduler::Impl::Forget(const std::string& name) {
  Job* job = FindJob(name);
  if (job == nullptr || job->active()) return;
  schedule::JobGroup& group = *job->group;
  std::erase(group.stages, job);
  if (group.stages.empty()) groups_.erase(std::string(group.name));
  jobs_.erase(name);
}

WorkerView Scheduler::Impl::ViewOf(const Worker& worker) const {
  WorkerView view;
  view.name = worker.name;
  view.connected = worker.connected();
  view.incarnation = worker.incarnation;
  view.leased_tiles = static_cast<int>(worker.held_tiles);
  view.accepted_tiles = worker.accepted_tiles;
  view.last_heard = worker.last_heard;
  view.draining = worker.draining;
  if (worker.quarantine.has_value())
    view.quarantine = std::max(worker.quarantine->until - now_, absl::ZeroDuration());
  return view;
}

std::optional<WorkerView> Scheduler::Impl::ViewWorker(const std::string& name) const {
  const Worker* worker = FindWorker(name);
  WorkerView view;
  if (worker != nullptr) view = ViewOf(*worker);
  view.name = name;
  for (const auto& [id, job] : active_jobs_) {
    if (job->blocklist.contains(name)) view.blocklisted_for.push_back(job->spec.name);
  }
  if (worker == nullptr && view.blocklisted_for.empty()) return std::nullopt;
  return view;
}

std::vector<WorkerView> Scheduler::Impl::ViewWorkers() const {
  std::map<std::string, std::vector<std::string>> blocklisted;  // jobs by worker
  for (const auto& [id, job] : active_jobs_) {
    for (const std::string& name : job->blocklist) blocklisted[name].push_back(job->spec.name);
  }
  std::vector<WorkerView> views;
  for (const auto& [name, worker] : workers_) {
    if (!worker->connected()) continue;
    WorkerView& view = views.emplace_back(ViewOf(*worker));
    view.blocklisted_for = std::move(blocklisted[name]);
  }
  std::sort(views.begin(), views.end(),
            [](const WorkerView& a, const WorkerView& b) { return a.name < b.name; });
  return views;
}

std::vector<MatchView> Scheduler::Impl::Match(const JobSpec& spec) const {
  auto stage = stages_.find(schedule::StageKeyOf(spec));
  const int64_t floor = stage == stages_.end() ? 0 : stage->second->memory_floor;
  std::vector<MatchView> views;
  for (const auto& [name, worker] : workers_) {
    if (!worker->connected()) continue;
    std::string why = schedule::WhyNotEligible(spec, worker->offer, floor);
    if (why.empty()) why = WhyPutAside(*worker);
    views.push_back({name, why.empty(), why.empty() ? "" : absl::StrCat(name, " ", why, ".")});
  }
  std::sort(views.begin(), views.end(),
            [](const MatchView& a, const MatchView& b) { return a.worker < b.worker; });
  return views;
}

}  // namespace tilewright
