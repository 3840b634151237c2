// How long a worker takes for a tile of one stage: mean for sizing leases and expecting finishes,
// 95th percentile for deadlines; both forget. A slow-down is followed with its second tile, a
// speed-up with its third. A lapse enters as a censored sample ("at least so long"). A value type;
// not thread-safe; pure.

#ifndef TILEWRIGHT_COORDINATOR_SCHEDULE_TILE_SECONDS_H_
#define TILEWRIGHT_COORDINATOR_SCHEDULE_TILE_SECONDS_H_

#include <array>
#include <cstdint>

#include "absl/time/time.h"

namespace tilewright::schedule {

class TileSeconds {
 public:
  // A tile settled this long after the one before it, transfer included. `batch` tiles are executed
  // at once and settle together: a wait, then a burst. `tiles` is what the tile stands for: more
  // than one in a batch that was padded.
  void Add(absl::Duration seconds, double tiles = 1, int batch = 1);
  // A tile had not settled after this long. Moves the percentile at once; the mean only if the next
  // sample is another tile's, for else the whole time follows.
  void AddCensored(absl::Duration at_least);
  // Whether a tile was ever measured.
  bool measured() const { return measured_; }
  // Over about the last 16 executed batches or bursts, but only since the last change of speed. A
  // single long wait counts at most four times the mean. At least 1 µs. Requires measured().
  absl::Duration Mean() const;
  // Over the last 64 samples, censored ones included; never below the mean. Requires measured().
  absl::Duration Percentile95() const;

 private:
  // Tiles that settled together, and the wait before them.
  struct Group {
    double seconds = 0;
    double tiles = 0;  // 0: none
    double Each() const { return seconds / tiles; }
  };
  static constexpr int kWindow = 64;
  static constexpr int kGroups = 16;

  void Close(const Group& group);
  void KeepLast(int groups);
  void UpdateMean(int batch);
  void Remember(double seconds);
  void UpdatePercentile();

  bool measured_ = false;
  double mean_ = 0;                    // valid once measured
  std::array<Group, kGroups> groups_;  // closed ones, the oldest first, long waits cut
  int closed_ = 0;                     // of groups_
  Group last_;                         // the last closed one, uncut
  Group open_;                         // Invariant: tiles > 0 once measured.
  int fast_ = 0;                       // groups in a row that were much faster than the mean
  double censored_ = 0;                // of a tile that may still settle; 0: none
  std::array<float, kWindow> window_{};
  int64_t samples_ = 0;  // ever written to window_
  double percentile_ = 0;
};

}  // namespace tilewright::schedule

#endif  // TILEWRIGHT_COORDINATOR_SCHEDULE_TILE_SECONDS_H_
