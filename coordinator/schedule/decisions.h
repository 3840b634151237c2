// Outputs of the scheduling core, as values. The shell carries them out in this order: records are
// persisted before anything is sent. Pure.

#ifndef TILEWRIGHT_COORDINATOR_SCHEDULE_DECISIONS_H_
#define TILEWRIGHT_COORDINATOR_SCHEDULE_DECISIONS_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "coordinator/schedule/types.h"

namespace tilewright {

// Something that a restart must know; Apply (snapshot.h) says what each means. Grants are never
// recorded: a worker that holds one says so.
struct Record {
  enum class Kind {
    kJobSubmitted,  // `spec`, `later_stages`
    kJobClass,      // `promise`, and in `value` the class it is for
    kJobPaused,
    kJobResumed,
    kJobPriority,   // `number`
    kTileAccepted,  // `number` = the tile; `value` = the numeric class, `worker` = whose result
    kTileFailed,    // `number`: it is poison and waits for a decision
    kTileRetried,   // `number`: the decision
    kTileHole,      // `number`: the other decision
    kJobEnded,      // `value` = the state in words; unless "succeeded", of all stages of the job
    kWorkerJoined,  // `worker`
    kWorkerGone,    // `worker`
  };
  Kind kind = Kind::kTileAccepted;
  std::string job = {};
  int64_t number = 0;
  std::string value = {};
  std::string worker = {};
  Promise promise = Promise::kUndecided;                               // kJobClass
  std::shared_ptr<const JobSpec> spec = nullptr;                       // kJobSubmitted
  std::shared_ptr<const std::vector<JobSpec>> later_stages = nullptr;  // the same; null: none
  // How old the job was: the time since its submission, without that in which no coordinator ran.
  absl::Duration age = absl::ZeroDuration();
};

struct Grant {
  std::string worker;
  LeaseKey lease;
  std::string job;
  std::vector<int64_t> tiles;
  bool strict = false;  // what the job promises now: the worker may take no step that changes bits
  std::string numeric_class;  // of a strict job with proof: its class, and
  uint64_t canary_seed = 0;   // the seed of the noise whose canary gives it
  absl::Duration deadline;    // what the work clock gives the first tile
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
  absl::Duration deadline;  // when an answer is given up
};

enum class Verdict {
  kAccepted,
  kDuplicate,
  kRefused,
  kDoubted,  // the tile is computed once more and accepted if that gives the same
};

struct VerdictOn {
  Verdict verdict = Verdict::kRefused;
  std::string reason;  // UPPER_SNAKE of a refusal: GENERATION_MISMATCH, PLAN_MISMATCH,
                       // MODEL_MISMATCH, CLASS_MISMATCH, UNKNOWN_JOB, UNKNOWN_TILE,
                       // WORKER_QUARANTINED; of a doubt: CONSTANT_RESULT
  std::string text;    // one sentence for people
};

// For the job's event list and the log.
struct Notice {
  std::string job;  // empty: concerns none
  // Of workers: worker_joined, worker_gone, worker_crashed, canary_failed. Of leases: lease_lapsed,
  // lease_not_started, tile_requeued. Of results: late_result_accepted, duplicate_ignored,
  // result_refused, result_doubted. Of failures: tile_failed, tile_poisoned, memory_floor_raised.
  // Of jobs: job_waiting, promise_chosen, turned_tolerant, job_paused, job_resumed,
  // priority_changed, tile_needs_decision, tile_retried, hole_accepted, restored. Of the end game:
  // lease_taken_back, tile_copied. Of a worker's standing: worker_blocklisted, worker_quarantined,
  // worker_readmitted, worker_drained, worker_resumed, blocklist_cleared.
  std::string kind;
  std::optional<int64_t> tile;  // the first one concerned; the text names all
  std::string worker;
  std::string text;  // one sentence
};

enum class EndReason {
  kDone,        // all tiles are accepted or holes
  kStopped,     // JobStopped
  kTileFailed,  // a tile is poison
  kTooLong,     // max_duration has passed
  kNoWorker,    // no worker can do it
};

struct JobEnd {
  std::string job;
  EndReason reason = EndReason::kDone;
  absl::Status status;  // OK if it is done; else one sentence
};

// A tile that is left out of the picture for good.
struct Hole {
  std::string job;
  int64_t tile = 0;
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
  std::vector<Hole> holes;
  std::vector<JobEnd> job_ends;
  std::vector<Notice> notices;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_SCHEDULE_DECISIONS_H_
