// How long a worker takes for a tile of one stage: mean for sizing leases, 95th percentile for
// deadlines; both forget. A lapse enters as a censored sample ("at least so long"). A value type;
// not thread-safe; pure.

#ifndef TILEWRIGHT_COORDINATOR_SCHEDULE_TILE_SECONDS_H_
#define TILEWRIGHT_COORDINATOR_SCHEDULE_TILE_SECONDS_H_

#include <array>
#include <cstdint>

#include "absl/time/time.h"

namespace tilewright::schedule {

class TileSeconds {
 public:
  // A tile settled this long after the one before it, transfer included.
  void Add(absl::Duration seconds);
  // A tile had not settled after this long. Moves the percentile, not the mean: the whole time
  // follows if it ever settles.
  void AddCensored(absl::Duration at_least);
  // Whether a tile was ever measured.
  bool measured() const { return measured_ > 0; }
  // Over about the last 256 tiles, so that results arriving in bursts even out. At least 1 µs.
  // Requires measured().
  absl::Duration Mean() const;
  // Over the last 64 samples, censored ones included; never below the mean. Requires measured().
  absl::Duration Percentile95() const;

 private:
  static constexpr int kWindow = 64;
  static constexpr int64_t kMemory = 256;
  void Remember(double seconds);
  void UpdatePercentile();

  double busy_seconds_ = 0;  // of the remembered tiles
  double tiles_ = 0;         // Invariant: <= kMemory
  int64_t measured_ = 0;
  std::array<float, kWindow> window_{};
  int64_t samples_ = 0;  // ever written to window_
  double percentile_ = 0;
};

}  // namespace tilewright::schedule

#endif  // TILEWRIGHT_COORDINATOR_SCHEDULE_TILE_SECONDS_H_
