// A worker by name, over all its incarnations. A value type; pure.

#ifndef TILEWRIGHT_COORDINATOR_SCHEDULE_WORKER_H_
#define TILEWRIGHT_COORDINATOR_SCHEDULE_WORKER_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/schedule/standing.h"
#include "coordinator/schedule/types.h"
#include "proto/base/instant.h"

namespace tilewright::schedule {

struct Lease;
struct Stage;

//                joined                 stream closed, silence            an hour
//   (none) -----------------> kConnected -------------------------> kGone --------> (forgotten)
//                              ^   ^  joined, new incarnation         |  ^
//                              |   +----------------------------------+  | stream closed, silence
//                       synced |                                      |  |
//                              +------- kResyncing <------------------+  |
//                                           |   joined, same incarnation |
//                                           +----------------------------+
enum class WorkerState : uint8_t {
  kConnected,  // gets leases
  kResyncing,  // came back; gets leases again once it has said what it holds
  kGone,       // no stream; its running leases are orphaned, its results welcome
};

// A canary that was asked for.
struct Canary {
  uint64_t number = 0;
  Stage* stage = nullptr;
};

struct Worker {
  uint64_t id = 0;
  std::string name;
  WorkerState state = WorkerState::kGone;

  // Of the current incarnation, or the last one.
  std::string incarnation;
  WorkerOffer offer;
  std::string earlier_incarnation;  // the one before, whose late results may still come
  std::string earlier_key;
  // It failed tiles with its device, for which it was charged, and began nothing since: its process
  // ends, and that is no further failure.
  bool dying = false;
  Instant last_heard;
  std::vector<Lease*>
      leases;              // in the order of their grants, which is the order of their execution
  int64_t held_tiles = 0;  // Invariant: sum of open tiles of `leases`.
  int64_t held_bytes = 0;  // Invariant: the same in bytes of credit.
  std::optional<Canary> canary;      // running
  std::deque<Canary> late_canaries;  // unanswered in time, the latest last; answers are still noted
  std::deque<uint64_t> canary_jobs;  // jobs that wait for this worker's canary
  std::optional<double> link_rate;   // bytes per second, smoothed

  // Of the name.
  std::vector<Stage*> stages;  // where it was measured
  int64_t accepted_tiles = 0;
  int lapses_in_row = 0;
  bool next_single = false;  // its next lease is one tile
  int charges = 0;           // failures since it was last forgiven

  bool recorded = false;  // Invariant: the records say that it is connected.

  // Its standing, of the name as well; survives reconnects, not a restart of the coordinator.
  bool draining = false;      // the user wants it to end; until he resumes it
  bool drained_told = false;  // that it holds nothing any more
  std::optional<Quarantine> quarantine;
  int quarantines = 0;    // since it was last forgiven
  int blocklistings = 0;  // since its last quarantine, or since it was forgiven
  int bad_results_in_row = 0;
  std::optional<Instant> last_trouble;  // or the end of its last quarantine
  int64_t good_tiles = 0;               // computed in time since then

  // The stage it ran last: its model is loaded. Null: none of this incarnation.
  Stage* loaded = nullptr;
  absl::Duration start_seconds;  // from a grant to Started with the model ready, smoothed
  bool resting = false;          // leaves what is ready to faster workers. Invariant: only if idle.

  bool idle = false;  // Invariant: connected, not put aside, nothing live, nothing overdue, no
                      // canary; then listed in the idle index.
  std::pair<double, uint64_t> idle_rank;  // its place there: -probe speed when listed, id
  bool awake = false;  // Invariant: listed to be looked at before the event ends.

  bool connected() const { return state != WorkerState::kGone; }
  bool quarantined() const { return quarantine.has_value() && !quarantine->probing; }
  bool on_probation() const { return quarantine.has_value() && quarantine->probing; }
  bool put_aside() const { return draining || quarantined(); }
};

}  // namespace tilewright::schedule

#endif  // TILEWRIGHT_COORDINATOR_SCHEDULE_WORKER_H_
