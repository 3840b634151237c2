#include "worker/link/lease_book.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/base/status_macros.h"
#include "worker/link/tile_check.h"

namespace tilewright {

LeaseRef RefOf(const v1::LeaseId& id) { return {id.epoch(), id.sequence()}; }

v1::LeaseId ToProto(LeaseRef lease) {
  v1::LeaseId id;
  id.set_epoch(lease.epoch);
  id.set_sequence(lease.sequence);
  return id;
}

std::string ToString(LeaseRef lease) {
  return absl::StrCat("lease ", lease.epoch, "/", lease.sequence);
}

absl::Status LeaseBook::BeginSession(uint64_t epoch) {
  if (epoch < epoch_) {
    return absl::FailedPreconditionError(absl::StrCat("the coordinator has epoch ", epoch,
                                                      ", but this worker has served epoch ", epoch_,
                                                      ": an older coordinator is not served"));
  }
  if (epoch > epoch_) seen_sequence_ = 0;
  epoch_ = epoch;
  return absl::OkStatus();
}

void LeaseBook::EndSession() {
  for (auto it = leases_.begin(); it != leases_.end();) {
    const auto lease = it++;
    for (Tile& tile : lease->second.tiles) {
      if (!lease->second.started || tile.state == TileState::kAwaited) Drop(lease->second, tile);
    }
    lease->second.take_backs = 0;  // nobody waits for the answer
    Tidy(lease);
  }
  DropEarlyInputs();
  dropped_.clear();
}

void LeaseBook::DropEarlyInputs() {
  for (const auto& [ref, inputs] : early_) {
    for (const IncomingTile& input : inputs) input_bytes_ -= input.payload.size();
  }
  early_.clear();
}

void LeaseBook::Drain() {
  draining_ = true;
  for (auto it = leases_.begin(); it != leases_.end();) {
    const auto lease = it++;
    for (Tile& tile : lease->second.tiles) {
      if (tile.state == TileState::kAwaited || tile.state == TileState::kReady) {
        Drop(lease->second, tile);
      }
    }
    Tidy(lease);
  }
  DropEarlyInputs();
}

bool LeaseBook::owes() const {
  return std::any_of(leases_.begin(), leases_.end(),
                     [](const auto& entry) { return entry.second.open > 0; });
}

v1::WorkerSync LeaseBook::Sync() const {
  v1::WorkerSync sync;
  sync.set_seen_grant_sequence(seen_sequence_);
  for (const auto& [ref, lease] : leases_) {
    if (lease.open == 0) continue;
    v1::HeldLease* held = sync.add_held();
    *held->mutable_lease() = ToProto(ref);
    const bool over = lease.started && lease.awaited + lease.ready + lease.computing == 0;
    held->set_state(over                               ? v1::HeldLease::STATE_FINISHED
                    : lease.started                    ? v1::HeldLease::STATE_RUNNING
                    : lease.stage == Stage::kPreparing ? v1::HeldLease::STATE_PREPARING
                                                       : v1::HeldLease::STATE_QUEUED);
    held->set_job(lease.terms->stage.job());
    held->set_generation(lease.terms->stage.generation());
    for (const Tile& tile : lease.tiles) {
      if (tile.state == TileState::kSettled || tile.state == TileState::kAbandoned) continue;
      held->add_open_tiles(tile.index);
      if (tile.state != TileState::kComputed) continue;
      v1::HeldResult* result = held->add_results();
      result->set_index(tile.index);
      result->set_checksum(tile.result.header.checksum());
    }
  }
  sync.mutable_credits()->set_tiles(draining_ ? 0 : limits_.tiles);
  sync.mutable_credits()->set_bytes(limits_.bytes);
  return sync;
}

absl::Status LeaseBook::AddGrant(v1::Lease lease, std::vector<RefusedTile>* refused) {
  const LeaseRef ref = RefOf(lease.id());
  if (ref.epoch != epoch_) {
    return absl::FailedPreconditionError(absl::StrCat(
        ToString(ref), " is of another epoch than the coordinator's, which is ", epoch_));
  }
  if (ref.sequence <= seen_sequence_) {
    return absl::AlreadyExistsError(absl::StrCat(ToString(ref), " was granted before"));
  }
  seen_sequence_ = ref.sequence;
  if (lease.tiles_size() == 0) {
    return absl::InvalidArgumentError(absl::StrCat(ToString(ref), " has no tiles"));
  }
  if (draining_) return absl::OkStatus();
  // Computed tiles do not count: their verdicts may be under way on another stream than the grant.
  const uint64_t waiting = held_tiles_ - results_;
  if (waiting + static_cast<uint64_t>(lease.tiles_size()) > uint64_t{2} * limits_.tiles) {
    return absl::ResourceExhaustedError(absl::StrCat(
        ToString(ref), " of ", lease.tiles_size(), " tiles goes far beyond the ", limits_.tiles,
        " that this worker said it would hold; it still has to compute ", waiting));
  }

  Lease held;
  held.tiles.resize(static_cast<size_t>(lease.tiles_size()));
  for (size_t i = 0; i < held.tiles.size(); ++i) {
    held.tiles[i].index = lease.tiles(static_cast<int>(i));
    if (!held.slots.emplace(held.tiles[i].index, i).second) {
      return absl::InvalidArgumentError(
          absl::StrCat(ToString(ref), " names tile ", held.tiles[i].index, " twice"));
    }
  }
  held.awaited = held.open = held.tiles.size();
  held_tiles_ += held.tiles.size();
  auto terms = std::make_shared<LeaseTerms>();
  terms->lease = ref;
  terms->stage = std::move(*lease.mutable_stage());
  terms->frame = lease.frame();
  terms->pass = lease.pass();
  held.terms = std::move(terms);
  leases_.emplace(ref, std::move(held));
  MatchInputs(refused);
  return absl::OkStatus();
}

absl::Status LeaseBook::AddInputs(std::vector<IncomingTile> inputs,
                                  std::vector<RefusedTile>* refused) {
  for (IncomingTile& input : inputs) {
    const LeaseRef ref = RefOf(input.header.lease());
    input_bytes_ += input.payload.size();
    if (input_bytes_ > 2 * limits_.bytes + input.payload.size()) {
      return absl::ResourceExhaustedError(
          absl::StrCat("the coordinator sent ", input_bytes_, " bytes of inputs, far beyond the ",
                       limits_.bytes, " that this worker said it would hold"));
    }
    early_[ref].push_back(std::move(input));
  }
  MatchInputs(refused);
  return absl::OkStatus();
}

void LeaseBook::MatchInputs(std::vector<RefusedTile>* refused) {
  for (auto it = early_.begin(); it != early_.end();) {
    const LeaseRef ref = it->first;
    if (ref.epoch == epoch_ && ref.sequence > seen_sequence_) break;  // its grant is on its way
    const auto lease = leases_.find(ref);
    for (IncomingTile& input : it->second) {
      const uint64_t bytes = input.payload.size();
      const uint64_t index = input.header.tile().index();
      input_bytes_ -= bytes;
      if (lease == leases_.end()) continue;
      Tile* tile = FindTile(lease, index);
      if (tile == nullptr || tile->state != TileState::kAwaited) continue;
      absl::StatusOr<TileTask> task = CheckInput(*lease->second.terms, std::move(input));
      if (!task.ok()) {
        refused->push_back({ref, index, std::string(task.status().message())});
        Drop(lease->second, *tile);
        continue;
      }
      tile->task = *std::move(task);
      input_bytes_ += bytes;
      SetState(lease->second, *tile, TileState::kReady);
    }
    if (lease != leases_.end()) Tidy(lease);
    it = early_.erase(it);
  }
}

bool LeaseBook::TakeBack(LeaseRef ref, const std::vector<uint64_t>& tiles) {
  const auto lease = leases_.find(ref);
  if (lease == leases_.end()) return true;
  if (tiles.empty()) {
    for (Tile& tile : lease->second.tiles) Drop(lease->second, tile);
  } else {
    for (uint64_t index : tiles) {
      if (Tile* tile = FindTile(lease, index)) Drop(lease->second, *tile);
    }
  }
  if (lease->second.computing > 0) {
    ++lease->second.take_backs;
    return false;
  }
  Tidy(lease);
  return true;
}

bool LeaseBook::Settle(LeaseRef ref, uint64_t index) {
  const auto lease = leases_.find(ref);
  if (lease == leases_.end()) return false;
  Tile* tile = FindTile(lease, index);
  if (tile == nullptr || tile->state != TileState::kComputed) return false;
  Drop(lease->second, *tile);
  Tidy(lease);
  return true;
}

std::optional<LeaseWork> LeaseBook::Next(bool may_start) {
  for (auto& [ref, lease] : leases_) {
    if (lease.stage == Stage::kPreparing || lease.awaited + lease.ready == 0) continue;
    LeaseWork work;
    work.terms = lease.terms;
    if (lease.stage == Stage::kQueued) {
      lease.stage = Stage::kPreparing;
      work.kind = LeaseWork::Kind::kPrepare;
      return work;
    }
    const size_t batch = std::max<size_t>(1, lease.terms->stage.batch());
    if (lease.ready < std::min(batch, lease.ready + lease.awaited)) continue;
    if (full() || !(may_start || lease.started)) continue;
    work.kind = LeaseWork::Kind::kCompute;
    work.first = !lease.started;
    lease.started = true;
    work.tasks.reserve(std::min(batch, lease.ready));
    bool gap = false;
    for (size_t i = lease.first_open; i < lease.tiles.size() && work.tasks.size() < batch; ++i) {
      Tile& tile = lease.tiles[i];
      if (tile.state == TileState::kReady) {
        input_bytes_ -= tile.task.samples.size();
        work.tasks.push_back(std::move(tile.task));
        tile.task = TileTask();
        SetState(lease, tile, TileState::kComputing);
      } else if (tile.state == TileState::kAwaited) {
        gap = true;
      }
      if (!gap) lease.first_open = i + 1;
    }
    return work;
  }
  return std::nullopt;
}

void LeaseBook::Prepared(LeaseRef ref) {
  const auto lease = leases_.find(ref);
  if (lease != leases_.end()) lease->second.stage = Stage::kReady;
}

bool LeaseBook::Finish(LeaseRef ref, uint64_t index, OutgoingTile result) {
  const auto lease = leases_.find(ref);
  if (lease == leases_.end()) return false;
  Tile* tile = FindTile(lease, index);
  if (tile == nullptr) return false;
  const bool wanted = tile->state == TileState::kComputing;
  if (wanted) {
    tile->result = std::move(result);
    result_bytes_ += tile->result.header.payload_bytes();
    SetState(lease->second, *tile, TileState::kComputed);
  } else if (tile->state == TileState::kAbandoned) {
    SetState(lease->second, *tile, TileState::kSettled);
  }
  Tidy(lease);
  return wanted;
}

bool LeaseBook::Fail(LeaseRef ref, uint64_t index) {
  const auto lease = leases_.find(ref);
  if (lease == leases_.end()) return false;
  Tile* tile = FindTile(lease, index);
  if (tile == nullptr) return false;
  const bool wanted = tile->state != TileState::kAbandoned && tile->state != TileState::kSettled;
  Drop(lease->second, *tile);
  SetState(lease->second, *tile, TileState::kSettled);  // it has come out of the engine
  Tidy(lease);
  return wanted;
}

std::vector<uint64_t> LeaseBook::FailLease(LeaseRef ref) {
  std::vector<uint64_t> failed;
  const auto lease = leases_.find(ref);
  if (lease == leases_.end()) return failed;
  for (Tile& tile : lease->second.tiles) {
    if (tile.state == TileState::kSettled || tile.state == TileState::kAbandoned) continue;
    failed.push_back(tile.index);
    Drop(lease->second, tile);
  }
  Tidy(lease);
  return failed;
}

std::vector<LeaseRef> LeaseBook::TakeDropped() { return std::exchange(dropped_, {}); }

std::vector<OutgoingTile> LeaseBook::Unacknowledged() const {
  std::vector<OutgoingTile> results;
  for (const auto& [ref, lease] : leases_) {
    for (const Tile& tile : lease.tiles) {
      if (tile.state == TileState::kComputed) results.push_back(tile.result);
    }
  }
  return results;
}

LeaseBook::Tile* LeaseBook::FindTile(Leases::iterator lease, uint64_t index) {
  const auto slot = lease->second.slots.find(index);
  return slot == lease->second.slots.end() ? nullptr : &lease->second.tiles[slot->second];
}

void LeaseBook::SetState(Lease& lease, Tile& tile, TileState state) {
  const auto count = [this, &lease](TileState s, size_t by) {
    if (s == TileState::kComputed) results_ += by;
    if (s == TileState::kAwaited) lease.awaited += by;
    if (s == TileState::kReady) lease.ready += by;
    if (s == TileState::kComputing || s == TileState::kAbandoned) lease.computing += by;
    if (s != TileState::kSettled && s != TileState::kAbandoned) lease.open += by;
  };
  if (tile.state != TileState::kSettled && state == TileState::kSettled) --held_tiles_;
  count(tile.state, static_cast<size_t>(-1));
  count(state, 1);
  tile.state = state;
}

// Whatever is held of the tile is freed, except what is in the engine.
void LeaseBook::Drop(Lease& lease, Tile& tile) {
  switch (tile.state) {
    case TileState::kSettled:
    case TileState::kAbandoned:
      return;
    case TileState::kComputing:
      SetState(lease, tile, TileState::kAbandoned);
      return;
    case TileState::kReady:
      input_bytes_ -= tile.task.samples.size();
      tile.task = TileTask();
      break;
    case TileState::kComputed:
      result_bytes_ -= tile.result.header.payload_bytes();
      tile.result = OutgoingTile();
      break;
    case TileState::kAwaited:
      break;
  }
  SetState(lease, tile, TileState::kSettled);
}

void LeaseBook::Tidy(Leases::iterator lease) {
  if (lease->second.computing > 0) return;
  for (; lease->second.take_backs > 0; --lease->second.take_backs) dropped_.push_back(lease->first);
  if (lease->second.open == 0) leases_.erase(lease);
}

}  // namespace tilewright
