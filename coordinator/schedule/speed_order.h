// The connected, measured workers of one stage by speed, in classes a factor of 2^(1/4) wide, so
// that a worker rarely moves. Not thread-safe; pure.

#ifndef TILEWRIGHT_COORDINATOR_SCHEDULE_SPEED_ORDER_H_
#define TILEWRIGHT_COORDINATOR_SCHEDULE_SPEED_ORDER_H_

#include <cstdint>
#include <map>

#include "absl/container/btree_map.h"
#include "absl/time/time.h"

namespace tilewright::schedule {

struct Worker;

class SpeedOrder {
 public:
  // The class of a worker that takes so long for a tile; fast ones are low.
  static int ClassOf(absl::Duration tile_seconds);

  struct Class {
    absl::btree_map<uint64_t, Worker*> workers;  // by id
    double speed = 0;  // tiles per second. Invariant: sum over `workers`, but for rounding.
  };

  // Enters a worker, or says that its speed changed from `was` to `now` (tiles per second, 0: not
  // there). `at` is its class, kNone outside; it stays within half a class of the border.
  static constexpr int kNone = 1 << 20;
  void Update(uint64_t id, Worker* worker, double was, double now, int* at);

  // The fastest first.
  const std::map<int, Class>& classes() const { return classes_; }
  int64_t workers() const { return workers_; }
  double speed() const { return speed_; }  // of all together

 private:
  std::map<int, Class> classes_;  // Invariant: none is empty.
  int64_t workers_ = 0;
  double speed_ = 0;
};

}  // namespace tilewright::schedule

#endif  // TILEWRIGHT_COORDINATOR_SCHEDULE_SPEED_ORDER_H_
