// Deadlines as data: which timer is due, and when the next one is. A binary heap with lazy
// deletion, so that a clock that is restarted with every tile costs no heap operation. Not
// thread-safe; pure.

#ifndef TILEWRIGHT_COORDINATOR_SCHEDULE_DEADLINES_H_
#define TILEWRIGHT_COORDINATOR_SCHEDULE_DEADLINES_H_

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "proto/base/instant.h"

namespace tilewright::schedule {

enum class TimerKind : uint8_t {
  kLiveness,      // of a worker: silence
  kForget,        // of a worker that left
  kCanary,        // of a worker: its canary is unanswered
  kLease,         // of a lease: the clock of its state
  kQuarantine,    // of a worker that is quarantined
  kWorkerGrace,   // of a job without an eligible worker
  kClassGrace,    // of a job whose presumed class has no holder
  kProof,         // of a job that waits for canaries
  kCanaryRetry,   // of a job all of whose workers failed theirs
  kMaxDuration,   // of a job that must have ended
  kRestored,      // of a restarted coordinator: what it took over is to be told
  kEndGame,       // of a job with idle workers: whether they help is to be asked again
  kRestartGrace,  // of a restarted coordinator: it has waited long enough for its workers
};

struct Timer {
  TimerKind kind = TimerKind::kLiveness;
  uint64_t id = 0;
  friend auto operator<=>(const Timer&, const Timer&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const Timer& t) {
    return H::combine(std::move(h), t.kind, t.id);
  }
};

class Deadlines {
 public:
  // Arms the timer, or moves it. Instant::Never() disarms it.
  void Set(Timer timer, Instant at);
  void Clear(Timer timer);
  // When the timer is due; Never if it is not armed.
  Instant At(Timer timer) const;
  // The earliest deadline; Never if no timer is armed.
  Instant Next();
  // Disarms and returns the earliest timer with a deadline not after `now`; ties by kind, then id.
  std::optional<Timer> PopDue(Instant now);
  size_t armed() const { return slots_.size(); }

 private:
  struct Slot {
    Instant at;
    Instant queued;  // Invariant: one heap entry has this time, and queued <= at.
  };
  struct Entry {
    Instant at;
    Timer timer;
  };
  static bool Later(const Entry& a, const Entry& b);
  // Makes the top of the heap an armed timer at its true deadline, or the heap empty.
  void Settle();
  void Push(Timer timer, Instant at);
  void Rebuild();

  absl::flat_hash_map<Timer, Slot> slots_;
  std::vector<Entry> heap_;
};

}  // namespace tilewright::schedule

#endif  // TILEWRIGHT_COORDINATOR_SCHEDULE_DEADLINES_H_
