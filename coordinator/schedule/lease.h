// A lease: permission for one worker to compute some tiles. A value type; pure.

#ifndef TILEWRIGHT_COORDINATOR_SCHEDULE_LEASE_H_
#define TILEWRIGHT_COORDINATOR_SCHEDULE_LEASE_H_

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "coordinator/schedule/ready_index.h"
#include "coordinator/schedule/types.h"
#include "proto/base/instant.h"

namespace tilewright::schedule {

struct Job;
struct Worker;

//             Preparing          Started
//   kQueued ------------> kPreparing ------> kRunning ----- deadline -----> kLapsed
//      | \________________Started____________^  |  ^                          ^
//      |                      |   stream closed |  | sync that holds it       | deadline
//      |                      |                 v  |                          |
//      |                      +------------> kOrphaned -----------------------+
//      | taken back, not started in time, preparation stalled, all its tiles accepted elsewhere
//      (from any live state)
//      +------------------------------------> kReturning ---- running past its deadline ---->
//      kLapsed
//
// A lease ends (is erased) when its last open tile settles: by a verdict, a failure, a drop, a sync
// without it, or the end of its worker's incarnation; a queued one also by a closed stream. The
// first three states are *live*: their tiles are not offered to others.
enum class LeaseState : uint8_t {
  kQueued,     // granted; on its way to the worker or waiting there
  kPreparing,  // its model is fetched, loaded or compiled
  kRunning,    // the work clock runs
  kOrphaned,   // ran or prepared when the stream closed; its tiles are offered to others, its
               // results welcome
  kLapsed,     // ran past its deadline; the same, and its worker gets nothing until it settles
  kReturning,  // none of its tiles is wanted; the worker has not confirmed yet
};

enum class TileMark : uint8_t {
  kWanted,    // open: no verdict yet
  kUnwanted,  // open at the worker, but taken back
  kSettled,
};

struct Lease {
  uint64_t sequence = 0;
  // As its worker knows it, if an earlier coordinator granted it; then its times count from when it
  // was taken over, and nothing is learnt from them.
  std::optional<LeaseKey> earlier;
  Worker* worker = nullptr;
  Job* job = nullptr;  // null once the job has ended. Invariant: then wanted == 0.
  LeaseState state = LeaseState::kQueued;

  std::vector<int64_t> tiles;   // ascending
  std::vector<TileMark> marks;  // of tiles
  int64_t wanted = 0;           // Invariant: marks in kWanted.
  int64_t open = 0;             // Invariant: marks not in kSettled; > 0.
  int64_t credit_bytes_per_tile = 0;
  int64_t input_bytes_per_tile = 0;
  TileCharge charge;  // to the job, for each tile that is still wanted or was settled

  Instant granted;
  std::optional<Instant> head_since;  // when every lease before it had ended, not before `granted`
  std::optional<Instant> started;     // reported by the worker, or implied by a result
  Instant clock;                      // last restart of the work clock; valid if started
  Instant busy_since;                 // since when the next tile runs; valid if started
  std::optional<absl::Duration> last_budget;  // of the work clock, when its job ended here
  absl::Duration tile_estimate;               // of its worker, as last known; zero: unknown
  bool copy = false;      // doubles tiles that run elsewhere; counted by its job
  bool computed = false;  // taken over with all results at hand: they only have to arrive
  int handovers = 0;      // times that its tiles were taken back from one worker for another
  std::optional<Instant> finish;  // its place in Job::finishes
  uint64_t progress = 0;          // of the preparation
  double patience = 1;            // factor on its budgets
  bool overdue = false;  // lapsed, or not started in time: its worker gets nothing until it ends
  bool take_back_sent = false;  // of the whole lease, on the present stream
  int take_backs_open = 0;      // sent on any stream and not yet answered by LeaseDropped
  int sync_asks = 0;            // syncs asked for to learn whether the worker still holds it

  bool live() const {
    return state == LeaseState::kQueued || state == LeaseState::kPreparing ||
           state == LeaseState::kRunning;
  }
  // Whether the work clock runs for it once it has started. A lease that was taken over of a job
  // that had ended before is asked for instead.
  bool timed() const { return job != nullptr || last_budget.has_value(); }
  // Position of a tile in `tiles`; -1 if it is not there.
  int64_t Find(int64_t tile) const {
    auto it = std::lower_bound(tiles.begin(), tiles.end(), tile);
    return it != tiles.end() && *it == tile ? it - tiles.begin() : -1;
  }
  bool Wants(int64_t tile) const {
    const int64_t i = Find(tile);
    return i >= 0 && marks[i] == TileMark::kWanted;
  }
  // Tiles still wanted of it.
  std::vector<int64_t> WantedTiles() const {
    std::vector<int64_t> wanted_tiles;
    for (size_t i = 0; i < tiles.size(); ++i) {
      if (marks[i] == TileMark::kWanted) wanted_tiles.push_back(tiles[i]);
    }
    return wanted_tiles;
  }
};

}  // namespace tilewright::schedule

#endif  // TILEWRIGHT_COORDINATOR_SCHEDULE_LEASE_H_
