// The simulated clock: what happens later, in order of time. Ties happen in the order in which they
// were planned. Not thread-safe; pure.

#ifndef TILEWRIGHT_TESTS_SIMULATION_QUEUE_H_
#define TILEWRIGHT_TESTS_SIMULATION_QUEUE_H_

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "proto/base/instant.h"

namespace tilewright::simulation {

class Queue {
 public:
  using Step = std::function<void()>;

  Instant now() const { return now_; }
  // Plans a step; one planned for the past happens now.
  void At(Instant at, Step step);
  void After(absl::Duration delay, Step step) { At(now_ + delay, std::move(step)); }
  // When the earliest step happens; Instant::Never() if none is planned.
  Instant next() const { return heap_.empty() ? Instant::Never() : heap_.front().at; }
  // Makes the earliest step happen. False if none is planned up to `end`; then it is `end`.
  bool Run(Instant end);
  uint64_t steps() const { return steps_; }

 private:
  struct Entry {
    Instant at;
    uint64_t number = 0;
    Step step;
  };
  static bool Later(const Entry& a, const Entry& b) {
    return a.at != b.at ? a.at > b.at : a.number > b.number;
  }

  Instant now_;
  uint64_t planned_ = 0;
  uint64_t steps_ = 0;
  std::vector<Entry> heap_;  // the earliest on top
};

}  // namespace tilewright::simulation

#endif  // TILEWRIGHT_TESTS_SIMULATION_QUEUE_H_
