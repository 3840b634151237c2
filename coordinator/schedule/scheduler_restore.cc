// The start of a coordinator after another one: its jobs, and the leases its workers still hold.
// And of a job after another one.

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "coordinator/schedule/clocks.h"
#include "coordinator/schedule/continued.h"
#include "coordinator/schedule/scheduler_impl.h"
#include "coordinator/schedule/sentences.h"

namespace tilewright {

using schedule::TileMark;
using schedule::TileState;
using schedule::Timer;
using schedule::TimerKind;

namespace {

constexpr Timer kRestored{TimerKind::kRestored, 0};
constexpr Timer kRestartGrace{TimerKind::kRestartGrace, 0};

// Ascending, each once.
std::vector<int64_t> OpenTiles(const HeldLease& held) {
  std::vector<int64_t> tiles = held.open_tiles;
  std::sort(tiles.begin(), tiles.end());
  tiles.erase(std::unique(tiles.begin(), tiles.end()), tiles.end());
  return tiles;
}

}  // namespace

void Scheduler::Impl::Restore(const Snapshot& snapshot, Instant now) {
  if (snapshot.jobs.empty() && snapshot.workers.empty()) return;
  now_ = now;
  restarted_ = true;
  awaited_ = snapshot.workers;
  for (const RestoredJob& job : snapshot.jobs) RestoreJob(job);
  deadlines_.Set(kRestored, now_);
  if (WaitsForWorkers()) deadlines_.Set(kRestartGrace, now_ + options_.restart_grace);
  next_deadline_ = deadlines_.Next();
}

template <typename Done>
void Scheduler::Impl::BeginWith(Job& job, const Done& from) {
  job.promise = from.promise;
  job.numeric_class = from.numeric_class;
  // Without a promise there was no grant.
  if (job.promise != Promise::kUndecided) job.state = schedule::JobState::kRunning;
  job.classes = from.classes;
  for (int64_t tile : from.accepted) job.tiles.MarkAccepted(tile);
  for (int64_t tile : from.holes) job.tiles.MarkHole(tile);
  job.tenant->open_bytes -= job.spec.output_bytes * (job.spec.tile_count - job.tiles.open());
}

void Scheduler::Impl::ContinueJob(Job& job) {
  if (job.spec.continued == nullptr || !CheckContinued(job.spec).ok()) return;
  job.continued = static_cast<int64_t>(job.spec.continued->accepted.size());
  BeginWith(job, *job.spec.continued);
}

void Scheduler::Impl::RestoreJob(const RestoredJob& from) {
  Job& job = OpenJob(from.spec, from.age);
  job.restored = true;
  job.continued = from.continued;
  job.tiles_by_worker.insert(from.tiles_by_worker.begin(), from.tiles_by_worker.end());
  BeginWith(job, from);
  for (int64_t tile : from.failed) job.tiles.MarkFailed(tile);
  job.priority = from.priority;
  job.group->account.weight = schedule::WeightOf(from.priority);
  job.paused = from.paused;
  UpdateReady(job);
}

void Scheduler::Impl::TellRestored() {
  std::string wait;
  if (WaitsForWorkers()) {
    const std::vector<std::string> names(awaited_.begin(), awaited_.end());
    wait =
        absl::StrCat("; nothing is granted before ",
                     names.size() > schedule::kWorkersNamed ? absl::StrCat(names.size(), " workers")
                                                            : schedule::JoinAnd(names),
                     names.size() == 1 ? " has" : " have", " said what ",
                     names.size() == 1 ? "it holds" : "they hold", ", or for ",
                     schedule::SecondsText(options_.restart_grace));
  }
  std::vector<Job*> jobs;
  for (const auto& [id, job] : active_jobs_) jobs.push_back(job);
  for (Job* job : jobs) {
    Tell(job, "restored", std::nullopt, "",
         absl::StrCat(job->spec.name,
                      " goes on after a restart of the coordinator: ", job->tiles.accepted(),
                      " of ", job->spec.tile_count, " tiles are done", wait, "."));
    EndIfDone(*job);
  }
  if (!WaitsForWorkers()) EndWait();
}

void Scheduler::Impl::EndWait() {
  deadlines_.Clear(kRestartGrace);
  for (const std::string& name : awaited_) {
    Worker* worker = FindWorker(name);
    if (worker != nullptr && worker->connected()) continue;
    if (worker != nullptr) worker->recorded = false;
    out_.records.push_back({.kind = Record::Kind::kWorkerGone, .worker = name});
  }
  awaited_.clear();
  for (const auto& [id, job] : active_jobs_) {
    if (job->restored) CandidatesChanged(*job);
  }
  for (const auto& [id, worker] : worker_by_id_) {
    if (worker->connected()) Touch(*worker);
  }
  wake_idle_ = true;
}

void Scheduler::Impl::RecordJoined(Worker& worker) {
  if (worker.recorded) return;
  worker.recorded = true;
  if (awaited_.contains(worker.name)) return;  // the records say so already
  out_.records.push_back({.kind = Record::Kind::kWorkerJoined, .worker = worker.name});
}

void Scheduler::Impl::RecordGone(Worker& worker) {
  // One that is awaited may come back: should this coordinator fall too, the next one waits for it
  // as well.
  if (!worker.recorded || awaited_.contains(worker.name)) return;
  worker.recorded = false;
  out_.records.push_back({.kind = Record::Kind::kWorkerGone, .worker = worker.name});
}

bool Scheduler::Impl::Adopt(Worker& worker, const HeldLease& held) {
  Job* job = FindJob(held.job);
  if (held.lease.epoch >= epoch_ || adopted_.contains(held.lease) || job == nullptr ||
      !job->active() || !job->restored || held.generation != job->spec.generation ||
      job->promise == Promise::kUndecided) {
    return false;
  }
  const bool unbegun = held.state == HeldState::kQueued || held.state == HeldState::kPreparing;
  if (unbegun && (job->paused || HasOverdue(worker))) return false;
  if (job->promise == Promise::kStrict && !job->spec.prove_class &&
      worker.offer.environment_key != job->numeric_class) {
    return false;
  }
  const bool finished = held.state == HeldState::kFinished;
  std::vector<int64_t> tiles = OpenTiles(held);
  std::erase_if(tiles, [&](int64_t tile) { return tile < 0 || tile >= job->spec.tile_count; });
  std::vector<TileMark> marks;
  std::vector<int64_t> taken_back;
  for (int64_t tile : tiles) {
    const TileState state = job->tiles.state(tile);
    // What was granted had been ready, though that is not recorded.
    if (state == TileState::kHeld) job->tiles.MarkReady(tile);
    const bool free = state <= TileState::kReturned;
    marks.push_back(free ? TileMark::kWanted : TileMark::kUnwanted);
    if (!free) taken_back.push_back(tile);
  }
  if (taken_back.size() == tiles.size()) return false;

  Lease& lease = Enter(worker, job, std::move(tiles), std::move(marks));
  lease.earlier = held.lease;
  adopted_[held.lease] = &lease;
  if (!taken_back.empty() && !finished) {
    // A result of them that was computed already gets its verdict.
    out_.take_backs.push_back(
        {worker.name, held.lease, std::move(taken_back), "They are done or run elsewhere."});
    lease.take_backs_open++;
  }
  Tell(job, "restored", lease.tiles.front(), worker.name,
       absl::StrCat("Worker ", worker.name, finished ? " holds results of " : " goes on with ",
                    schedule::TileList(lease.WantedTiles()), ", granted before the restart."));

  const Timer clock{TimerKind::kLease, lease.sequence};
  switch (held.state) {
    case HeldState::kQueued:
      break;
    case HeldState::kPreparing:
      lease.head_since = now_;
      lease.state = LeaseState::kPreparing;
      deadlines_.Set(clock, now_ + options_.prepare_stall);
      break;
    case HeldState::kRunning:
      Start(lease, now_);
      break;
    case HeldState::kFinished:
      lease.computed = true;
      Start(lease, now_);
      deadlines_.Set(clock, now_ + schedule::StartBudget(lease.open * job->spec.output_bytes,
                                                         worker.link_rate, options_));
      break;
  }
  ArmHead(worker);
  TrackFinishes(worker);
  Touch(worker);
  return true;
}

void Scheduler::Impl::Discard(Worker& worker, const HeldLease& held) {
  out_.take_backs.push_back({worker.name, held.lease, {}, "The lease has ended."});
  std::vector<int64_t> tiles = OpenTiles(held);
  if (held.lease.epoch >= epoch_ || adopted_.contains(held.lease) || tiles.empty()) return;
  std::vector<TileMark> marks(tiles.size(), TileMark::kUnwanted);
  Lease& lease = Enter(worker, nullptr, std::move(tiles), std::move(marks));
  lease.earlier = held.lease;
  adopted_[held.lease] = &lease;
  lease.state = LeaseState::kReturning;
  lease.take_back_sent = true;
  lease.take_backs_open = 1;
  if (held.state == HeldState::kRunning) {
    Start(lease, now_);
    lease.overdue = true;  // since when it runs, and so until when, is not known
    ReturnQueued(worker);
  }
  WaitForReturn(lease);
  Touch(worker);
}

}  // namespace tilewright
