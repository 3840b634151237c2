// How one thread ends the slow work of another, which looks between pieces of it whether to go on.
// Thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_IMAGE_INTERRUPT_H_
#define TILEWRIGHT_COORDINATOR_IMAGE_INTERRUPT_H_

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace tilewright {

class Interrupt {
 public:
  Interrupt() = default;
  // DEADLINE_EXCEEDED by itself after so long.
  explicit Interrupt(absl::Duration limit) : limit_(limit), end_(absl::Now() + limit) {}
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  // The work ends with that error; the first one holds.
  void Ask(const absl::Status& why) ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    if (why_.ok()) why_ = why;
  }
  // OK: go on. Quick enough to be asked for every tile.
  absl::Status Check() const ABSL_LOCKS_EXCLUDED(mu_) {
    {
      absl::MutexLock lock(&mu_);
      if (!why_.ok()) return why_;
    }
    if (end_ == absl::InfiniteFuture() || absl::Now() < end_) return absl::OkStatus();
    return absl::DeadlineExceededError(
        absl::StrCat("it takes more than ", absl::FormatDuration(limit_)));
  }

 private:
  const absl::Duration limit_ = absl::InfiniteDuration();
  const absl::Time end_ = absl::InfiniteFuture();
  mutable absl::Mutex mu_;
  absl::Status why_ ABSL_GUARDED_BY(mu_);
};

// The same of one that need not be there: null never asks.
inline absl::Status CheckInterrupt(const Interrupt* interrupt) {
  return interrupt == nullptr ? absl::OkStatus() : interrupt->Check();
}

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_IMAGE_INTERRUPT_H_
