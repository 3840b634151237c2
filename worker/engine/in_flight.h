// Work that has begun and whose result is not fetched yet: a device may go on with it while the
// thread that began it does something else. Belongs to that thread.

#ifndef TILEWRIGHT_WORKER_ENGINE_IN_FLIGHT_H_
#define TILEWRIGHT_WORKER_ENGINE_IN_FLIGHT_H_

#include <cstddef>
#include <type_traits>
#include <utility>

#include "absl/functional/any_invocable.h"

namespace tilewright {

// So many runs of a stage, or batches of an executor, are in flight at most. They land in the order
// in which they began.
inline constexpr size_t kInFlightMax = 2;

template <typename Result>
class InFlight {
 public:
  // `land` waits for the work and returns what came of it. `overlaps`: a device goes on with it by
  // itself, so it is of use to begin the next before this one lands; else landing is what computes.
  explicit InFlight(absl::AnyInvocable<Result() &&> land, bool overlaps = false)
      : land_(std::move(land)), overlaps_(overlaps) {}

  bool overlaps() const { return overlaps_; }
  // Call it once. What never lands was given up, with the device that it was on.
  Result Land() && {
    auto land = std::move(land_);  // what it holds goes when it returns
    return std::move(land)();
  }
  // The same work, whose result passes through `after` when it lands.
  template <typename After>
  InFlight<std::invoke_result_t<After&, Result>> Then(After after) && {
    const bool overlaps = overlaps_;
    return InFlight<std::invoke_result_t<After&, Result>>(
        [land = std::move(land_), after = std::move(after)]() mutable {
          return after(std::move(land)());
        },
        overlaps);
  }

 private:
  absl::AnyInvocable<Result() &&> land_;
  bool overlaps_;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_ENGINE_IN_FLIGHT_H_
