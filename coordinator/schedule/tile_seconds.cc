#include "coordinator/schedule/tile_seconds.h"

#include <algorithm>
#include <cassert>

namespace tilewright::schedule {
namespace {

constexpr double kLeastSeconds = 1e-6;

}  // namespace

void TileSeconds::Add(absl::Duration seconds) {
  const double s = std::max(0.0, absl::ToDoubleSeconds(seconds));
  if (tiles_ >= kMemory) {
    busy_seconds_ /= 2;
    tiles_ /= 2;
  }
  busy_seconds_ += s;
  tiles_ += 1;
  ++measured_;
  Remember(s);
}

void TileSeconds::AddCensored(absl::Duration at_least) {
  Remember(std::max(0.0, absl::ToDoubleSeconds(at_least)));
}

void TileSeconds::Remember(double seconds) {
  window_[samples_ % kWindow] = static_cast<float>(seconds);
  ++samples_;
  // Sorting at every tile would be the dearest step of a result; a percentile that is at most 8
  // samples old is as good.
  if (samples_ <= 16 || seconds > percentile_ || samples_ % 8 == 0) UpdatePercentile();
}

void TileSeconds::UpdatePercentile() {
  std::array<float, kWindow> sorted = window_;
  const int count = static_cast<int>(std::min<int64_t>(samples_, kWindow));
  const int rank = (95 * count + 99) / 100 - 1;
  std::nth_element(sorted.begin(), sorted.begin() + rank, sorted.begin() + count);
  percentile_ = sorted[rank];
}

absl::Duration TileSeconds::Mean() const {
  assert(measured());
  return absl::Seconds(std::max(kLeastSeconds, busy_seconds_ / tiles_));
}

absl::Duration TileSeconds::Percentile95() const {
  return std::max(Mean(), absl::Seconds(percentile_));
}

}  // namespace tilewright::schedule
