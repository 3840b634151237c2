#include "coordinator/service/dispatcher.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "coordinator/jobs/wire_types.h"
#include "coordinator/service/end_reason.h"
#include "coordinator/service/stage_views.h"
#include "proto/base/status_macros.h"
#include "proto/wire/status_details.h"

namespace tilewright {
namespace {

constexpr size_t kEndedJobsMax = 4096;

std::string Describe(LeaseKey lease) { return absl::StrCat(lease.epoch, ".", lease.sequence); }

}  // namespace

Dispatcher::Dispatcher(const DispatcherOptions& options, const Clock& clock,
                       std::unique_ptr<StateStore> store)
    : options_(options),
      clock_(clock),
      scheduler_(options.schedule, options.epoch),
      budget_(options.memory_bytes),
      store_(store != nullptr ? std::move(store) : std::make_unique<MemoryStateStore>()),
      pump_(options.inputs,
            [this](const std::string& job, const absl::Status& status) { Stop(job, status); }),
      merges_(
          options.merges, clock,
          {[this](const std::string& job, const absl::Status& status) { Stop(job, status); },
           [this](const std::string& job, const absl::Status& status) { StrandEnded(job, status); },
           [this](const std::string& job) { Merged(job); }, [this] { RoomChanged(); },
           [this](const std::string& job) { DiskRoomChanged(job); }}) {
  if (options_.keep_time) time_keeper_ = std::thread([this] { KeepTime(); });
}

Dispatcher::~Dispatcher() { Shutdown(); }

void Dispatcher::Shutdown() {
  {
    absl::MutexLock lock(&mu_);
    if (stopped_) return;
    stopping_ = true;
    std::vector<std::string> names;
    for (const auto& [name, job] : jobs_) names.push_back(name);
    const Instant now = clock_.Now();
    for (const std::string& name : names) {
      const absl::Status why = ShuttingDown();
      RunningJob& job = jobs_[name];
      job.why_stop = why;
      if (job.ended) merges_.End(job.strand, why);
      Handle(JobStopped{name, std::string(why.message())}, now);
      EndJob(name, why);
    }
    mu_.Await(absl::Condition(this, &Dispatcher::NoJobs));
    for (auto& [name, peer] : peers_) {
      const absl::Status gone = absl::UnavailableError("the coordinator is shutting down");
      if (peer.control != nullptr) peer.control->Close(gone);
      if (peer.inputs != nullptr) peer.inputs->Close(gone);
    }
    peers_.clear();
    stopped_ = true;
    time_changed_.SignalAll();
  }
  if (time_keeper_.joinable()) time_keeper_.join();
  pump_.Stop();
  merges_.Stop();
}

absl::Status Dispatcher::Submit(const JobSpec& job, std::shared_ptr<JobHost> host) {
  return Submit({Stage{job, std::move(host)}});
}

absl::Status Dispatcher::Check(const JobSubmitted& job, const JobMemory& memory) const {
  absl::MutexLock lock(&mu_);
  return CheckLocked(job, memory);
}

absl::Status Dispatcher::CheckLocked(const JobSubmitted& job, const JobMemory& memory) const {
  if (stopping_) return ShuttingDown();
  if (!broken_.ok()) return broken_;
  absl::Duration retry_after = absl::ZeroDuration();
  const absl::Status admitted = scheduler_.Admit(job, &retry_after);
  if (!admitted.ok()) return Refused(admitted, retry_after, "BAD_REQUEST");
  const absl::Status fits = budget_.Check(memory);
  return fits.ok() ? fits : WithReason(fits, "MEMORY_TOO_SMALL");
}

absl::Status Dispatcher::Submit(std::vector<Stage> stages) {
  absl::MutexLock lock(&mu_);
  JobSubmitted submitted{stages.front().spec, {}};
  // Each stage merges for itself, so each has its floor, and together they run or wait.
  JobMemory together;
  for (const Stage& stage : stages) {
    together.input += stage.host->memory().floor();
    if (&stage != &stages.front()) submitted.later_stages.push_back(stage.spec);
  }
  TW_RETURN_IF_ERROR(CheckLocked(submitted, together));
  const std::string name = submitted.job.name;
  if (jobs_.contains(name) || stages_.contains(name)) {
    return absl::InternalError(absl::StrCat(name, " runs already; this is a bug"));
  }
  for (Stage& stage : stages) {
    RunningJob& running = jobs_[stage.spec.name];
    running.job = name;
    running.host = stage.host;
    running.strand = merges_.NewStrand(std::move(stage.host));
    if (stages.size() > 1) stages_[name].push_back(stage.spec.name);
    spdlog::info("{} submitted: {} tiles of {}", stage.spec.name, stage.spec.tile_count,
                 stage.spec.model_name);
    budget_.Add(stage.spec.name, running.host->memory());
  }
  const auto limit = [this](JobSpec& spec) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    RunningJob& running = jobs_.at(spec.name);
    running.limits = budget_.LimitsOf(spec.name);
    merges_.LimitHeld(running.strand, running.limits.held_max);
    spec.tiles_ahead = running.limits.tiles_ahead;
    spec.leased_max = running.limits.leased_max;
    return budget_.Runs(spec.name);
  };
  bool runs = limit(submitted.job);
  for (JobSpec& stage : submitted.later_stages) runs = limit(stage) && runs;
  Handle(submitted, clock_.Now());
  if (!runs) {
    Report(Notice{.job = name,
                  .kind = "waits_for_memory",
                  .tile = std::nullopt,
                  .worker = "",
                  .text = absl::StrCat(name, " waits until other jobs leave it the ",
                                       together.floor(), " bytes of memory that it needs.")});
  }
  ApplyAllLimits();
  return absl::OkStatus();
}

std::vector<std::string> Dispatcher::StagesOf(const std::string& job) const {
  const auto found = stages_.find(job);
  return found == stages_.end() ? std::vector<std::string>{job} : found->second;
}

std::string Dispatcher::StageNamed(const v1::TileIdentity& tile) const {
  const auto found = stages_.find(tile.job());
  if (found == stages_.end() || tile.stage() >= found->second.size()) return tile.job();
  return found->second[tile.stage()];
}

void Dispatcher::ReleaseTiles(const std::string& stage, const StageChain::Complete& complete) {
  absl::MutexLock lock(&mu_);
  Handle(TilesReady{stage, complete.tiles, complete.left_out}, clock_.Now());
}

void Dispatcher::Stop(const std::string& name, const absl::Status& why) {
  absl::MutexLock lock(&mu_);
  const auto found = jobs_.find(name);
  StopStages(found == jobs_.end() ? name : std::string(found->second.job), why);
}

void Dispatcher::StopStages(const std::string& job, const absl::Status& why) {
  bool scheduled = false;
  for (const std::string& stage : StagesOf(job)) {
    const auto running = jobs_.find(stage);
    if (running == jobs_.end()) continue;
    if (running->second.why_stop.ok()) running->second.why_stop = why;
    if (running->second.ended) {
      merges_.End(running->second.strand, why);
      continue;
    }
    scheduled = true;
  }
  if (!scheduled) return;
  Handle(JobStopped{job, std::string(why.message())}, clock_.Now());
  for (const std::string& stage : StagesOf(job)) EndJob(stage, why);
}

void Dispatcher::Merged(const std::string& job) {
  absl::MutexLock lock(&mu_);
  CountHeld(job);
}

void Dispatcher::CountHeld(const std::string& job) {
  const auto found = jobs_.find(job);
  if (found == jobs_.end()) return;
  budget_.SetHeld(job, merges_.HeldBytes(found->second.strand));
  ApplyLimits(job);
}

void Dispatcher::ApplyLimits(const std::string& name) {
  const auto found = jobs_.find(name);
  if (found == jobs_.end() || !budget_.Has(name)) return;
  RunningJob& job = found->second;
  MemoryLimits limits = budget_.LimitsOf(name);
  // Results that nobody can write would only pile up.
  if (job.waits_for_room) limits.leased_max = 0;
  if (limits == job.limits) return;
  const bool scheduling =
      limits.leased_max != job.limits.leased_max || limits.tiles_ahead != job.limits.tiles_ahead;
  job.limits = limits;
  merges_.LimitHeld(job.strand, limits.held_max);
  if (scheduling) Handle(JobBudget{name, limits.tiles_ahead, limits.leased_max}, clock_.Now());
}

void Dispatcher::ApplyAllLimits() {
  const std::vector<std::string> names = budget_.jobs();
  for (const std::string& name : names) ApplyLimits(name);
}

void Dispatcher::RoomChanged() {
  absl::MutexLock lock(&mu_);
  // Asked here, under the lock: of two changes close together the later one is told last.
  Handle(ResultsHeld{merges_.Holding()}, clock_.Now());
}

std::optional<JobView> Dispatcher::ViewJob(const std::string& job) const {
  absl::MutexLock lock(&mu_);
  return ViewOf(job);
}

std::vector<JobView> Dispatcher::ViewStages(const std::string& job) const {
  absl::MutexLock lock(&mu_);
  return StageViewsOf(job);
}

std::vector<JobView> Dispatcher::StageViewsOf(const std::string& job) const {
  std::vector<JobView> views;
  for (const std::string& stage : StagesOf(job)) {
    std::optional<JobView> view = scheduler_.ViewJob(stage);
    if (!view.has_value()) return {};
    view->largest_difference = excerpts_.LargestDifference(view->numeric_classes);
    views.push_back(*std::move(view));
  }
  return views;
}

std::optional<JobView> Dispatcher::ViewOf(const std::string& job) const {
  const std::vector<JobView> views = StageViewsOf(job);
  if (views.empty()) return std::nullopt;
  return views.size() == 1 ? views.front() : Together(views);
}

std::vector<MatchView> Dispatcher::Match(const JobSpec& job) const {
  absl::MutexLock lock(&mu_);
  return scheduler_.Match(job);
}

void Dispatcher::Tick() {
  merges_.RetryDue();
  absl::MutexLock lock(&mu_);
  Handle(tilewright::Tick{}, clock_.Now());
}

Instant Dispatcher::next_deadline() const {
  absl::MutexLock lock(&mu_);
  return std::min(scheduler_.next_deadline(), merges_.next_retry());
}

void Dispatcher::KeepTime() {
  absl::MutexLock lock(&mu_);
  while (!stopped_) {
    const Instant due = broken_.ok() ? scheduler_.next_deadline() : Instant::Never();
    const Instant deadline = std::min(due, merges_.next_retry());
    const Instant now = clock_.Now();
    if (deadline <= now) {
      merges_.RetryDue();
      Handle(tilewright::Tick{}, now);
      // A deadline that a tick does not settle would spin: look again a little later.
      if (scheduler_.next_deadline() <= now) {
        time_changed_.WaitWithTimeout(&mu_, absl::Milliseconds(10));
      }
      continue;
    }
    time_keeper_wakes_ = deadline;
    time_changed_.WaitWithTimeout(&mu_, deadline - now);
    time_keeper_wakes_ = Instant();
  }
}

void Dispatcher::Handle(const Event& event, Instant now) {
  if (!broken_.ok()) return;
  const Decisions decisions = scheduler_.Handle(event, now);
  if (!Persist(decisions.records)) return;
  CarryOut(decisions);
  if (scheduler_.next_deadline() < time_keeper_wakes_) time_changed_.Signal();
}

bool Dispatcher::Persist(absl::Span<const Record> records) {
  if (records.empty()) return true;
  const absl::Status kept = store_->Append(records);
  if (kept.ok()) return true;
  broken_ =
      WithReason(absl::UnavailableError(absl::StrCat(
                     "the coordinator cannot keep its records (", kept.message(),
                     "): its jobs have ended, and it takes no others until it is started again")),
                 "STORE_FAILED");
  spdlog::error("{}", std::string(broken_.message()));
  std::vector<std::string> names;
  for (const auto& [name, job] : jobs_) names.push_back(name);
  for (const std::string& name : names) EndJob(name, broken_);
  for (auto& [name, peer] : peers_) {
    if (peer.control != nullptr) peer.control->Close(broken_);
    if (peer.inputs != nullptr) peer.inputs->Close(broken_);
    peer.control = nullptr;
    peer.inputs = nullptr;
    pump_.Attach(peer.feed, nullptr);
  }
  return false;
}

void Dispatcher::CarryOut(const Decisions& decisions) {
  for (const TakeBack& take_back : decisions.take_backs) SendTakeBack(take_back);
  for (const CanaryOrder& order : decisions.canaries) SendCanary(order);
  for (const std::string& job : decisions.job_starts) {
    const auto found = jobs_.find(job);
    if (found != jobs_.end()) found->second.host->OnStarted();
  }
  for (const Grant& grant : decisions.grants) SendGrant(grant);
  for (const std::string& worker : decisions.sync_requests) {
    v1::CoordinatorEvent event;
    event.mutable_sync();
    if (ControlSink* control = ControlOf(worker)) control->Send({std::move(event)});
  }
  for (const std::string& worker : decisions.disconnects) {
    const auto found = peers_.find(worker);
    if (found == peers_.end() || found->second.control == nullptr) continue;
    found->second.control->Close(absl::UnavailableError(
        absl::StrCat("nothing was heard from ", worker, " for ",
                     absl::FormatDuration(options_.schedule.liveness), ": say hello again")));
    found->second.control = nullptr;
  }
  for (const Hole& hole : decisions.holes) LeaveOut(hole);
  for (const Notice& notice : decisions.notices) Report(notice);
  for (const JobEnd& end : decisions.job_ends) EndJob(end.job, WithEndReason(end));
}

ControlSink* Dispatcher::ControlOf(const std::string& worker) {
  const auto found = peers_.find(worker);
  return found == peers_.end() ? nullptr : found->second.control.get();
}

void Dispatcher::SendGrant(const Grant& grant) {
  const auto job = jobs_.find(grant.job);
  const auto peer = peers_.find(grant.worker);
  if (job == jobs_.end() || peer == peers_.end() || peer->second.control == nullptr) {
    spdlog::error("lease {} of {} has nobody to go to; this is a bug", Describe(grant.lease),
                  grant.job);
    return;
  }
  v1::CoordinatorEvent event;
  v1::Lease* lease = event.mutable_grant();
  SetWire(grant.lease, lease->mutable_id());
  v1::StageSpec* stage = lease->mutable_stage();
  *stage = job->second.host->stage();
  stage->set_strict(grant.strict);
  stage->set_numeric_class(grant.numeric_class);
  stage->set_canary_seed(grant.canary_seed);
  stage->set_deadline_ms(static_cast<uint64_t>(absl::ToInt64Milliseconds(grant.deadline)));
  lease->mutable_tiles()->Reserve(static_cast<int>(grant.tiles.size()));
  for (const int64_t tile : grant.tiles) lease->add_tiles(static_cast<uint64_t>(tile));
  spdlog::debug("{} lease {}: {} tiles from {} to {}", grant.job, Describe(grant.lease),
                grant.tiles.size(), grant.tiles.front(), grant.worker);
  peer->second.held[grant.lease] = HeldTiles{grant.job, grant.tiles, grant.tiles.size()};
  peer->second.control->Send({std::move(event)});
  pump_.Add(peer->second.feed, job->second.host, grant.lease, grant.tiles);
}

void Dispatcher::SendTakeBack(const TakeBack& take_back) {
  const auto found = peers_.find(take_back.worker);
  if (found == peers_.end()) return;
  Peer& peer = found->second;
  pump_.Remove(peer.feed, take_back.lease, take_back.tiles);
  if (take_back.tiles.empty()) {
    peer.held.erase(take_back.lease);
  } else {
    for (const int64_t tile : take_back.tiles) Settle(peer, take_back.lease, tile);
  }
  if (peer.control == nullptr) return;
  if (const auto held = peer.held.find(take_back.lease); held != peer.held.end())
    held->second.take_backs++;
  v1::CoordinatorEvent event;
  SetWire(take_back.lease, event.mutable_take_back()->mutable_lease());
  for (const int64_t tile : take_back.tiles) {
    event.mutable_take_back()->add_tiles(static_cast<uint64_t>(tile));
  }
  event.mutable_take_back()->set_reason(take_back.reason);
  peer.control->Send({std::move(event)});
}

void Dispatcher::SendCanary(const CanaryOrder& order) {
  const auto job = jobs_.find(order.job);
  ControlSink* control = ControlOf(order.worker);
  if (job == jobs_.end() || control == nullptr) return;
  v1::CoordinatorEvent event;
  event.mutable_canary()->set_canary(order.canary);
  *event.mutable_canary()->mutable_stage() = job->second.host->stage();
  event.mutable_canary()->mutable_stage()->set_strict(true);
  event.mutable_canary()->mutable_stage()->set_deadline_ms(
      static_cast<uint64_t>(absl::ToInt64Milliseconds(order.deadline)));
  event.mutable_canary()->set_seed(order.seed);
  control->Send({std::move(event)});
}

void Dispatcher::Report(const Notice& notice) {
  std::string about = notice.kind;
  if (!notice.job.empty()) absl::StrAppend(&about, " ", notice.job);
  if (notice.tile.has_value()) absl::StrAppend(&about, " tile ", *notice.tile);
  if (!notice.worker.empty()) absl::StrAppend(&about, " worker ", notice.worker);
  spdlog::info("{}: {}", about, notice.text);
  const auto found = jobs_.find(notice.job);
  if (found != jobs_.end()) found->second.host->OnNotice(notice);
}

void Dispatcher::EndJob(const std::string& name, const absl::Status& status) {
  const auto found = jobs_.find(name);
  if (found == jobs_.end() || found->second.ended) return;
  RunningJob& job = found->second;
  job.ended = true;
  for (auto& [worker, peer] : peers_) {
    for (auto held = peer.held.begin(); held != peer.held.end();) {
      if (held->second.job != name) {
        ++held;
        continue;
      }
      pump_.Remove(peer.feed, held->first, {});
      held = peer.held.erase(held);
    }
  }
  const absl::Status& final_status = job.why_stop.ok() ? status : job.why_stop;
  if (final_status.ok()) job.host->OnMerging();
  merges_.End(job.strand, final_status);
}

void Dispatcher::Remember(const std::string& ended, const Operations& operations) {
  if (ended_.insert_or_assign(ended, operations).second) ended_order_.push_back(ended);
  if (ended_order_.size() <= kEndedJobsMax) return;
  ended_.erase(ended_order_.front());
  ended_order_.pop_front();
}

void Dispatcher::StrandEnded(const std::string& name, const absl::Status& status) {
  RunningJob ended;  // destroyed without the lock: it may close files
  absl::MutexLock lock(&mu_);
  const auto found = jobs_.find(name);
  if (found == jobs_.end()) return;
  const std::string job = found->second.job;
  const std::vector<std::string> stages = StagesOf(job);
  const bool last = name == stages.back();
  if (last && status.ok()) {
    spdlog::info("{} succeeded", job);
  } else if (!status.ok()) {
    spdlog::warn("{} ended: {}", name, status.ToString());
  }
  found->second.host->OnEnded(status, last ? ViewOf(job).value_or(JobView()) : JobView());
  ended = std::move(found->second);
  jobs_.erase(found);
  budget_.Remove(name);
  ApplyAllLimits();
  Remember(name, ended.operations);
  if (last) Remember(job, ended.operations);
  if (!last && !status.ok()) StopStages(job, status);
  for (const std::string& stage : stages) {
    if (jobs_.contains(stage)) return;
  }
  for (const std::string& stage : stages) scheduler_.Forget(stage);
  stages_.erase(job);
}

}  // namespace tilewright
