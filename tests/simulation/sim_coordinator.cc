#include "tests/simulation/sim_coordinator.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tests/simulation/world.h"

namespace tilewright::simulation {
namespace {

// Inputs travel in pieces of so many tiles.
constexpr size_t kInputPiece = 16;
// An ended job is kept so long for late results.
constexpr absl::Duration kForgetJob = absl::Seconds(30);
// From a result to the release of what it makes ready.
constexpr absl::Duration kMerging = absl::Milliseconds(5);

// Whether it changes who is next, other than by service.
bool BreaksTurns(const Decisions& decisions) {
  return std::any_of(decisions.records.begin(), decisions.records.end(), [](const Record& record) {
    return record.kind != Record::Kind::kTileAccepted && record.kind != Record::Kind::kJobClass;
  });
}

}  // namespace

SimCoordinator::SimCoordinator(World& world, uint64_t epoch, const Snapshot& snapshot)
    : world_(world),
      epoch_(epoch),
      actor_(absl::StrCat("c", epoch)),
      scheduler_(world.plan().options, epoch, snapshot, world.now()) {
  for (const RestoredJob& job : snapshot.jobs) generations_[job.spec.name] = job.spec.generation;
  world_.trace().Line(actor_, "begin", snapshot.jobs.size(), " jobs");
  for (const JobPlan& job : world_.plan().jobs) {
    if (world_.store().Knows(job.spec.name)) ReleaseTiles(job.spec.name);
  }
}

void SimCoordinator::ReleaseTiles(const std::string& stage) {
  const JobSpec& spec = world_.FindJob(stage)->spec;
  const JobSpec* next = world_.NextStage(spec);
  if (next == nullptr || !releases_.insert(stage).second) return;
  world_.queue().After(kMerging, [this, stage, &spec, next] {
    releases_.erase(stage);
    TilesReady ready{next->name, {}, {}};
    const std::optional<JobView> view = scheduler_.ViewJob(next->name);
    if (!alive_ || !view.has_value() || world_.store().Ended(next->name)) return;
    for (int64_t tile = 0; tile < next->tile_count; ++tile) {
      const auto [begin, end] = TilesUnder(spec, *next, tile);
      int64_t merged = 0, holes = 0;
      for (int64_t under = begin; under < end; ++under) {
        merged += world_.store().Merged(stage, under);
        holes += world_.store().LeftOut(stage, under);
      }
      if (merged + holes == end - begin) (holes > 0 ? ready.left_out : ready.tiles).push_back(tile);
    }
    Handle(ready);
  });
}

void SimCoordinator::Cost::Add(double event_seconds, bool granted) {
  events++;
  seconds += event_seconds;
  if (!granted) return;
  const double bucket = std::ceil(4 * std::log2(std::max(1.0, event_seconds * 1e9)));
  grants[std::min(static_cast<size_t>(bucket), grants.size() - 1)]++;
}

void SimCoordinator::Cost::Add(const Cost& other) {
  events += other.events;
  seconds += other.seconds;
  for (size_t i = 0; i < grants.size(); ++i) grants[i] += other.grants[i];
}

double SimCoordinator::Cost::GrantPercentile99() const {
  const uint64_t all = std::accumulate(grants.begin(), grants.end(), uint64_t{0});
  uint64_t below = 0;
  size_t i = 0;
  while (i + 1 < grants.size() && (below += grants[i]) * 100 < all * 99) ++i;
  return std::exp2(static_cast<double>(i) / 4) * 1e-9;
}

void SimCoordinator::Die() {
  if (!alive_) return;
  alive_ = false;
  world_.trace().Line(actor_, "die");
  world_.CoordinatorDied(*this);
}

bool SimCoordinator::Step() {
  if (!alive_) return false;
  if (!dies_in_.has_value() || --*dies_in_ > 0) return true;
  Die();
  return false;
}

absl::Status SimCoordinator::Submit(const JobPlan& job) {
  absl::Duration retry_after;
  const JobSubmitted submitted = world_.SubmissionOf(job.spec);
  const absl::Status admitted = scheduler_.Admit(submitted, &retry_after);
  world_.Admitted(submitted, admitted, retry_after);
  if (!admitted.ok()) return admitted;
  generations_.try_emplace(job.spec.name, job.spec.generation);
  for (const JobSpec& stage : submitted.later_stages)
    generations_.try_emplace(stage.name, stage.generation);
  Handle(submitted);
  return alive_ && !deposed_ ? absl::OkStatus() : absl::UnavailableError("died");
}

void SimCoordinator::Handle(const Event& event, ResultStream* answer_to) {
  if (!alive_ || deposed_) return;
  const auto* result = std::get_if<ResultArrived>(&event);
  const auto begin = std::chrono::steady_clock::now();
  const Decisions decisions = scheduler_.Handle(event, world_.now());
  cost_.Add(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(),
            !decisions.grants.empty());
  CheckCore(event);
  for (const Notice& notice : decisions.notices) {
    world_.trace().Line(actor_, "notice", notice.kind, ": ", notice.text);
    world_.Noticed(notice);
  }
  if (result != nullptr && !decisions.verdict.has_value()) {
    world_.checks().Trouble("a result got no verdict");
    return;
  }
  const bool hasty = world_.plan().bug_grant_before_persist;
  if (!hasty && !Persist(decisions, result)) return;
  if (result != nullptr) SendVerdict(*answer_to, *result, *decisions.verdict);
  if (BreaksTurns(decisions)) world_.TurnsBroken();
  Send(decisions);
  if (!decisions.grants.empty()) world_.Served(*this);
  if (hasty) Persist(decisions, result);
  if (alive_) KeepTime();
}

void SimCoordinator::CheckCore(const Event& event) {
  if (scheduler_.next_deadline() < world_.now()) {
    world_.checks().Trouble("the next deadline is in the past");
  }
  CheckFootprint();
  // All invariants look at all tiles: in great runs only now and then.
  const bool quiet = std::holds_alternative<WorkerHeard>(event);
  if (++events_ % (quiet ? world_.check_every() * 8 : world_.check_every()) != 0) return;
  if (absl::Status status = scheduler_.CheckInvariants(); !status.ok()) {
    world_.checks().Trouble(absl::StrCat("invariant: ", status.message()));
  }
}

// The core's memory is bounded by what there is, whatever happened before.
void SimCoordinator::CheckFootprint() {
  const Footprint footprint = scheduler_.footprint();
  const size_t workers = world_.plan().workers.size();
  const size_t jobs = world_.plan().jobs.size();
  if (footprint.workers > workers || footprint.jobs > jobs ||
      footprint.leases > world_.leases_max() ||
      footprint.timers > footprint.leases + 6 * workers + 10 * jobs + 4) {
    world_.checks().Trouble(absl::StrCat("the core keeps too much: ", footprint.jobs, " jobs, ",
                                         footprint.workers, " workers, ", footprint.leases,
                                         " leases, ", footprint.timers, " timers"));
  }
}

void SimCoordinator::KeepTime() {
  const Instant next = scheduler_.next_deadline();
  if (next >= wakes_ || next == Instant::Never()) return;
  wakes_ = next;
  world_.queue().At(next, [this, next] {
    if (!alive_ || wakes_ != next) return;
    wakes_ = Instant::Never();
    if (scheduler_.next_deadline() <= world_.now()) {
      Handle(Tick{});
    } else {
      KeepTime();
    }
  });
}

bool SimCoordinator::Persist(const Decisions& decisions, const ResultArrived* result) {
  for (const Record& record : decisions.records) {
    if (!Step()) return false;
    if (!world_.store().Persist(epoch_, record, result)) {
      // Another one has taken over. It waits for its disk for the rest of its life.
      world_.trace().Line(actor_, "deposed");
      deposed_ = true;
      return false;
    }
    if (record.kind == Record::Kind::kTileAccepted) world_.Merged(*result);
    if (record.kind == Record::Kind::kJobEnded) world_.Ended(record);
    if (record.kind == Record::Kind::kTileAccepted || record.kind == Record::Kind::kTileHole)
      ReleaseTiles(record.job);
    world_.trace().Line(actor_, "record", static_cast<int>(record.kind), " ", record.job, " ",
                        record.number, " ", record.value);
  }
  return Step();
}

void SimCoordinator::Send(const Decisions& decisions) {
  for (const TakeBack& back : decisions.take_backs) {
    if (!Step()) return;
    if (world_.trace().on())
      world_.trace().Line(actor_, "take-back", back.worker, " lease ", back.lease.epoch, "/",
                          back.lease.sequence, " tiles ", absl::StrJoin(back.tiles, ","));
    if (Session* session = SessionOf(back.worker)) session->down->Send(back);
  }
  for (const CanaryOrder& canary : decisions.canaries) {
    if (!Step()) return;
    if (Session* session = SessionOf(canary.worker)) session->down->Send(canary);
  }
  for (const Grant& grant : decisions.grants) {
    if (!Step()) return;
    SendGrant(grant);
  }
  for (const std::string& worker : decisions.sync_requests) {
    if (!Step()) return;
    if (Session* session = SessionOf(worker)) session->down->Send(SyncAsked{});
  }
  for (const std::string& worker : decisions.disconnects) {
    if (!Step()) return;
    const auto session = sessions_.find(worker);
    if (session == sessions_.end()) continue;
    Session* broken = session->second;
    sessions_.erase(session);
    world_.Break(*broken, /*worker_dies=*/false);
  }
  for (const JobEnd& end : decisions.job_ends) {
    if (!Step()) return;
    world_.trace().Line(actor_, "job-end", end.job, " ", end.status.ToString());
    if (!world_.store().Ended(end.job)) {
      world_.checks().Trouble(end.job + " was said to have ended before that was persisted");
    }
    if (end.status.ok() != world_.store().Succeeded(end.job)) {
      world_.checks().Trouble(end.job + " ended otherwise than was persisted");
    }
    world_.queue().After(kForgetJob, [this, job = end.job] {
      if (alive_) scheduler_.Forget(job);
    });
  }
}

void SimCoordinator::SendGrant(const Grant& grant) {
  if (world_.trace().on())
    world_.trace().Line(actor_, "grant", grant.worker, " lease ", grant.lease.epoch, "/",
                        grant.lease.sequence, " ", grant.job, " tiles ",
                        absl::StrJoin(grant.tiles, ","));
  world_.Granted(*this, grant);
  if (!world_.store().Decided(grant.job)) {
    world_.checks().Trouble(
        absl::StrCat("a tile of ", grant.job, " was granted before its promise was persisted"));
  }
  Session* session = SessionOf(grant.worker);
  if (session == nullptr) {
    world_.checks().Trouble(absl::StrCat("lease ", grant.lease.sequence, " was granted to ",
                                         grant.worker, ", which has no stream"));
    return;
  }
  const JobPlan* job = world_.FindJob(grant.job);
  session->down->Send(GrantSent{grant, job, generations_.at(grant.job), levels_[grant.worker]});
  for (size_t i = 0; i < grant.tiles.size(); i += kInputPiece) {
    const size_t end = std::min(grant.tiles.size(), i + kInputPiece);
    InputTiles inputs{grant.lease,
                      {grant.tiles.begin() + static_cast<int64_t>(i),
                       grant.tiles.begin() + static_cast<int64_t>(end)}};
    const int64_t bytes = job->spec.input_bytes * static_cast<int64_t>(end - i);
    session->inputs->Send(std::move(inputs), bytes);
  }
}

void SimCoordinator::SendVerdict(ResultStream& stream, const ResultArrived& result,
                                 const VerdictOn& verdict) {
  if (!Step()) return;
  static constexpr const char* kWords[] = {"accepted", "duplicate", "refused"};
  world_.trace().Line(actor_, kWords[static_cast<int>(verdict.verdict)], result.worker, " ",
                      result.job, " tile ", result.tile, " lease ", result.lease.epoch, "/",
                      result.lease.sequence, " ", verdict.reason);
  if (verdict.verdict == Verdict::kAccepted && !world_.store().Merged(result.job, result.tile)) {
    world_.checks().Trouble(absl::StrCat("tile ", result.tile, " of ", result.job,
                                         " was said to be accepted before that was persisted"));
  }
  stream.down->Send({result.lease, result.job, result.tile, verdict});
}

void SimCoordinator::OnControl(Session& session, const Event& event) {
  if (!alive_) return;
  const std::string& worker = session.worker->name();
  if (auto* joined = std::get_if<WorkerJoined>(&event)) {
    Session* before = std::exchange(sessions_[worker], &session);
    if (before != nullptr) world_.Break(*before, /*worker_dies=*/false);
    incarnations_[worker] = joined->incarnation;
    levels_[worker] = {joined->offer.credit_tiles, joined->offer.credit_bytes};
    session.down->Send(HelloAnswered{epoch_});
    world_.trace().Line(actor_, "hello", joined->incarnation);
  } else if (SessionOf(worker) != &session) {
    return;
  }
  if (auto* synced = std::get_if<WorkerSynced>(&event)) {
    levels_[worker] = {synced->credit_tiles, synced->credit_bytes};
    if (world_.trace().on())
      world_.trace().Line(
          actor_, "sync", worker, " seen ", synced->seen_grant_sequence, " holds ",
          absl::StrJoin(synced->held, " ", [](std::string* out, const HeldLease& h) {
            absl::StrAppend(out, h.lease.epoch, "/", h.lease.sequence, "x", h.open_tiles.size(),
                            "s", static_cast<int>(h.state));
          }));
  } else if (auto* started = std::get_if<LeaseStarted>(&event)) {
    world_.trace().Line(actor_, "started", worker, " lease ", started->lease.epoch, "/",
                        started->lease.sequence);
  } else if (auto* dropped = std::get_if<LeaseDropped>(&event)) {
    world_.trace().Line(actor_, "dropped", worker, " lease ", dropped->lease.epoch, "/",
                        dropped->lease.sequence);
  }
  Handle(event);
}

void SimCoordinator::OnResult(ResultStream& stream, const ResultSent& sent) {
  if (!alive_ || deposed_) return;
  if (results_held_) {
    held_results_.emplace_back(&stream, sent);
    return;
  }
  const ResultArrived& result = sent.result;
  const JobSpec& spec = world_.FindJob(result.job)->spec;
  const auto generation = generations_.find(result.job);
  const bool meant = result.plan_digest == spec.plan_digest &&
                     result.model_digest == spec.model_digest && generation != generations_.end() &&
                     result.generation == generation->second;
  if (!meant || sent.damaged || result.numeric_class == kForeignClass) {
    world_.checks().BadResult(result.worker, result.job, result.tile);
  }
  // The shell sees damage, but only in what is meant for a job that runs.
  if (sent.damaged && meant && !world_.store().Ended(result.job)) {
    Handle(TileFailed{result.worker, result.lease, result.tile, TileFailureCause::kBadResult,
                      "damaged on its way"});
    SendVerdict(stream, result,
                {Verdict::kRefused, "CHECKSUM_MISMATCH", "It was damaged on its way."});
    return;
  }
  Handle(result, &stream);
}

void SimCoordinator::HoldResults(bool held) {
  results_held_ = held;
  Handle(ResultsHeld{held});
  while (!results_held_ && !held_results_.empty()) {
    const auto [stream, sent] = std::move(held_results_.front());
    held_results_.pop_front();
    OnResult(*stream, sent);
  }
}

void SimCoordinator::OnSessionEnded(const Session& session) {
  if (!alive_ || SessionOf(session.worker->name()) != &session) return;
  sessions_.erase(session.worker->name());
  world_.trace().Line(actor_, "closed", session.incarnation);
  Handle(StreamClosed{session.worker->name(), session.incarnation});
}

bool SimCoordinator::KnowsWorker(const std::string& worker, const std::string& incarnation) const {
  const auto found = incarnations_.find(worker);
  return found != incarnations_.end() && found->second == incarnation;
}

Session* SimCoordinator::SessionOf(const std::string& worker) {
  const auto found = sessions_.find(worker);
  return found == sessions_.end() ? nullptr : found->second;
}

}  // namespace tilewright::simulation
