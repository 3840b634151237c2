#include "coordinator/schedule/speed_order.h"

#include <algorithm>
#include <cmath>

namespace tilewright::schedule {
namespace {

// 2^(1/4)
constexpr double kPerOctave = 4;
constexpr double kSlack = 0.5;

double Position(double tiles_per_second) { return -kPerOctave * std::log2(tiles_per_second); }

}  // namespace

int SpeedOrder::ClassOf(absl::Duration tile_seconds) {
  return static_cast<int>(
      std::floor(Position(1 / std::max(1e-9, absl::ToDoubleSeconds(tile_seconds)))));
}

void SpeedOrder::Update(uint64_t id, Worker* worker, double was, double now, int* at) {
  if (was == now) return;
  if (*at != kNone) {
    speed_ -= was;
    const double position = now > 0 ? Position(now) : 0;
    Class& held = classes_.at(*at);
    held.speed -= was;
    if (now > 0 && position >= *at - kSlack && position < *at + 1 + kSlack) {
      held.speed += now;
      speed_ += now;
      return;
    }
    held.workers.erase(id);
    if (held.workers.empty()) classes_.erase(*at);
    --workers_;
    *at = kNone;
  }
  if (now > 0) {
    *at = static_cast<int>(std::floor(Position(now)));
    Class& held = classes_[*at];
    held.workers[id] = worker;
    held.speed += now;
    speed_ += now;
    ++workers_;
  }
  if (workers_ == 0) speed_ = 0;  // rounding
}

}  // namespace tilewright::schedule
