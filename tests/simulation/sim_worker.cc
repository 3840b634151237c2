#include "tests/simulation/sim_worker.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/simulation/world.h"

namespace tilewright::simulation {
namespace {

constexpr absl::Duration kHeartbeat = absl::Seconds(2);
constexpr size_t kUnsentMax = 4096;

}  // namespace

SimWorker::Tile* SimWorker::Lease::Find(int64_t index) {
  auto it = std::lower_bound(tiles.begin(), tiles.end(), index,
                             [](const Tile& tile, int64_t i) { return tile.index < i; });
  return it != tiles.end() && it->index == index ? &*it : nullptr;
}

void SimWorker::Lease::Set(Tile& tile, TileState state) {
  const auto count = [this](TileState s, int64_t by) {
    if (s == TileState::kAwaited) awaited += by;
    if (s == TileState::kReady) ready += by;
    if (s == TileState::kComputing) computing += by;
    if (s == TileState::kAbandoned) abandoned += by;
    if (s == TileState::kComputed) computed += by;
  };
  count(tile.state, -1);
  count(state, 1);
  tile.state = state;
}

SimWorker::SimWorker(World& world, const WorkerPlan& plan, size_t number)
    : world_(world),
      plan_(plan),
      line_(world.plan().seed, 1000 + 2 * number),
      random_(Random::For(world.plan().seed, 1001 + 2 * number)),
      credit_(plan.credit_tiles),
      credit_bytes_(plan.credit_bytes) {
  ailments_.wrong_digest = plan.lies;
  line_.latency = plan.latency;
  line_.bytes_per_second = plan.bytes_per_second;
}

std::string SimWorker::incarnation() const { return absl::StrCat(plan_.name, ".", incarnation_); }

void SimWorker::Start() {
  if (alive_) return;
  Account();
  alive_ = true;
  ++incarnation_;
  world_.trace().Line(name(), "start", incarnation());
  TryControl();
}

void SimWorker::Die() {
  if (!alive_) return;
  Account();
  for (const auto& [key, lease] : leases_) {
    destroyed_units_ += static_cast<double>(lease.computed) * lease.terms.job->units;
  }
  if (busy_ && busy_time_ > absl::ZeroDuration()) {
    destroyed_units_ +=
        busy_units_ * std::min(1.0, absl::FDivDuration(world_.now() - busy_since_, busy_time_));
  }
  alive_ = false;
  world_.trace().Line(name(), "die", leases_.size(), " leases");
  for (const auto& [key, lease] : leases_) world_.checks().ProcessDied(name(), lease.terms.grant);
  if (session_) world_.Break(*session_, /*worker_dies=*/true);
  if (results_) world_.Break(*results_, /*worker_dies=*/true);
  session_ = nullptr;
  results_ = nullptr;
  in_session_ = false;
  epoch_ = seen_ = 0;
  leases_.clear();
  early_.clear();
  unsent_.clear();
  canaries_.clear();
  prepared_.clear();
  proven_.clear();
  busy_ = false;
  ++ticket_;
  stuck_ = nullptr;
}

void SimWorker::Heal() {
  const bool hung = ailments_.hung;
  ailments_ = Ailments();
  ailments_.hung = hung;
  SetHung(false);
  SetSlow(1);
  ailments_ = Ailments();
  line_.blocked_until = {};
  Start();
}

void SimWorker::SetHung(bool hung) {
  if (ailments_.hung == hung) return;
  Account();
  ailments_.hung = hung;
  world_.trace().Line(name(), hung ? "hang" : "unhang");
  if (hung) return;
  if (stuck_) std::exchange(stuck_, nullptr)();
  Pump();
}

void SimWorker::SetSlow(double factor) {
  Account();
  ailments_.slow = factor;
  world_.trace().Line(name(), "slow", factor);
}

bool SimWorker::serves() const {
  return alive_ && in_session_ && results_ != nullptr && !results_->broken && !session_->broken &&
         !ailments_.hung && !ailments_.wrong_digest && !ailments_.wrong_class &&
         !(busy_ && busy_units_ == 0) && Unverdicted() <= plan_.unacknowledged_max &&
         line_.BlockedUntil(Direction::kUp) <= world_.now() &&
         line_.BlockedUntil(Direction::kDown) <= world_.now();
}

void SimWorker::Account() {
  if (alive_ && !ailments_.hung) {
    capacity_units_ +=
        absl::ToDoubleSeconds(world_.now() - counted_) / (plan_.unit_seconds * ailments_.slow);
  }
  counted_ = world_.now();
}

double SimWorker::capacity_units() {
  Account();
  return capacity_units_;
}

// ---- Streams.

void SimWorker::TryControl() {
  if (!alive_ || session_) return;
  session_ = world_.Connect(*this);
  if (!session_) {
    world_.queue().After(random_.Between(absl::Milliseconds(200), absl::Seconds(3)),
                         [this, i = incarnation_] {
                           if (i == incarnation_) TryControl();
                         });
    return;
  }
  WorkerJoined hello;
  hello.worker = name();
  hello.incarnation = incarnation();
  hello.offer.engines = {"builtin"};
  hello.offer.dtypes = {"fp32"};
  hello.offer.memory_bytes = plan_.memory_bytes;
  hello.offer.probe_flops = 1e12 / plan_.unit_seconds * plan_.probe_error;
  hello.offer.environment_key = plan_.environment_key;
  hello.offer.credit_tiles = credit_;
  hello.offer.credit_bytes = credit_bytes_;
  session_->up->Send(hello);
  Beat(++sessions_);
}

void SimWorker::Beat(int session_number) {
  if (!alive_ || session_number != sessions_ || !session_) return;
  if (in_session_) session_->up->Send(WorkerHeard{name()});
  world_.queue().After(kHeartbeat, [this, session_number] { Beat(session_number); });
}

void SimWorker::TryResults() {
  if (!alive_ || results_) return;
  results_ = world_.ConnectResults(*this);
  if (!results_) {
    world_.queue().After(random_.Between(absl::Milliseconds(200), absl::Seconds(3)),
                         [this, i = incarnation_] {
                           if (i == incarnation_) TryResults();
                         });
    return;
  }
  for (const auto& [key, lease] : leases_) {
    for (const Tile& tile : lease.tiles) {
      if (tile.state == TileState::kComputed)
        results_->up->Send(tile.result, lease.terms.job->spec.output_bytes);
    }
  }
}

void SimWorker::OnSessionEnded(uint64_t id) {
  if (!alive_ || !session_ || session_->id != id) return;
  world_.trace().Line(name(), "control-ended");
  session_ = nullptr;
  in_session_ = false;
  for (auto it = leases_.begin(); it != leases_.end();) {
    const auto lease = it++;
    // Should the process die before it comes back, that will look like a crash over what it
    // prepared.
    if (!lease->second.started && lease->second.stage != Stage::kQueued)
      world_.checks().ProcessDied(name(), lease->second.terms.grant);
    for (Tile& tile : lease->second.tiles) {
      if (!lease->second.started || tile.state == TileState::kAwaited) Drop(lease->second, tile);
    }
    lease->second.take_backs = 0;  // nobody waits for the answer
    Tidy(lease);
  }
  early_.clear();
  canaries_.clear();
  world_.queue().After(random_.Between(absl::Milliseconds(50), absl::Seconds(2)),
                       [this, i = incarnation_] {
                         if (i == incarnation_) TryControl();
                       });
  Pump();
}

void SimWorker::OnResultsEnded(uint64_t id) {
  if (!alive_ || !results_ || results_->id != id) return;
  results_ = nullptr;
  world_.queue().After(random_.Between(absl::Milliseconds(50), absl::Seconds(2)),
                       [this, i = incarnation_] {
                         if (i == incarnation_) TryResults();
                       });
}

void SimWorker::Tell(Event event) {
  if (in_session_) {
    session_->up->Send(std::move(event));
    return;
  }
  // The sync of the next session tells the rest.
  const bool lasting =
      std::holds_alternative<TileFailed>(event) || std::holds_alternative<CanaryMeasured>(event);
  if (lasting && unsent_.size() < kUnsentMax) unsent_.push_back(std::move(event));
}

void SimWorker::TellSync() {
  WorkerSynced sync{name(), seen_, {}, credit_, credit_bytes_};
  for (auto& [key, lease] : leases_) {
    HeldLease held;
    held.lease = key;
    held.job = lease.terms.grant.job;
    held.generation = lease.terms.generation;
    held.state = lease.started && lease.over()      ? HeldState::kFinished
                 : lease.started                    ? HeldState::kRunning
                 : lease.stage == Stage::kPreparing ? HeldState::kPreparing
                                                    : HeldState::kQueued;
    for (const Tile& tile : lease.tiles) {
      if (tile.state != TileState::kSettled && tile.state != TileState::kAbandoned)
        held.open_tiles.push_back(tile.index);
    }
    if (!held.open_tiles.empty()) sync.held.push_back(std::move(held));
  }
  Tell(std::move(sync));
}

// ---- What the coordinator says.

void SimWorker::OnControl(const Session& session, ControlDown message) {
  if (!alive_ || !session_ || session_->id != session.id) return;
  if (auto* hello = std::get_if<HelloAnswered>(&message)) {
    if (hello->epoch < epoch_ && !world_.plan().bug_old_epoch) {
      world_.trace().Line(name(), "refuse-epoch", hello->epoch, " after ", epoch_);
      world_.Break(*session_, /*worker_dies=*/false);
      return;
    }
    if (hello->epoch > epoch_) seen_ = 0;
    epoch_ = hello->epoch;
    world_.checks().Serves(incarnation(), epoch_);
    in_session_ = true;
    for (Event& event : unsent_) session_->up->Send(std::move(event));
    unsent_.clear();
    TellSync();
    TryResults();
  } else if (auto* grant = std::get_if<GrantSent>(&message)) {
    OnGrant(*grant);
  } else if (auto* back = std::get_if<TakeBack>(&message)) {
    OnTakeBack(*back);
  } else if (auto* canary = std::get_if<CanaryOrder>(&message)) {
    canaries_.push_back(*canary);
  } else {
    TellSync();
  }
  Pump();
}

void SimWorker::OnGrant(const GrantSent& sent) {
  const LeaseKey key = sent.grant.lease;
  if (key.epoch != epoch_ || key.sequence <= seen_) return;
  seen_ = key.sequence;
  const auto bytes_of = [](const JobPlan& job) {
    return job.spec.input_bytes + job.spec.output_bytes;
  };
  int64_t held = static_cast<int64_t>(sent.grant.tiles.size());
  int64_t held_bytes = held * bytes_of(*sent.job);
  for (const auto& [other, lease] : leases_) {
    const int64_t tiles = lease.awaited + lease.ready + lease.computing;
    held += tiles;
    held_bytes += tiles * bytes_of(*lease.terms.job);
  }
  world_.checks().GrantTaken(incarnation(), key, {held, held_bytes}, sent.level);
  Lease& lease = leases_[key];
  lease.terms = sent;
  for (int64_t tile : sent.grant.tiles) lease.tiles.push_back({tile, TileState::kAwaited, {}});
  lease.awaited = static_cast<int64_t>(lease.tiles.size());
  MatchInputs();
}

void SimWorker::OnInputs(const Session& session, const InputTiles& inputs) {
  if (!alive_ || !session_ || session_->id != session.id) return;
  std::vector<int64_t>& early = early_[inputs.lease];
  early.insert(early.end(), inputs.tiles.begin(), inputs.tiles.end());
  MatchInputs();
  Pump();
}

void SimWorker::MatchInputs() {
  for (auto it = early_.begin(); it != early_.end();) {
    if (it->first > LeaseKey{epoch_, seen_}) break;  // its grant is on its way
    const auto lease = leases_.find(it->first);
    if (lease != leases_.end()) {
      for (int64_t index : it->second) {
        Tile* tile = lease->second.Find(index);
        if (tile != nullptr && tile->state == TileState::kAwaited)
          lease->second.Set(*tile, TileState::kReady);
      }
    }
    it = early_.erase(it);
  }
}

void SimWorker::Drop(Lease& lease, Tile& tile) {
  if (tile.state == TileState::kSettled || tile.state == TileState::kAbandoned) return;
  lease.Set(tile,
            tile.state == TileState::kComputing ? TileState::kAbandoned : TileState::kSettled);
}

void SimWorker::OnTakeBack(const TakeBack& back) {
  const auto lease = leases_.find(back.lease);
  if (lease == leases_.end()) {
    Tell(LeaseDropped{name(), back.lease});
    return;
  }
  if (back.tiles.empty()) {
    for (Tile& tile : lease->second.tiles) Drop(lease->second, tile);
  } else {
    for (int64_t index : back.tiles) {
      if (Tile* tile = lease->second.Find(index)) Drop(lease->second, *tile);
    }
  }
  lease->second.take_backs++;
  Tidy(lease);
}

void SimWorker::Tidy(Leases::iterator lease) {
  if (lease->second.inside() > 0) return;
  for (; lease->second.take_backs > 0; --lease->second.take_backs)
    Tell(LeaseDropped{name(), lease->first});
  if (lease->second.empty()) leases_.erase(lease);
}

void SimWorker::OnVerdict(const ResultStream& stream, const VerdictSent& verdict) {
  if (!alive_ || !results_ || results_->id != stream.id) return;
  const auto lease = leases_.find(verdict.lease);
  if (lease == leases_.end()) return;
  Tile* tile = lease->second.Find(verdict.tile);
  if (tile == nullptr || tile->state != TileState::kComputed) return;
  Drop(lease->second, *tile);
  Tidy(lease);
  Pump();
}

int64_t SimWorker::Unverdicted() const {
  int64_t computed = 0;
  for (const auto& [key, lease] : leases_) computed += lease.computed;
  return computed;
}

void SimWorker::ChangeCredit(int tiles) {
  if (credit_bytes_ > 0)
    credit_bytes_ = std::max(world_.TileBytesMax(), credit_bytes_ * tiles / credit_);
  credit_ = tiles;
  world_.trace().Line(name(), "credit", tiles);
  if (in_session_) TellSync();
}

void SimWorker::GiveUpOne() {
  for (auto it = leases_.begin(); it != leases_.end(); ++it) {
    Lease& lease = it->second;
    if (lease.started || lease.stage != Stage::kQueued || lease.take_backs > 0) continue;
    world_.trace().Line(name(), "give-up", "lease ", it->first.sequence);
    world_.checks().GaveUp(name(), lease.terms.grant);
    for (Tile& tile : lease.tiles) Drop(lease, tile);
    lease.take_backs = 1;
    Tidy(it);
    return;
  }
}

}  // namespace tilewright::simulation
