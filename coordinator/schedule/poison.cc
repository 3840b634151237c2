#include "coordinator/schedule/poison.h"

#include <algorithm>

namespace tilewright::schedule {

FailureCharge ChargeFor(TileFailureCause cause, int executed) {
  switch (cause) {
    case TileFailureCause::kOutOfMemory:
      return {};
    case TileFailureCause::kBadResult:
    case TileFailureCause::kRefused:
      return {.worker = true, .tile = true, .alone = false};
    case TileFailureCause::kLaunchTimeout:
    case TileFailureCause::kDeviceLost:
    case TileFailureCause::kModelError:
      break;
  }
  return {.worker = true, .tile = executed <= 1, .alone = true};
}

bool EndsTheProcess(TileFailureCause cause) {
  return cause == TileFailureCause::kLaunchTimeout || cause == TileFailureCause::kDeviceLost;
}

bool IsPoison(int charged, int charged_workers, int64_t connected_eligible) {
  if (charged >= 5) return true;
  return charged >= 3 &&
         charged_workers >= std::min<int64_t>(3, std::max<int64_t>(1, connected_eligible));
}

bool MayRetry(int own, int fewest_elsewhere) { return own <= fewest_elsewhere; }

int64_t RaisedMemoryFloor(int64_t floor, int64_t peak_bytes, int64_t worker_bytes) {
  return std::max({floor, peak_bytes, worker_bytes + 1});
}

}  // namespace tilewright::schedule
