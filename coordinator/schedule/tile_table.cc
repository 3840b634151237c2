#include "coordinator/schedule/tile_table.h"

#include <algorithm>
#include <cassert>

#include "absl/strings/str_cat.h"
#include "coordinator/schedule/planted.h"

namespace tilewright::schedule {

WorkerTrouble& TileTrouble::On(const std::string& worker) {
  for (WorkerTrouble& trouble : workers) {
    if (trouble.worker == worker) return trouble;
  }
  workers.push_back({worker, 0, 0, ""});
  return workers.back();
}

int TileTrouble::Count(const std::string& worker) const {
  for (const WorkerTrouble& trouble : workers) {
    if (trouble.worker == worker) return trouble.charged + trouble.uncharged;
  }
  return 0;
}

int TileTrouble::charged() const {
  int sum = 0;
  for (const WorkerTrouble& trouble : workers) sum += trouble.charged;
  return sum;
}

int TileTrouble::charged_workers() const {
  return static_cast<int>(std::count_if(workers.begin(), workers.end(),
                                        [](const WorkerTrouble& t) { return t.charged > 0; }));
}

TileTable::TileTable(int64_t count, bool held) : tiles_(count) {
  if (!held || Planted(PlantedBug::kNothingHeldBack)) return;
  for (Tile& tile : tiles_) tile.state = TileState::kHeld;
  held_ = count;
  released_.emplace();
}

void TileTable::AddAttempt(int64_t tile, uint64_t lease) { tiles_[tile].attempts.push_back(lease); }

void TileTable::RemoveAttempt(int64_t tile, uint64_t lease) {
  Attempts& attempts = tiles_[tile].attempts;
  auto it = std::find(attempts.begin(), attempts.end(), lease);
  if (it != attempts.end()) attempts.erase(it);
}

int64_t TileTable::NextFresh(int64_t from) {
  if (released_.has_value()) return released_->NextFresh(from, count());
  while (cursor_ < count() && tiles_[cursor_].state != TileState::kFresh) ++cursor_;
  int64_t next = std::max(from, cursor_);
  while (next < count() && tiles_[next].state != TileState::kFresh) ++next;
  return next;
}

int64_t TileTable::LowestOpen() {
  if (released_.has_value()) return released_->LowestOpen(count());
  while (lowest_open_ < count() && closed(lowest_open_)) ++lowest_open_;
  return lowest_open_;
}

void TileTable::MarkReady(int64_t tile) {
  assert(tiles_[tile].state == TileState::kHeld);
  tiles_[tile].state = TileState::kFresh;
  --held_;
  released_->Release(tile);
}

void TileTable::MarkLeased(int64_t tile) {
  TileState& state = tiles_[tile].state;
  assert(state == TileState::kFresh || state == TileState::kReturned);
  if (released_.has_value()) released_->Begin(tile);
  if (state == TileState::kReturned) returned_.erase(tile);
  state = TileState::kLeased;
  ++leased_;
}

void TileTable::MarkReturned(int64_t tile) {
  assert(tiles_[tile].state == TileState::kLeased);
  tiles_[tile].state = TileState::kReturned;
  returned_.insert(tile);
  --leased_;
}

void TileTable::MarkAccepted(int64_t tile) {
  TileState& state = tiles_[tile].state;
  if (Planted(PlantedBug::kNoAcceptedCheck) && state == TileState::kAccepted) return;
  assert(state != TileState::kAccepted && state != TileState::kHole);
  Leave(tile);
  if (released_.has_value()) released_->Close(tile);
  state = TileState::kAccepted;
  ++accepted_;
  if (!troubles_.empty()) troubles_.erase(tile);
}

void TileTable::MarkHole(int64_t tile) {
  assert(tiles_[tile].state != TileState::kAccepted && tiles_[tile].state != TileState::kHole);
  Leave(tile);
  if (released_.has_value()) released_->Close(tile);
  tiles_[tile].state = TileState::kHole;
  holes_.insert(tile);
  troubles_.erase(tile);
}

void TileTable::MarkFailed(int64_t tile) {
  assert(!closed(tile));
  Leave(tile);
  if (released_.has_value()) released_->Close(tile);
  tiles_[tile].state = TileState::kFailed;
  failed_.insert(tile);
}

void TileTable::MarkRetried(int64_t tile) {
  assert(tiles_[tile].state == TileState::kFailed);
  Leave(tile);
  tiles_[tile].state = TileState::kReturned;
  returned_.insert(tile);
  troubles_.erase(tile);
  lowest_open_ = std::min(lowest_open_, tile);
  if (released_.has_value()) released_->Reopen(tile);
}

void TileTable::Leave(int64_t tile) {
  switch (tiles_[tile].state) {
    case TileState::kHeld:
      --held_;
      return;
    case TileState::kReturned:
      returned_.erase(tile);
      return;
    case TileState::kLeased:
      --leased_;
      return;
    case TileState::kFailed:
      failed_.erase(tile);
      return;
    case TileState::kFresh:
    case TileState::kAccepted:
    case TileState::kHole:
      return;
  }
}

const TileTrouble* TileTable::trouble(int64_t tile) const {
  if (troubles_.empty()) return nullptr;
  auto it = troubles_.find(tile);
  return it == troubles_.end() ? nullptr : &it->second;
}

void TileTable::Release() {
  tiles_ = {};
  returned_.clear();
  failed_.clear();
  troubles_.clear();
  if (released_.has_value()) released_.emplace();
  leased_ = 0;
  held_ = 0;
  cursor_ = 0;
  lowest_open_ = 0;
}

absl::Status TileTable::Check() const {
  int64_t held = 0, leased = 0, accepted = 0, returned = 0, failed = 0, holes = 0;
  for (int64_t i = 0; i < count(); ++i) {
    if (!closed(i) && i < lowest_open_ && !released_.has_value())
      return absl::InternalError(absl::StrCat("tile ", i, " is open and was passed over"));
    if (released_.has_value() &&
        (released_->IsFresh(i) != (state(i) == TileState::kFresh) ||
         released_->IsOpen(i) != (state(i) != TileState::kHeld && !closed(i))))
      return absl::InternalError(absl::StrCat("tile ", i, " is released and listed wrongly"));
    if (closed(i) && !tiles_[i].attempts.empty())
      return absl::InternalError(absl::StrCat("tile ", i, " is closed and has an attempt"));
    switch (tiles_[i].state) {
      case TileState::kHeld:
        ++held;
        break;
      case TileState::kFresh:
        if (i < cursor_) return absl::InternalError(absl::StrCat("tile ", i, " was passed over"));
        break;
      case TileState::kReturned:
        ++returned;
        if (!returned_.contains(i)) {
          return absl::InternalError(absl::StrCat("tile ", i, " is returned but not listed"));
        }
        break;
      case TileState::kLeased:
        ++leased;
        if (tiles_[i].attempts.empty()) {
          return absl::InternalError(absl::StrCat("tile ", i, " is leased to nobody"));
        }
        break;
      case TileState::kAccepted:
        ++accepted;
        break;
      case TileState::kFailed:
        failed += failed_.contains(i);
        break;
      case TileState::kHole:
        holes += holes_.contains(i);
        break;
    }
  }
  if (held != held_ || leased != leased_ || accepted != accepted_ ||
      returned != static_cast<int64_t>(returned_.size()) ||
      failed != static_cast<int64_t>(failed_.size()) ||
      holes != static_cast<int64_t>(holes_.size())) {
    return absl::InternalError(
        absl::StrCat("counts of tiles differ from their states: held ", held_, " for ", held,
                     ", leased ", leased_, " for ", leased, ", accepted ", accepted_, " for ",
                     accepted, ", returned ", returned_.size(), " for ", returned, ", failed ",
                     failed_.size(), " for ", failed, ", holes ", holes_.size(), " for ", holes));
  }
  return absl::OkStatus();
}

}  // namespace tilewright::schedule
