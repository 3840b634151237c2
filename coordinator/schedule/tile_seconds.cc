#include "coordinator/schedule/tile_seconds.h"

#include <algorithm>
#include <cassert>

namespace tilewright::schedule {
namespace {

constexpr double kLeastSeconds = 1e-6;
// A gap up to this part of the mean, and of the wait before it, belongs to the same burst …
constexpr double kBurstGap = 0.25;
// … while the burst only makes up for that wait: its tiles stay above this part of the mean …
constexpr double kBurstMean = 0.75;
// … or if next to no time passed at all, for as many tiles as may be delivered together.
constexpr double kNoGap = 1.0 / 64;
constexpr double kBurstTiles = 4096;
// Groups so much slower or faster than the mean are a change of speed, if so many agree.
constexpr double kChange = 1.5;
constexpr int kFastGroups = 3;
// What a single long wait counts at most, in means.
constexpr double kCut = 4;

}  // namespace

void TileSeconds::Add(absl::Duration seconds, double tiles, int batch) {
  const double s = std::max(0.0, absl::ToDoubleSeconds(seconds));
  if (censored_ > 0) {
    if (measured_ && s < censored_) {
      Close(open_);
      open_ = {censored_, 1};
      UpdateMean(1);
    }
    censored_ = 0;
  }
  const double joined = (open_.seconds + s) / (open_.tiles + tiles);
  const double wait = std::min(open_.seconds, mean_);
  const bool burst = measured_ && s <= wait * kBurstGap &&
                     (open_.tiles + tiles <= batch || joined >= mean_ * kBurstMean ||
                      (s <= wait * kNoGap && open_.tiles < kBurstTiles));
  if (burst) {
    open_.seconds += s;
    open_.tiles += tiles;
  } else {
    if (measured_) Close(open_);
    open_ = {s, tiles};
  }
  measured_ = true;
  UpdateMean(batch);
  Remember(s);
}

void TileSeconds::AddCensored(absl::Duration at_least) {
  const double s = std::max(0.0, absl::ToDoubleSeconds(at_least));
  censored_ = std::max(censored_, s);
  Remember(s);
}

void TileSeconds::Close(const Group& group) {
  last_ = group;
  fast_ = closed_ > 0 && group.Each() < mean_ / kChange ? fast_ + 1 : 0;
  if (closed_ == kGroups) KeepLast(kGroups - 1);
  Group cut = group;
  if (closed_ > 0) cut.seconds = std::min(cut.seconds, kCut * mean_ * cut.tiles);
  groups_[closed_++] = cut;
}

void TileSeconds::KeepLast(int groups) {
  if (closed_ <= groups) return;
  std::copy(groups_.begin() + (closed_ - groups), groups_.begin() + closed_, groups_.begin());
  closed_ = groups;
}

void TileSeconds::UpdateMean(int batch) {
  // An executed batch that is still arriving would look slow.
  const bool complete = open_.tiles >= batch || closed_ == 0 || last_.tiles < batch;
  double longest = open_.seconds;
  if (complete && closed_ > 0) {
    if (open_.Each() > mean_ * kChange && last_.Each() > mean_ * kChange) {
      closed_ = 1;
      groups_[0] = last_;
    } else if (open_.Each() < mean_ / kChange && fast_ + 1 >= kFastGroups) {
      KeepLast(kFastGroups - 1);
      fast_ = 0;
    } else {
      longest = kCut * mean_ * open_.tiles;
    }
  }
  double seconds = 0, tiles = 0;
  for (int i = 0; i < closed_; ++i) {
    seconds += groups_[i].seconds;
    tiles += groups_[i].tiles;
  }
  if (complete) {
    seconds += std::min(open_.seconds, longest);
    tiles += open_.tiles;
  }
  mean_ = std::max(kLeastSeconds, seconds / tiles);
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
  return absl::Seconds(mean_);
}

absl::Duration TileSeconds::Percentile95() const {
  return std::max(Mean(), absl::Seconds(percentile_));
}

}  // namespace tilewright::schedule
