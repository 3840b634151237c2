// The end of a job: expected finishes, and idle workers that take over or copy what is slow.

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "coordinator/schedule/batch_size.h"
#include "coordinator/schedule/eligibility.h"
#include "coordinator/schedule/end_game.h"
#include "coordinator/schedule/planted.h"
#include "coordinator/schedule/scheduler_impl.h"
#include "coordinator/schedule/sentences.h"

namespace tilewright {

using schedule::Planted;
using schedule::PlantedBug;
using schedule::SecondsText;
using schedule::SpeedOrder;
using schedule::TileMark;
using schedule::TimerKind;

namespace {

// Jobs near their end, leases from either end of their order, faster workers and idle ones that one
// look considers.
constexpr int kJobsLooked = 4;
constexpr int kLeasesLooked = 8;
constexpr int64_t kFasterLooked = 32;
constexpr int kWoken = 16;
constexpr int kIdleLooked = 256;
// Returned tiles among which one look searches for those that not everybody may take.
constexpr int kReturnedSearched = 8;
// Tiles of a lease that one look passes over because this worker may not have them.
constexpr int kTilesLooked = 64;
// A copy of what is copied already must be so much faster still: workers that turn up later, or
// whose speed was not known, get it; and each time there is less to win.
constexpr double kFurtherCopy = 2;
// The same of tiles that were taken over before, so that workers of the same speed do not hand them
// to each other while each gets ready.
constexpr double kFurtherHandover = 2;
constexpr int kHandoversMax = 16;
// Time between two looks at whether the faster workers keep pace.
constexpr absl::Duration kAskAgainMax = absl::Seconds(2);

}  // namespace

std::optional<absl::Duration> Scheduler::Impl::TileEstimate(const Stage& stage,
                                                            const Worker& worker) const {
  auto at = stage.workers.find(worker.id);
  if (at != stage.workers.end() && at->second.seconds.measured()) return at->second.seconds.Mean();
  if (stage.probe_work > 0 && worker.offer.probe_flops > 0)
    return absl::Seconds(stage.probe_work / worker.offer.probe_flops);
  if (stage.speeds.workers() > 0)
    return absl::Seconds(static_cast<double>(stage.speeds.workers()) / stage.speeds.speed());
  if (stage.key.flops_per_tile <= 0 || worker.offer.probe_flops <= 0) return std::nullopt;
  return absl::Seconds(stage.key.flops_per_tile / worker.offer.probe_flops);
}

absl::Duration Scheduler::Impl::StartEstimate(const Stage& stage, const Worker& worker,
                                              const Stage* loaded) const {
  if (loaded == &stage) return worker.start_seconds;
  auto at = stage.workers.find(worker.id);
  if (at != stage.workers.end() && at->second.switch_seconds.has_value())
    return *at->second.switch_seconds;
  return stage.switch_seconds.value_or(absl::ZeroDuration());
}

absl::Duration Scheduler::Impl::TimeOf(const Lease& lease, const Stage** loaded) const {
  if (lease.computed) return absl::ZeroDuration();
  const Worker& worker = *lease.worker;
  const Stage* stage = lease.job == nullptr ? nullptr : lease.job->stage;
  const absl::Duration tile = stage == nullptr
                                  ? lease.tile_estimate
                                  : TileEstimate(*stage, worker).value_or(lease.tile_estimate);
  const int executed = stage == nullptr ? 1 : std::max(stage->key.executed_batch, 1);
  if (lease.started.has_value()) {
    const absl::Duration elapsed = now_ - lease.busy_since;
    const int64_t running = std::min<int64_t>(executed, lease.open);
    const int64_t rest = std::max<int64_t>(0, lease.wanted - running);
    const absl::Duration later = std::max(tile, elapsed / executed);
    return schedule::Remaining(schedule::TimeFor(running, tile, executed), elapsed) +
           schedule::TimeFor(rest, later, executed);
  }
  if (!lease.live()) return absl::ZeroDuration();
  absl::Duration start = StartEstimate(*stage, worker, *loaded);
  if (*loaded == stage && lease.granted < now_ && worker.leases.front() != &lease)
    start = absl::ZeroDuration();  // it waits at the worker
  *loaded = stage;
  if (worker.leases.front() == &lease && lease.head_since.has_value())
    start = schedule::Remaining(start, now_ - *lease.head_since);
  return start + schedule::TimeFor(lease.wanted, tile, executed);
}

absl::Duration Scheduler::Impl::FreeIn(const Worker& worker, const Stage& stage) const {
  absl::Duration time;
  const Stage* loaded = worker.loaded;
  for (const Lease* lease : worker.leases) time += TimeOf(*lease, &loaded);
  return time + StartEstimate(stage, worker, loaded);
}

absl::Duration Scheduler::Impl::FinishIn(const Lease& lease) const {
  absl::Duration time;
  const Stage* loaded = lease.worker->loaded;
  for (const Lease* each : lease.worker->leases) {
    time += TimeOf(*each, &loaded);
    if (each == &lease) break;
  }
  return time;
}

void Scheduler::Impl::TrackFinishes(Worker& worker) {
  for (Lease* lease : worker.leases) {
    if (lease->job == nullptr || !lease->job->tracked) continue;
    auto& finishes = lease->job->finishes;
    if (lease->finish.has_value()) finishes.erase({*lease->finish, lease->sequence});
    lease->finish.reset();
    if (!lease->live()) continue;
    lease->finish = now_ + FinishIn(*lease);
    finishes.insert({*lease->finish, lease->sequence});
  }
}

void Scheduler::Impl::Track(Job& job) {
  if (job.tracked) return;
  job.tracked = true;
  for (const auto& [sequence, lease] : leases_) {
    if (lease->job != &job || !lease->live()) continue;
    lease->finish = now_ + FinishIn(*lease);
    job.finishes.insert({*lease->finish, sequence});
  }
}

void Scheduler::Impl::UpdateEnding(Job& job) {
  if (job.active() && !job.paused && job.tiles.ready() == 0 && job.tiles.leased() > 0) {
    ending_jobs_.try_emplace(job.id, &job);
  } else {
    ending_jobs_.erase(job.id);
  }
}

bool Scheduler::Impl::FasterFinish(const Job& job, const Worker& worker, int64_t tiles,
                                   absl::Duration own) const {
  const Stage& stage = *job.stage;
  auto at = stage.workers.find(worker.id);
  const int own_class = at != stage.workers.end() && at->second.speed_class != SpeedOrder::kNone
                            ? at->second.speed_class
                            : SpeedOrder::ClassOf(*TileEstimate(stage, worker));
  std::vector<schedule::FasterCrowd> crowds;
  int64_t faster = 0;
  for (const auto& [speed_class, held] : stage.speeds.classes()) {
    if (speed_class >= own_class) break;
    crowds.push_back({static_cast<int64_t>(held.workers.size()), held.speed});
    faster += crowds.back().workers;
  }
  if (faster > kFasterLooked) return schedule::LeaveToFaster(tiles, own, crowds, options_);
  std::vector<schedule::FasterWorker> each;
  for (const auto& [speed_class, held] : stage.speeds.classes()) {
    if (speed_class >= own_class) break;
    for (const auto& [id, other] : held.workers) {
      if (!job.candidates.contains(id) || !Usable(job, *other)) continue;
      each.push_back({FreeIn(*other, stage), stage.workers.at(id).seconds.Mean()});
    }
  }
  return schedule::LeaveToFaster(tiles, own, each, options_);
}

bool Scheduler::Impl::LeavesToFaster(Job& job, Worker& worker) {
  Stage& stage = *job.stage;
  const std::optional<absl::Duration> tile = TileEstimate(stage, worker);
  if (!tile.has_value()) return false;
  const absl::Duration own =
      FreeIn(worker, stage) + schedule::TimeFor(1, *tile, stage.key.executed_batch);
  // What is held back comes soon.
  const int64_t ready = job.tiles.ready() + job.tiles.held();
  // Not even all together finish so much: the usual case.
  if (absl::ToDoubleSeconds(own) * options_.end_game_factor * stage.speeds.speed() <
      static_cast<double>(ready)) {
    return false;
  }
  if (job.left_until.has_value() && now_ >= *job.left_until) return false;  // they did not
  int looked = 0;
  for (int64_t returned : job.tiles.returned()) {
    if (++looked > kReturnedSearched) break;
    if (job.tiles.trouble(returned) != nullptr) return false;  // the others may not want it
  }
  if (!FasterFinish(job, worker, ready, own)) return false;
  if (!job.left_until.has_value()) job.left_until = now_ + own * options_.end_game_factor;
  AskAgain(job, std::min(std::max(own / 4, options_.lease_work_min), kAskAgainMax));
  if (worker.idle) SetResting(worker, true);
  return true;
}

bool Scheduler::Impl::HelpToEnd(Worker& worker) {
  int looked = 0;
  for (const auto& [id, job] : ending_jobs_) {
    if (++looked > kJobsLooked) break;
    if (HelpJob(*job, worker)) return true;
  }
  return false;
}

bool Scheduler::Impl::HelpJob(Job& job, Worker& worker) {
  if (Planted(PlantedBug::kNoHedging)) return false;
  if (!job.candidates.contains(worker.id) || !MayGrant(job, worker)) return false;
  if (!TileEstimate(*job.stage, worker).has_value()) return false;
  Track(job);
  std::vector<std::pair<absl::Duration, Lease*>> latest;
  for (Lease* lease : LatestLeases(job)) {
    if (lease->worker != &worker) latest.push_back({FinishIn(*lease), lease});
  }
  std::stable_sort(latest.begin(), latest.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  if (LeavesHelpToFaster(job, worker, latest)) return false;
  for (const auto& [finish, lease] : latest) {
    if (TakeOver(job, worker, *lease, finish)) return true;
  }
  const int64_t slots = static_cast<int64_t>(job.candidates.size());
  const bool more = job.copies_open < schedule::CopiesMax(slots, options_);
  for (const auto& [finish, lease] : latest) {
    if (Copy(job, worker, *lease, finish, more)) return true;
  }
  return false;
}

bool Scheduler::Impl::LeavesHelpToFaster(
    Job& job, const Worker& worker, const std::vector<std::pair<absl::Duration, Lease*>>& latest) {
  const Stage& stage = *job.stage;
  const absl::Duration own =
      FreeIn(worker, stage) +
      schedule::TimeFor(1, *TileEstimate(stage, worker), stage.key.executed_batch);
  // Those not looked at may be late as well.
  int64_t late = static_cast<int64_t>(job.finishes.size()) - static_cast<int64_t>(latest.size());
  for (const auto& [finish, lease] : latest) {
    if (!schedule::CopyWins(own, finish, options_)) continue;
    for (size_t k = 0; k < lease->tiles.size() && k < kTilesLooked; ++k) {
      if (job.tiles.trouble(lease->tiles[k]) != nullptr)
        return false;  // the others may not want it
    }
    late += lease->wanted;
  }
  if (late <= 0 || !FasterFinish(job, worker, late, own)) return false;
  AskAgain(job, std::min(std::max(own / 4, options_.lease_work_min), kAskAgainMax));
  return true;
}

std::vector<Scheduler::Impl::Lease*> Scheduler::Impl::LatestLeases(Job& job) {
  // Those expected last, and those that should have ended first: they may be late.
  std::vector<Lease*> found;
  std::vector<std::pair<Instant, uint64_t>> gone;
  int looked = 0;
  const auto look = [&](const std::pair<Instant, uint64_t>& entry) {
    Lease* lease = FindLease(entry.second);
    if (lease == nullptr || !lease->live()) {
      gone.push_back(entry);
    } else if (std::find(found.begin(), found.end(), lease) == found.end()) {
      found.push_back(lease);
    }
    return ++looked < kLeasesLooked;
  };
  for (auto it = job.finishes.rbegin(); it != job.finishes.rend() && look(*it); ++it) {
  }
  looked = 0;
  for (auto it = job.finishes.begin(); it != job.finishes.end() && look(*it); ++it) {
  }
  for (const auto& entry : gone) {
    job.finishes.erase(entry);
    if (Lease* lease = FindLease(entry.second)) lease->finish.reset();
  }
  return found;
}

bool Scheduler::Impl::TakeOver(Job& job, Worker& worker, Lease& from, absl::Duration finish) {
  if (from.computed) return false;
  if (from.sequence > granted_before_) {  // the take-back would overtake the grant
    AskAgain(job, options_.lease_work_min);
    return false;
  }
  const int executed = std::max(job.spec.executed_batch, 1);
  const int64_t running = from.started.has_value() ? std::min<int64_t>(executed, from.open) : 0;
  if (from.wanted <= running) return false;
  auto at = job.stage->workers.find(worker.id);
  const bool measured = at != job.stage->workers.end() && at->second.seconds.measured();
  const int64_t most = measured && !worker.next_single ? std::numeric_limits<int64_t>::max() : 1;
  const int64_t count = schedule::TilesToTakeOver(
      {.unstarted = from.wanted - running,
       .finish = finish,
       .own_start = FreeIn(worker, *job.stage),
       .own_tile = *TileEstimate(*job.stage, worker),
       .other_tile = TileEstimate(*job.stage, *from.worker).value_or(absl::ZeroDuration()),
       .executed_batch = executed,
       .free_credit = std::min(most, FreeCreditOf(worker, job)),
       .margin = std::pow(kFurtherHandover, from.handovers)},
      options_);
  // From the end, for it began at the other.
  std::vector<int64_t> tiles;
  int64_t looked = 0;
  for (size_t k = from.tiles.size(); k-- > 0 && looked < from.wanted - running;) {
    if (from.marks[k] != TileMark::kWanted) continue;
    if (static_cast<int64_t>(tiles.size()) >= count || ++looked > count + kTilesLooked) break;
    const int64_t tile = from.tiles[k];
    if (job.tiles.attempts(tile).size() > 1 || !MayTake(job, worker, tile)) continue;
    const schedule::TileTrouble* trouble = job.tiles.trouble(tile);
    if (trouble != nullptr && trouble->alone) {
      if (tiles.empty()) tiles.push_back(tile);
      break;
    }
    tiles.push_back(tile);
  }
  if (tiles.empty()) return false;
  std::reverse(tiles.begin(), tiles.end());
  Tell(&job, "lease_taken_back", tiles.front(), from.worker->name,
       absl::StrCat("Worker ", from.worker->name, " would finish lease ", from.sequence, " in ",
                    SecondsText(finish), "; ", schedule::TileList(tiles),
                    " taken back unstarted for ", worker.name, "."));
  const int handovers = std::min(from.handovers + 1, kHandoversMax);
  const bool wakes = wake_idle_;
  TakeBackTiles(from, tiles, "Another worker finishes it sooner.");
  wake_idle_ = wakes;  // the tiles are not for others
  UpdateIdle(*from.worker);
  GrantTiles(job, worker, std::move(tiles));
  worker.leases.back()->handovers = handovers;
  return true;
}

bool Scheduler::Impl::Copy(Job& job, Worker& worker, Lease& of, absl::Duration finish, bool more) {
  if (!of.started.has_value() || of.computed) return false;
  const int executed = std::max(job.spec.executed_batch, 1);
  const int64_t most = std::min<int64_t>(executed, FreeCreditOf(worker, job));
  const absl::Duration tile_seconds = *TileEstimate(*job.stage, worker);
  const absl::Duration own =
      FreeIn(worker, *job.stage) + schedule::TimeFor(1, tile_seconds, executed);
  std::vector<int64_t> tiles;
  for (size_t k = 0, looked = 0; k < of.tiles.size() && looked < kTilesLooked; ++k) {
    if (static_cast<int64_t>(tiles.size()) >= most) break;
    if (of.marks[k] != TileMark::kWanted) continue;
    ++looked;
    const int64_t tile = of.tiles[k];
    const schedule::TileTrouble* trouble = job.tiles.trouble(tile);
    if (!CopyBeatsOthers(job, tile, of, own, more) || !MayTake(job, worker, tile)) continue;
    if (trouble != nullptr && trouble->alone && !tiles.empty()) continue;
    tiles.push_back(tile);
    if (trouble != nullptr && trouble->alone) break;
  }
  if (tiles.empty()) return false;
  if (!schedule::CopyWins(own, finish, options_)) {
    const absl::Duration tile = TileEstimate(*job.stage, *of.worker).value_or(of.tile_estimate);
    const absl::Duration due = schedule::TimeFor(1, tile, executed) - (now_ - of.busy_since);
    const absl::Duration late = due + schedule::LatenessToCopy(own, options_);
    AskAgain(job, std::max(late, absl::ZeroDuration()) + absl::Milliseconds(1));
    return false;
  }
  job.copies += static_cast<int64_t>(tiles.size());
  Tell(&job, "tile_copied", tiles.front(), worker.name,
       absl::StrCat("Worker ", of.worker->name, " would finish ", schedule::TileList(tiles), " in ",
                    SecondsText(finish), "; ", worker.name, " copies ",
                    tiles.size() == 1 ? "it" : "them", " in ", SecondsText(own), "."));
  GrantTiles(job, worker, std::move(tiles));
  Lease& copy = *worker.leases.back();
  copy.copy = true;
  job.copies_open++;
  return true;
}

bool Scheduler::Impl::CopyBeatsOthers(const Job& job, int64_t tile, const Lease& of,
                                      absl::Duration own, bool more) const {
  absl::Duration finish = FinishIn(of);
  int live = 0;
  for (uint64_t sequence : job.tiles.attempts(tile)) {
    const Lease& other = *leases_.at(sequence);
    if (!other.live()) continue;
    ++live;
    finish = std::min(finish, FinishIn(other));
  }
  return live > 1 ? schedule::CopyWins(own * kFurtherCopy, finish, options_) : more;
}

void Scheduler::Impl::EndCopy(Lease& lease) {
  if (!lease.copy) return;
  lease.copy = false;
  if (lease.job == nullptr) return;
  lease.job->copies_open--;
  AskAgain(*lease.job, options_.lease_work_min);
}

void Scheduler::Impl::AskAgain(Job& job, absl::Duration in) {
  if (!job.active()) return;  // it takes its copies back
  const schedule::Timer timer{TimerKind::kEndGame, job.id};
  if (deadlines_.At(timer) > now_ + in) deadlines_.Set(timer, now_ + in);
}

void Scheduler::Impl::OnEndGame(Job& job) {
  if (job.left_until.has_value() && now_ >= *job.left_until) wake_idle_ = true;
  WakeFastest(job);
}

void Scheduler::Impl::WakeFastest(Job& job) {
  int woken = 0, looked = 0;
  const auto look = [&](Worker& worker) {
    if (worker.idle && job.candidates.contains(worker.id)) {
      Touch(worker);
      ++woken;
    }
    return woken < kWoken && ++looked < kIdleLooked;
  };
  if (idle_.empty()) return;
  for (const auto& [speed_class, held] : job.stage->speeds.classes()) {
    for (const auto& [id, worker] : held.workers) {
      if (!look(*worker)) return;
    }
  }
  looked = 0;
  for (const auto& [rank, worker] : idle_) {  // those not measured
    if (!look(*worker)) return;
  }
}

void Scheduler::Impl::MeasureStart(Lease& lease) {
  Worker& worker = *lease.worker;
  if (lease.job == nullptr || lease.earlier.has_value() || !lease.head_since.has_value()) return;
  Stage& stage = *lease.job->stage;
  const absl::Duration wait = now_ - *lease.head_since;
  if (worker.loaded == &stage && lease.state != LeaseState::kPreparing) {
    if (*lease.head_since == lease.granted)
      worker.start_seconds = worker.start_seconds * 0.75 + wait * 0.25;
    return;
  }
  const auto smooth = [wait](std::optional<absl::Duration>& seconds) {
    seconds = seconds.has_value() ? (*seconds + wait) / 2 : wait;
  };
  auto [at, inserted] = stage.workers.try_emplace(worker.id);
  if (inserted) worker.stages.push_back(&stage);
  smooth(at->second.switch_seconds);
  smooth(stage.switch_seconds);
}

void Scheduler::Impl::SetResting(Worker& worker, bool resting) {
  if (worker.resting == resting) return;
  worker.resting = resting;
  resting_ += resting ? 1 : -1;
}

}  // namespace tilewright
