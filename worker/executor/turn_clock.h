// Times batches of which the next may begin before one has landed: a batch's turn begins when the
// one before it has landed, so that no moment counts twice. Belongs to one thread.

#ifndef TILEWRIGHT_WORKER_EXECUTOR_TURN_CLOCK_H_
#define TILEWRIGHT_WORKER_EXECUTOR_TURN_CLOCK_H_

#include <algorithm>
#include <chrono>

namespace tilewright {

class TurnClock {
 public:
  using Time = std::chrono::steady_clock::time_point;

  static Time Now() { return std::chrono::steady_clock::now(); }
  // Seconds of a batch that began then and has just landed.
  double Land(Time began) {
    const Time now = Now();
    const std::chrono::duration<double> elapsed = now - std::max(began, landed_);
    landed_ = now;
    return elapsed.count();
  }

 private:
  Time landed_;  // of the latest batch
};

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_EXECUTOR_TURN_CLOCK_H_
