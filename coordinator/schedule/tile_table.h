// The tiles of one job: which state each is in, which leases still have an attempt at it, what went
// wrong with it, and the order in which ready ones are taken (returned tiles first, then fresh ones
// in raster order). Every step costs O(1), or O(log n) in the number of returned tiles. Not
// thread-safe; pure.

#ifndef TILEWRIGHT_COORDINATOR_SCHEDULE_TILE_TABLE_H_
#define TILEWRIGHT_COORDINATOR_SCHEDULE_TILE_TABLE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "coordinator/schedule/released_tiles.h"

namespace tilewright::schedule {

//          made ready           grant              accept
//   kHeld ------------> kFresh ---------> kLeased ----------> kAccepted
//                                          |   ^                  ^
//                        last live attempt |   | grant, or an     | accept (a late result)
//                        is gone           v   | orphan adopted   |
//                                        kReturned ---------------+
//
// A held or fresh tile is accepted too, should a result of it arrive from before. From any state
// but kAccepted and kHole:
//
//            poison             retry
//   (any) ----------> kFailed --------> kReturned
//     |                 |  | a late result
//     | left out        |  +-------------------> kAccepted
//     v                 | left out
//   kHole <-------------+
enum class TileState : uint8_t {
  kHeld,      // what it reads is not there yet
  kFresh,     // ready; never granted
  kReturned,  // ready again; lapsed or orphaned attempts at it may still be open
  kLeased,    // at least one live lease wants it
  kAccepted,  // done, for good
  kFailed,    // poison; waits for the user's decision, no attempt is open
  kHole,      // left out, for good; no attempt is open
};

// What went wrong with a tile on one worker.
struct WorkerTrouble {
  std::string worker;
  int charged = 0;    // failures that count towards poison
  int uncharged = 0;  // lapses, and batches in which another tile may have been the culprit
  std::string last;   // what happened last, a noun phrase
};

// A result that is not believed before another attempt gives the same.
struct DoubtedResult {
  std::string worker;
  uint64_t checksum = 0;
};

struct TileTrouble {
  bool alone = false;  // to be retried in a lease of its own
  std::optional<DoubtedResult> doubted = std::nullopt;
  std::vector<WorkerTrouble> workers;
  WorkerTrouble& On(const std::string& worker);
  // Times that `worker` had trouble with the tile.
  int Count(const std::string& worker) const;
  int charged() const;
  int charged_workers() const;
};

class TileTable {
 public:
  // Sequence numbers of leases.
  using Attempts = absl::InlinedVector<uint64_t, 1>;

  // All tiles are fresh, or all are held back.
  explicit TileTable(int64_t count, bool held = false);

  int64_t count() const { return static_cast<int64_t>(tiles_.size()); }
  int64_t ready() const { return open() - held_ - leased_ - static_cast<int64_t>(failed_.size()); }
  int64_t held() const { return held_; }
  int64_t leased() const { return leased_; }
  int64_t accepted() const { return accepted_; }
  // Neither accepted nor left out.
  int64_t open() const { return count() - accepted_ - static_cast<int64_t>(holes_.size()); }
  const absl::btree_set<int64_t>& failed() const { return failed_; }
  // Known after Release as well.
  const absl::btree_set<int64_t>& holes() const { return holes_; }
  // Nothing is wanted of it now: accepted, failed or left out.
  bool closed(int64_t tile) const { return tiles_[tile].state >= TileState::kAccepted; }
  TileState state(int64_t tile) const { return tiles_[tile].state; }

  // Open attempts, live or not.
  const Attempts& attempts(int64_t tile) const { return tiles_[tile].attempts; }
  void AddAttempt(int64_t tile, uint64_t lease);
  void RemoveAttempt(int64_t tile, uint64_t lease);

  // Ready tiles that were granted before, the lowest first.
  const absl::btree_set<int64_t>& returned() const { return returned_; }
  // The lowest fresh tile from `from` on; count() if there is none.
  int64_t NextFresh(int64_t from);
  // The lowest tile that is still to be done, those apart that wait for a decision or are held
  // back; count() if there is none.
  int64_t LowestOpen();

  void MarkReady(int64_t tile);     // Requires kHeld.
  void MarkLeased(int64_t tile);    // Requires a ready tile.
  void MarkReturned(int64_t tile);  // Requires kLeased.
  // These require anything but kAccepted and kHole, and forget the tile's trouble.
  void MarkAccepted(int64_t tile);
  void MarkHole(int64_t tile);
  void MarkFailed(int64_t tile);   // The same, and not kFailed; the trouble stays.
  void MarkRetried(int64_t tile);  // Requires kFailed. Forgets the tile's trouble.

  // Null if nothing went wrong with the tile.
  const TileTrouble* trouble(int64_t tile) const;
  TileTrouble& MutableTrouble(int64_t tile) { return troubles_[tile]; }

  // Frees what only an active job needs; the counts stay.
  void Release();
  // INTERNAL if counts and states disagree. Looks at every tile.
  absl::Status Check() const;

 private:
  struct Tile {
    Attempts attempts;
    TileState state = TileState::kFresh;
  };

  std::vector<Tile> tiles_;
  // Takes the tile out of the index of its state.
  void Leave(int64_t tile);

  absl::btree_set<int64_t> returned_;  // Invariant: exactly the tiles in kReturned.
  absl::btree_set<int64_t> failed_;    // Invariant: exactly the tiles in kFailed.
  absl::btree_set<int64_t> holes_;     // Invariant: exactly the tiles in kHole.
  // Of a table whose tiles are held back: its fresh and open ones. Absent otherwise; then they are
  // found by the two cursors.
  std::optional<ReleasedTiles> released_;
  int64_t cursor_ = 0;       // Invariant: no tile below it is fresh.
  int64_t lowest_open_ = 0;  // Invariant: every tile below it is done.
  int64_t held_ = 0;         // Invariant: tiles in kHeld.
  int64_t leased_ = 0;       // Invariant: tiles in kLeased.
  int64_t accepted_ = 0;     // Invariant: tiles in kAccepted.
  absl::flat_hash_map<int64_t, TileTrouble> troubles_;
};

}  // namespace tilewright::schedule

#endif  // TILEWRIGHT_COORDINATOR_SCHEDULE_TILE_TABLE_H_
