// When, how small and on which device a worker starts again after a death. Pure: durations and
// randomness come from the caller. Belongs to one thread at a time.

#ifndef TILEWRIGHT_WORKER_SUPERVISOR_RESTART_POLICY_H_
#define TILEWRIGHT_WORKER_SUPERVISOR_RESTART_POLICY_H_

#include <functional>
#include <optional>

#include "absl/time/time.h"
#include "worker/backoff.h"
#include "worker/supervisor/death.h"

namespace tilewright {

// The rungs of a worker's ladder, as its --first-rung takes them: 0 whole batches, 1 half batches,
// 2 single tiles, 3 sub-tiles.
inline constexpr int kLastRung = 3;

struct RestartOptions {
  BackoffOptions pause = {absl::Seconds(1), absl::Minutes(1)};  // after a crash
  // Where nothing but the world can change: no device, refused, no program.
  BackoffOptions slow_pause = {absl::Seconds(30), absl::Minutes(5)};
  absl::Duration healthy = absl::Minutes(10);  // a life this long forgives the deaths before it
  bool cpu_fallback = false;                   // a GPU that fails again and again is given up
  int device_deaths_max = 6;                   // in a row; then it is
};

class RestartPolicy {
 public:
  // `random` gives numbers in [0, 1).
  RestartPolicy(const RestartOptions& options, bool gpu, const std::function<double()>& random);

  // The worker died after a life of that length: the pause before it starts again, or nullopt if it
  // must not. A death that says the work was too big moves it one rung on, to the last at most.
  std::optional<absl::Duration> OnDeath(const Death& death, absl::Duration lived);

  // Where the next life begins.
  int rung() const { return rung_; }
  // The GPU was given up: the next lives are on the CPU.
  bool on_cpu() const { return on_cpu_; }

  // A life at this rung that has lasted so long should end, to begin again with more. Doubles, to
  // 16 times `healthy`, each time that turned out to be too much. Infinite at rung 0.
  absl::Duration patience() const { return rung_ == 0 ? absl::InfiniteDuration() : patience_; }
  // One rung back. Needs rung() > 0.
  void Relax();

 private:
  const RestartOptions options_;
  const bool gpu_;
  Backoff pause_;
  Backoff slow_pause_;
  absl::Duration patience_;
  int rung_ = 0;  // Invariant: 0 <= rung_ <= kLastRung.
  bool relaxed_ = false;
  bool on_cpu_ = false;
  int device_deaths_ = 0;  // in a row, on the GPU
};

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_SUPERVISOR_RESTART_POLICY_H_
