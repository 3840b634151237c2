// The scheduling core: a pure state machine. Events in, decisions out; no clock, thread, lock or
// I/O. The shell that owns it serialises calls (not thread-safe).

#ifndef TILEWRIGHT_COORDINATOR_SCHEDULE_SCHEDULER_H_
#define TILEWRIGHT_COORDINATOR_SCHEDULE_SCHEDULER_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "coordinator/schedule/decisions.h"
#include "coordinator/schedule/events.h"
#include "coordinator/schedule/snapshot.h"
#include "coordinator/schedule/types.h"
#include "proto/base/instant.h"

namespace tilewright {

// A job as it stands, for reports.
struct JobView {
  int64_t tile_count = 0;
  int64_t tiles_done = 0;  // accepted
  int64_t tiles_leased = 0;
  std::vector<int64_t> failed_tiles;  // poison, waiting for the user's decision
  std::vector<int64_t> holes;         // left out
  bool paused = false;
  std::string tenant;
  int priority = 0;
  int64_t copies = 0;  // tiles granted a second time at the end of the job, though one attempt ran
  int64_t attempts = 0;  // leases of tiles granted
  Promise promise = Promise::kUndecided;
  std::string
      numeric_class;  // that a strict job promises: its environment key where it is presumed
  std::set<std::string> numeric_classes;  // of accepted tiles; environment keys where no canary ran
  // Between the canaries of two of them, as far as it is known; the shell fills it in.
  std::optional<double> largest_difference = {};
  std::map<std::string, int64_t> tiles_by_worker;  // accepted
  std::optional<Instant> first_grant;
  std::optional<Instant> last_accept;
  std::optional<absl::Duration> remaining;     // estimate; absent while unknown
  std::vector<int64_t> stage_tiles_done = {};  // by stage, of several stages seen as one
};

struct WorkerView {
  std::string name;
  bool connected = false;
  std::string incarnation;
  int leased_tiles = 0;
  int64_t accepted_tiles = 0;
  std::optional<Instant> last_heard;
  bool draining = false;  // or drained, once it holds nothing
  std::optional<absl::Duration> quarantine =
      {};  // what is left of it; zero: it waits for its probe
  std::vector<std::string> blocklisted_for = {};  // jobs
};

// Whether a worker may take a job's tiles.
struct MatchView {
  std::string worker;
  bool eligible = false;
  std::string reason;  // why not, a sentence
};

// What the core keeps, in entries: bounded by what is connected and what has not ended.
struct Footprint {
  size_t jobs = 0;
  size_t workers = 0;
  size_t leases = 0;
  size_t timers = 0;
};

class Scheduler {
 public:
  // `epoch` was raised and made durable before. `snapshot` is what an earlier coordinator
  // recorded: its jobs go on, but nothing is granted before the workers known to it have said what
  // they hold, or restart_grace after `now`.
  Scheduler(const SchedulerOptions& options, uint64_t epoch, const Snapshot& snapshot = {},
            Instant now = Instant());
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  // Takes one event and says what to do now. `now` never goes back. An event about something
  // unknown (an ended job, a worker that left) changes nothing; it is not an error.
  Decisions Handle(const Event& event, Instant now);
  // When to call Handle(Tick) at the latest; Instant::Never() if nothing waits. Never before the
  // last `now`.
  Instant next_deadline() const;

  // nullopt for an unknown or ended-and-forgotten job. An ended job is kept until Forget.
  std::optional<JobView> ViewJob(const std::string& job) const;
  // Forgets an ended job; one that has not ended stays.
  void Forget(const std::string& job);
  // Connected workers by name.
  std::vector<WorkerView> ViewWorkers() const;
  // A worker that is connected or remembered: for worker_memory after it left, for as long as it is
  // drained, and by its name alone while a job's blocklist names it. nullopt for any other.
  std::optional<WorkerView> ViewWorker(const std::string& name) const;
  // Of every connected worker, for a job not submitted yet.
  std::vector<MatchView> Match(const JobSpec& job) const;

  // Whether the tenant's quota has room for the job: RESOURCE_EXHAUSTED with a sentence and, in
  // `retry_after`, when to ask again (zero: waiting does not help); INVALID_ARGUMENT for a
  // priority, size or limit that is none, and as CheckContinued. JobSubmitted does not ask; the
  // shell does, in the same breath.
  absl::Status Admit(const JobSubmitted& job, absl::Duration* retry_after) const;

  // Whether JobPriority may be sent: NOT_FOUND for a job that is unknown or ended, otherwise as
  // Admit. Sent all the same, it goes no higher than the tenant may.
  absl::Status AdmitPriority(const std::string& job, int priority) const;

  Footprint footprint() const;
  // Asserts every invariant: each tile in exactly one state, counters equal sums, next_deadline not
  // in the past; for tests. INTERNAL names the first that is broken.
  absl::Status CheckInvariants() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_SCHEDULE_SCHEDULER_H_
