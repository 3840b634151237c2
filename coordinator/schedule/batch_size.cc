#include "coordinator/schedule/batch_size.h"

#include <algorithm>
#include <cmath>

namespace tilewright::schedule {
namespace {

int64_t RoundUp(int64_t value, int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

}  // namespace

int64_t FreeCredit(const CreditQuery& query) {
  int64_t free = query.level_tiles - query.held_tiles;
  if (query.level_bytes > 0 && query.tile_bytes > 0) {
    free = std::min(free, (query.level_bytes - query.held_bytes) / query.tile_bytes);
  }
  return std::max<int64_t>(free, 0);
}

int64_t BatchSize(const BatchQuery& query, const SchedulerOptions& options) {
  const int64_t possible =
      std::min<int64_t>({query.ready, query.free_credit, options.lease_tiles_max});
  if (possible <= 0) return 0;
  if (!query.tile_seconds.has_value() || query.single) return 1;

  const int64_t executed = std::max(query.executed_batch, 1);
  const double share = static_cast<double>(query.ready) * std::clamp(query.part, 0.0, 1.0);
  const auto ceil = [](double tiles) { return static_cast<int64_t>(std::ceil(tiles - 1e-9)); };
  const double tile_seconds = std::max(1e-9, absl::ToDoubleSeconds(*query.tile_seconds));
  const auto tiles_in = [&](absl::Duration work) {
    return static_cast<int64_t>(
        std::min<double>(absl::ToDoubleSeconds(work) / tile_seconds, options.lease_tiles_max));
  };
  const int64_t by_time = RoundUp(std::max<int64_t>(tiles_in(options.lease_work), 1), executed);
  // Half of a share shrinks from grant to grant, so the last leases are single tiles. A
  // short executed batch is padded, hence whole ones as long as everybody gets one; tiles of
  // microseconds are not worth a round trip each.
  const int64_t fair = std::max({ceil(share / 2), std::min(executed, ceil(share)),
                                 std::min(tiles_in(options.lease_work_min), query.ready)});
  return std::clamp<int64_t>(std::min(by_time, fair), 1, possible);
}

int64_t PrefetchLimit(const PrefetchQuery& query) {
  if (!query.tile_seconds.has_value() || query.recovering) return 0;
  if (query.ready <= query.idle_slots) return 0;
  if (query.remaining.has_value() && *query.tile_seconds > *query.remaining / 2) return 0;
  const double limit = std::floor(query.share - static_cast<double>(query.held));
  return std::clamp<int64_t>(static_cast<int64_t>(std::min(limit, 1e9)), 0,
                             query.ready - query.idle_slots);
}

}  // namespace tilewright::schedule
