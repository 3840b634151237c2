// Growing pauses between attempts, with jitter so that many workers do not return at once. Pure:
// randomness comes from the caller. Belongs to one thread at a time.

#ifndef TILEWRIGHT_WORKER_BACKOFF_H_
#define TILEWRIGHT_WORKER_BACKOFF_H_

#include <algorithm>
#include <functional>
#include <utility>

#include "absl/time/time.h"

namespace tilewright {

struct BackoffOptions {
  absl::Duration first = absl::Milliseconds(200);
  absl::Duration longest = absl::Seconds(5);
};

class Backoff {
 public:
  // `random` gives numbers in [0, 1).
  Backoff(const BackoffOptions& options, std::function<double()> random)
      : options_(options), random_(std::move(random)), next_(options.first) {}

  // The pause before the next attempt: between half of and the whole of a step that doubles.
  absl::Duration Next() {
    const absl::Duration step = std::exchange(next_, std::min(next_ * 2, options_.longest));
    return step * (0.5 + 0.5 * random_());
  }
  // An attempt has succeeded.
  void Reset() { next_ = options_.first; }

 private:
  const BackoffOptions options_;
  const std::function<double()> random_;
  absl::Duration next_;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_BACKOFF_H_
