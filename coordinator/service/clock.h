// The steady clock, injected so that tests hold it. Thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_SERVICE_CLOCK_H_
#define TILEWRIGHT_COORDINATOR_SERVICE_CLOCK_H_

#include <chrono>

#include "absl/time/time.h"
#include "proto/base/instant.h"

namespace tilewright {

class Clock {
 public:
  virtual ~Clock() = default;
  // Never goes back.
  virtual Instant Now() const = 0;
};

class SteadyClock : public Clock {
 public:
  Instant Now() const override {
    return Instant::FromStart(
        absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch()));
  }
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_SERVICE_CLOCK_H_
