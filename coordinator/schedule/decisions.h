// Outputs of the scheduling core, as values. The shell carries them out in this order: records are
// persisted before anything is sent. Pure.

#ifndef TILEWRIGHT_COORDINATOR_SCHEDULE_DECISIONS_H_
#define TILEWRIGHT_COORDINATOR_SCHEDULE_DECISIONS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "coordinator/schedule/types.h"

namespace tilewright {

// Something that a restart must know.
struct Record {
  enum class Kind { kJobClass, kTileAccepted, kJobEnded };
  Kind kind = Kind::kTileAccepted;
  std::string job;
  int64_t tile = 0;   // kTileAccepted
  std::string value;  // kJobClass: promise and class; kJobEnded: the state
};

struct Grant {
  std::string worker;
  LeaseKey lease;
  std::string job;
  std::vector<int64_t> tiles;
};

struct TakeBack {
  std::string worker;
  LeaseKey lease;
  std::vector<int64_t> tiles;  // empty: the whole lease
  std::string reason;
};

struct CanaryOrder {
  std::string worker;
  uint64_t canary = 0;
  std::string job;  // whose stage is run
  uint64_t seed = 0;
};

enum class Verdict { kAccepted, kDuplicate, kRefused };

struct VerdictOn {
  Verdict verdict = Verdict::kRefused;
  std::string reason;  // UPPER_SNAKE of a refusal: GENERATION_MISMATCH, PLAN_MISMATCH,
                       // MODEL_MISMATCH, CLASS_MISMATCH, UNKNOWN_JOB, UNKNOWN_TILE
  std::string text;    // one sentence for people
};

// For the job's event list and the log.
struct Notice {
  std::string job;  // empty: concerns none
  // Of workers: worker_joined, worker_gone, worker_crashed, canary_failed. Of leases: lease_lapsed,
  // lease_not_started, tile_requeued. Of results: late_result_accepted, duplicate_ignored,
  // result_refused. Of failures: tile_failed, tile_poisoned, memory_floor_raised. Of jobs:
  // job_waiting, promise_chosen, turned_tolerant.
  std::string kind;
  std::optional<int64_t> tile;  // the first one concerned; the text names all
  std::string worker;
  std::string text;  // one sentence
};

struct JobEnd {
  std::string job;
  absl::Status status;  // OK: all tiles accepted; else why it failed (CANCELLED: stopped)
};

struct Decisions {
  std::vector<Record> records;
  std::optional<VerdictOn> verdict;  // set by ResultArrived alone
  std::vector<TakeBack> take_backs;
  std::vector<CanaryOrder> canaries;
  std::vector<Grant> grants;
  std::vector<std::string> sync_requests;  // workers to be asked what they hold
  std::vector<std::string> disconnects;    // workers whose silence ended their stream
  std::vector<std::string> job_starts;     // jobs whose first grant is among `grants`
  std::vector<JobEnd> job_ends;
  std::vector<Notice> notices;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_SCHEDULE_DECISIONS_H_
