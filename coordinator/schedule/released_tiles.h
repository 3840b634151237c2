// The tiles of a stage that were released one by one, for whatever order they come in: which are
// fresh, and which are still to be done. Not thread-safe; pure.

#ifndef TILEWRIGHT_COORDINATOR_SCHEDULE_RELEASED_TILES_H_
#define TILEWRIGHT_COORDINATOR_SCHEDULE_RELEASED_TILES_H_

#include <cstdint>

#include "absl/container/btree_set.h"

namespace tilewright::schedule {

class ReleasedTiles {
 public:
  void Release(int64_t tile) {
    fresh_.insert(tile);
    open_.insert(tile);
  }
  // It is no longer fresh.
  void Begin(int64_t tile) { fresh_.erase(tile); }
  // Nothing is to be done of it now, whether it was released or not.
  void Close(int64_t tile) {
    fresh_.erase(tile);
    open_.erase(tile);
  }
  // It is to be done after all.
  void Reopen(int64_t tile) { open_.insert(tile); }

  // The lowest fresh tile from `from` on, the lowest open one; `none` if there is none.
  int64_t NextFresh(int64_t from, int64_t none) const {
    const auto next = fresh_.lower_bound(from);
    return next == fresh_.end() ? none : *next;
  }
  int64_t LowestOpen(int64_t none) const { return open_.empty() ? none : *open_.begin(); }

  bool IsFresh(int64_t tile) const { return fresh_.contains(tile); }
  bool IsOpen(int64_t tile) const { return open_.contains(tile); }

 private:
  absl::btree_set<int64_t> fresh_;
  absl::btree_set<int64_t> open_;  // Invariant: holds fresh_.
};

}  // namespace tilewright::schedule

#endif  // TILEWRIGHT_COORDINATOR_SCHEDULE_RELEASED_TILES_H_
