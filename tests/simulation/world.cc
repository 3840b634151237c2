#include "tests/simulation/world.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace tilewright::simulation {
namespace {

constexpr absl::Duration kGiveUpAfter = absl::Minutes(10);
constexpr absl::Duration kLookAfter = absl::Seconds(5);
// After the last job everything must have been let go of within this.
constexpr absl::Duration kQuiet = absl::Minutes(5);
// The greatest factor by which a fault slows a device down.
constexpr double kSlowest = 64;
// Steps at one instant: more is a loop.
constexpr uint64_t kStepsAtOnce = 2'000'000;

}  // namespace

World::World(const SeedPlan& plan, std::ostream* trace)
    : plan_(plan),
      trace_(queue_, trace),
      checks_(plan.options),
      store_(checks_),
      chance_(Random::For(plan.seed, 3)),
      check_every_(plan.check_every > 0
                       ? plan.check_every
                       : static_cast<uint64_t>(std::max<int64_t>(1, plan.tiles() / 300))),
      budget_(plan.fault_budget) {
  for (const JobPlan& job : plan_.jobs) {
    jobs_[job.spec.name] = &job;
    units_merged_[job.spec.name] = 0;
  }
  store_.set_fold(plan.fold_records);
  for (size_t i = 0; i < plan_.workers.size(); ++i) {
    workers_.push_back(std::make_unique<SimWorker>(*this, plan_.workers[i], i));
  }
  leases_max_ = LeasesMax();
  if (plan_.fold_records && !plan_.staged) {
    progress_.emplace(*this);
    fairness_.emplace(*this);
  }
}

size_t World::LeasesMax() const {
  // A lease holds a tile or more, and a worker no more than its level: present ones and those it
  // was told to drop.
  size_t most = 0;
  for (const WorkerPlan& worker : plan_.workers)
    most += 2 * static_cast<size_t>(worker.credit_tiles) + 4;
  return most;
}

World::~World() = default;

const JobPlan* World::FindJob(const std::string& name) const { return jobs_.at(name); }

JobSubmitted World::SubmissionOf(const JobSpec& job) const {
  JobSubmitted submitted{job};
  for (const JobPlan& plan : plan_.jobs) {
    if (plan.spec.job_of_stage == job.name) submitted.later_stages.push_back(plan.spec);
  }
  return submitted;
}

const JobSpec* World::NextStage(const JobSpec& stage) const {
  const size_t next = static_cast<size_t>(FindJob(stage.name) - plan_.jobs.data()) + 1;
  if (next == plan_.jobs.size() || plan_.jobs[next].spec.job_of_stage.empty()) return nullptr;
  return &plan_.jobs[next].spec;
}

const JobSpec* World::StageBefore(const JobSpec& stage) const {
  return stage.job_of_stage.empty() ? nullptr : &(FindJob(stage.name) - 1)->spec;
}

int64_t World::TileBytesMax() const {
  int64_t most = 0;
  for (const JobPlan& job : plan_.jobs)
    most = std::max(most, job.spec.input_bytes + job.spec.output_bytes);
  return most;
}

const SimWorker* World::FindWorker(const std::string& name) const {
  for (const std::unique_ptr<SimWorker>& worker : workers_) {
    if (worker->name() == name) return worker.get();
  }
  return nullptr;
}

bool World::AllEnded() const {
  return store_.jobs_ended() == static_cast<int64_t>(plan_.jobs.size());
}

Outcome World::Run() {
  StartCoordinator();
  for (const std::unique_ptr<SimWorker>& worker : workers_) {
    queue_.After(worker->plan().arrives, [this, w = worker.get()] {
      if (!w->ailments().stays_away) w->Start();
    });
  }
  for (size_t job = 0; job < plan_.jobs.size(); ++job) {
    queue_.After(plan_.jobs[job].submitted, [this, job] { Submit(job); });
  }
  queue_.After(kLookAfter, [this] { LookAfterJobs(); });
  queue_.After(plan_.fault_phase, [this] { Heal(); });
  NextFault();
  RunUntilEnded();
  outcome_.time = now().since_start();
  for (const std::unique_ptr<SimWorker>& worker : workers_) {
    outcome_.capacity_units += worker->capacity_units();
    outcome_.destroyed_units += worker->destroyed_units();
  }
  if (progress_.has_value()) {
    progress_->Lost(outcome_.destroyed_units);
    outcome_.over_bound = progress_->OverBound(outcome_.faults);
    if (std::string late = progress_->Judge(outcome_.faults); !late.empty()) checks_.Trouble(late);
  }
  if (fairness_.has_value() && checks_.trouble().empty()) {
    if (std::string unfair = fairness_->Judge(); !unfair.empty()) checks_.Trouble(unfair);
    outcome_.unfairness = fairness_->worst();
    outcome_.contests = fairness_->judged();
  }
  if (checks_.trouble().empty()) CheckQuiet();
  outcome_.trouble = checks_.trouble();
  for (const JobPlan& job : plan_.jobs) outcome_.jobs_succeeded += store_.Succeeded(job.spec.name);
  outcome_.tiles_merged = store_.tiles_merged();
  outcome_.steps = queue_.steps();
  outcome_.bad_results = checks_.bad_results();
  outcome_.coordinators = static_cast<int>(coordinators_.size());
  for (const std::unique_ptr<SimCoordinator>& coordinator : coordinators_) {
    outcome_.core_cost.Add(coordinator->cost());
  }
  return outcome_;
}

void World::RunUntilEnded() {
  Instant at;
  uint64_t at_once = 0;
  const Instant end = Instant() + plan_.fault_phase + Bound();
  while (!AllEnded() && checks_.trouble().empty()) {
    if (progress_.has_value() && queue_.next() > now())
      progress_->Advance(std::min(queue_.next(), end));
    if (!queue_.Run(end)) {
      int64_t missing = static_cast<int64_t>(plan_.jobs.size()) - store_.jobs_ended();
      checks_.Trouble(absl::StrCat(missing, " of ", plan_.jobs.size(), " jobs did not end within ",
                                   absl::FormatDuration(Bound()), " after the cluster healed"));
    }
    at_once = now() == at ? at_once + 1 : 0;
    at = now();
    if (at_once > kStepsAtOnce) checks_.Trouble("time stands still");
  }
}

// What the healed cluster may take: every tile at the slowest worker, one after the other, and what
// may be overdue before.
absl::Duration World::Bound() const {
  double slowest = 0;
  absl::Duration timeout;
  int batch = 1;
  for (const WorkerPlan& worker : plan_.workers) slowest = std::max(slowest, worker.unit_seconds);
  for (const JobPlan& job : plan_.jobs) {
    timeout = std::max(timeout, job.spec.tile_timeout);
    batch = std::max(batch, job.spec.executed_batch);
  }
  return absl::Seconds(2 * plan_.units() * batch * slowest) + 8 * timeout +
         8 * plan_.options.quarantine_max + 4 * plan_.options.worker_grace + absl::Minutes(30);
}

std::string World::WhoHolds() const {
  for (const std::unique_ptr<SimWorker>& worker : workers_) {
    if (!worker->holds_nothing()) return absl::StrCat(worker->name(), " holds a lease");
  }
  if (current_ == nullptr) return "there is no coordinator";
  for (const WorkerView& worker : current_->scheduler().ViewWorkers()) {
    if (worker.leased_tiles > 0)
      return absl::StrCat("the core counts ", worker.leased_tiles, " tiles of ", worker.name);
  }
  return "";
}

void World::CheckQuiet() {
  Heal();
  // What a slowed-down device has in it must come out first.
  double units = 0, slowest = 0;
  for (const JobPlan& job : plan_.jobs)
    units = std::max(units, job.units * std::max(1, job.spec.executed_batch));
  for (const WorkerPlan& worker : plan_.workers) slowest = std::max(slowest, worker.unit_seconds);
  const Instant end = now() + kQuiet + absl::Seconds(units * slowest * 2 * kSlowest);
  while (checks_.trouble().empty() && !WhoHolds().empty()) {
    if (!queue_.Run(std::min(end, now() + absl::Seconds(1))) && now() >= end) {
      checks_.Trouble(absl::StrCat(WhoHolds(), " long after all jobs ended"));
    }
  }
}

// ---- Coordinators.

void World::StartCoordinator() {
  if (current_ != nullptr) return;
  const uint64_t epoch = store_.RaiseEpoch();
  coordinators_.push_back(std::make_unique<SimCoordinator>(*this, epoch, store_.snapshot()));
  current_ = coordinators_.back().get();
  serves_from_ = now();
  if (!store_.snapshot().workers.empty()) serves_from_ = now() + plan_.options.restart_grace;
  if (progress_.has_value()) progress_->Forget();
  TurnsBroken();
  current_->Handle(Tick{});
}

void World::CoordinatorDied(SimCoordinator& coordinator) {
  for (Session& session : sessions_) {
    if (session.coordinator == &coordinator) Break(session, false);
  }
  for (ResultStream& stream : results_) {
    if (stream.coordinator == &coordinator) Break(stream, false);
  }
  if (rival_ == &coordinator) rival_ = nullptr;
  if (current_ != &coordinator) return;
  current_ = nullptr;
  queue_.After(chance_.Spread(absl::Milliseconds(200), 7), [this] { StartCoordinator(); });
}

SimCoordinator* World::Reachable(SimWorker& worker) {
  for (Direction direction : {Direction::kUp, Direction::kDown}) {
    if (worker.line().BlockedUntil(direction) > now()) return nullptr;
  }
  if (rival_ != nullptr && worker.line().random.Chance(0.3)) return rival_;
  return current_;
}

// ---- Streams.

Session* World::Connect(SimWorker& worker) {
  SimCoordinator* coordinator = Reachable(worker);
  if (coordinator == nullptr) return nullptr;
  Session& session = sessions_.emplace_back();
  session.id = ++streams_;
  session.worker = &worker;
  session.coordinator = coordinator;
  session.incarnation = worker.incarnation();
  session.up = std::make_shared<Pipe<Event>>(
      queue_, worker.line(), Direction::kUp,
      [&session](const Event& event) { session.coordinator->OnControl(session, event); });
  session.down = std::make_shared<Pipe<ControlDown>>(
      queue_, worker.line(), Direction::kDown,
      [&session](ControlDown message) { session.worker->OnControl(session, std::move(message)); });
  session.inputs = std::make_shared<Pipe<InputTiles>>(
      queue_, worker.line(), Direction::kDown,
      [&session](const InputTiles& inputs) { session.worker->OnInputs(session, inputs); });
  return &session;
}

ResultStream* World::ConnectResults(SimWorker& worker) {
  SimCoordinator* coordinator = Reachable(worker);
  if (coordinator == nullptr || !coordinator->KnowsWorker(worker.name(), worker.incarnation()))
    return nullptr;
  ResultStream& stream = results_.emplace_back();
  stream.id = ++streams_;
  stream.worker = &worker;
  stream.coordinator = coordinator;
  stream.incarnation = worker.incarnation();
  stream.up = std::make_shared<Pipe<ResultSent>>(
      queue_, worker.line(), Direction::kUp,
      [&stream](const ResultSent& sent) { stream.coordinator->OnResult(stream, sent); });
  stream.down = std::make_shared<Pipe<VerdictSent>>(
      queue_, worker.line(), Direction::kDown,
      [&stream](const VerdictSent& verdict) { stream.worker->OnVerdict(stream, verdict); });
  return &stream;
}

void World::Break(Session& session, bool worker_dies) {
  if (session.broken) return;
  session.broken = true;
  const Instant up = session.up->Break();
  Instant down = session.down->Break();
  down = std::max(down, session.inputs->Break());
  if (worker_dies) {
    session.down->Close();
    session.inputs->Close();
  }
  Random& random = session.worker->line().random;
  // Usually a closed connection is seen at once; a lost one when the keepalive finds out.
  const auto sees = [&] {
    return random.Chance(0.7) ? random.Between(absl::ZeroDuration(), absl::Milliseconds(50))
                              : random.Between(absl::ZeroDuration(), kKeepalive);
  };
  queue_.At(up + sees(), [&session] { session.coordinator->OnSessionEnded(session); });
  queue_.At(down + sees(), [&session] { session.worker->OnSessionEnded(session.id); });
}

void World::Break(ResultStream& stream, bool worker_dies) {
  if (stream.broken) return;
  stream.broken = true;
  stream.up->Break();
  const Instant down = stream.down->Break();
  if (worker_dies) stream.down->Close();
  Random& random = stream.worker->line().random;
  queue_.At(down + random.Between(absl::ZeroDuration(), absl::Seconds(2)),
            [&stream] { stream.worker->OnResultsEnded(stream.id); });
}

void World::Crash(SimWorker& worker, absl::Duration pause) {
  worker.Die();
  queue_.After(pause, [&worker] {
    if (!worker.ailments().stays_away) worker.Start();
  });
}

void World::Granted(const SimCoordinator& by, const Grant& grant) {
  const auto tiles = static_cast<int64_t>(grant.tiles.size());
  outcome_.tiles_granted += tiles;
  outcome_.units_granted += static_cast<double>(tiles) * FindJob(grant.job)->units;
  CheckInputs(grant);
  if (&by != current_) return;
  serves_from_ = std::min(serves_from_, now());
  if (fairness_.has_value()) fairness_->Granted(grant);
}

void World::CheckInputs(const Grant& grant) {
  const JobSpec& spec = FindJob(grant.job)->spec;
  const JobSpec* before = StageBefore(spec);
  if (before == nullptr || store_.Ended(grant.job)) return;
  for (int64_t tile : grant.tiles) {
    const auto [begin, end] = TilesUnder(*before, spec, tile);
    for (int64_t under = begin; under < end; ++under) {
      if (!store_.Merged(before->name, under))
        checks_.Trouble(absl::StrCat("tile ", tile, " of ", grant.job, " was granted before tile ",
                                     under, " of ", before->name, " was there"));
    }
  }
}

void World::Served(const SimCoordinator& by) {
  if (&by == current_ && fairness_.has_value()) fairness_->Look();
}

void World::TurnsBroken() {
  if (fairness_.has_value()) fairness_->Cut();
}

double World::ShareOf(const std::string& tenant) const {
  const auto quota = plan_.options.quotas.find(tenant);
  return quota == plan_.options.quotas.end() ? plan_.options.default_quota.share
                                             : quota->second.share;
}

void World::Merged(const ResultArrived& result) {
  const JobPlan& job = *FindJob(result.job);
  budget_ = plan_.fault_budget;
  units_merged_[result.job] += job.units;
  if (progress_.has_value()) progress_->Merged(job);
  if (fairness_.has_value()) fairness_->Merged(result.lease);
}

void World::Admitted(const JobSubmitted& submitted, const absl::Status& answer,
                     absl::Duration retry_after) {
  const JobSpec& spec = submitted.job;
  const auto quota = plan_.options.quotas.find(spec.tenant);
  if (quota == plan_.options.quotas.end()) return;
  std::set<std::string> open_jobs;
  int64_t open_bytes = 0, bytes = spec.output_bytes * spec.tile_count;
  for (const JobSpec& stage : submitted.later_stages)
    bytes += stage.output_bytes * stage.tile_count;
  for (const JobPlan& job : plan_.jobs) {
    const std::string& name = job.spec.name;
    if (job.spec.tenant != spec.tenant || !store_.Knows(name) || store_.Ended(name)) continue;
    open_jobs.insert(job.spec.job_of_stage.empty() ? name : job.spec.job_of_stage);
    open_bytes += store_.OpenTiles(name) * job.spec.output_bytes;
  }
  const bool fits = static_cast<int>(open_jobs.size()) < quota->second.open_jobs_max &&
                    open_bytes + bytes <= quota->second.open_bytes_max;
  if (answer.ok()) {
    submitted_.try_emplace(spec.name, now());
    for (const JobSpec& stage : submitted.later_stages) submitted_.try_emplace(stage.name, now());
  } else {
    outcome_.refusals++;
    if (retry_after <= absl::ZeroDuration())
      checks_.Trouble(spec.name + " fits an empty quota and was told not to come again");
  }
  if (answer.ok() != fits || (!fits && !absl::IsResourceExhausted(answer))) {
    checks_.Trouble(absl::StrCat(spec.name, fits ? " fits" : " does not fit", " its tenant's ",
                                 open_jobs.size(), " open jobs of ", open_bytes,
                                 " bytes, and the answer was ", answer.ToString()));
  }
}

void World::Noticed(const Notice& notice) {
  checks_.Noticed(notice);
  if (progress_.has_value()) progress_->Noticed(notice);
  if (fairness_.has_value() &&
      (notice.kind == "worker_blocklisted" || notice.kind == "memory_floor_raised" ||
       notice.kind == "canary_failed"))
    fairness_->SetApart(notice.job);
  if (notice.kind == "job_waiting" && FindJob(notice.job)->spec.prove_class &&
      absl::StrContains(notice.text, "of memory, and a tile of this size")) {
    hopeless_.insert(notice.job);
  }
}

void World::Ended(const Record& record) {
  if (store_.jobs_ended() == 1) outcome_.units_at_first_end = units_merged_;
  if (!absl::StrContains(record.value, "did not end within")) return;
  const JobPlan& job = *FindJob(record.job);
  const auto submitted = submitted_.find(record.job);
  if (!job.spec.max_duration.has_value() || submitted == submitted_.end() ||
      now() < submitted->second + *job.spec.max_duration)
    checks_.Trouble(record.job + " was ended before its time");
}

// ---- Users.

void World::Submit(size_t number) {
  const JobPlan& job = plan_.jobs[number];
  if (!job.spec.job_of_stage.empty()) return;  // its first stage brings it along
  if (store_.Knows(job.spec.name)) return;     // the answer to an earlier attempt was lost
  const absl::Status status =
      current_ == nullptr ? absl::UnavailableError("no coordinator") : current_->Submit(job);
  trace_.Line("user", "submit", job.spec.name, " ", status.ToString());
  if (!status.ok()) queue_.After(absl::Seconds(1), [this, number] { Submit(number); });
}

void World::LookAfterJobs() {
  queue_.After(kLookAfter, [this] { LookAfterJobs(); });
  if (current_ == nullptr) return;
  for (const JobPlan& job : plan_.jobs) {
    if (current_ == nullptr || !store_.Knows(job.spec.name) || store_.Ended(job.spec.name))
      continue;
    const std::optional<JobView> view = current_->scheduler().ViewJob(job.spec.name);
    if (!view.has_value()) {
      checks_.Trouble(absl::StrCat(job.spec.name, " is lost"));
      return;
    }
    if (healed_ && now() > healed_at_ + kGiveUpAfter && hopeless_.contains(job.spec.name)) {
      current_->Handle(JobStopped{job.spec.name, "Its class has too little memory."});
      continue;
    }
    if (view->failed_tiles.empty()) continue;
    const bool retry = job.poison.empty() && chance_.Chance(0.5);
    trace_.Line("user", retry ? "retry" : "accept-hole", job.spec.name);
    if (retry) {
      current_->Handle(FailedTilesRetried{job.spec.name});
    } else {
      current_->Handle(HolesAccepted{job.spec.name});
    }
  }
}

}  // namespace tilewright::simulation
