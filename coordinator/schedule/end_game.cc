#include "coordinator/schedule/end_game.h"

#include <algorithm>
#include <cmath>

namespace tilewright::schedule {
namespace {

constexpr int64_t kMany = int64_t{1} << 40;

int64_t Floor(double tiles) {
  return static_cast<int64_t>(std::clamp(tiles, 0.0, static_cast<double>(kMany)));
}

// Shorter work is not worth a round trip.
absl::Duration Hedged(absl::Duration own, const SchedulerOptions& options) {
  return std::max(own, options.lease_work_min) * options.end_game_factor;
}

}  // namespace

absl::Duration TimeFor(int64_t tiles, absl::Duration tile_seconds, int executed_batch) {
  const int64_t batch = std::max(executed_batch, 1);
  return tile_seconds * ((tiles + batch - 1) / batch * batch);
}

absl::Duration Remaining(absl::Duration expected, absl::Duration elapsed) {
  return elapsed < expected ? expected - elapsed : elapsed - expected;
}

int64_t TilesWithin(absl::Duration time, absl::Span<const FasterWorker> faster) {
  int64_t tiles = 0;
  for (const FasterWorker& worker : faster) {
    const double seconds = absl::ToDoubleSeconds(worker.tile_seconds);
    if (time <= worker.free_in || seconds <= 0) continue;
    // A hair more, so that what ends just in time counts.
    tiles += Floor(absl::ToDoubleSeconds(time - worker.free_in) / seconds + 1e-9);
  }
  return std::min(tiles, kMany);
}

int64_t TilesWithin(absl::Duration time, absl::Span<const FasterCrowd> crowds) {
  double tiles = 0;
  for (const FasterCrowd& crowd : crowds) {
    tiles += std::max(0.0, absl::ToDoubleSeconds(time) * crowd.tiles_per_second -
                               static_cast<double>(crowd.workers));
  }
  return Floor(tiles);
}

bool LeaveToFaster(int64_t ready, absl::Duration own, absl::Span<const FasterWorker> faster,
                   const SchedulerOptions& options) {
  return !faster.empty() && TilesWithin(own * options.end_game_factor, faster) >= ready;
}

bool LeaveToFaster(int64_t ready, absl::Duration own, absl::Span<const FasterCrowd> crowds,
                   const SchedulerOptions& options) {
  return !crowds.empty() && TilesWithin(own * options.end_game_factor, crowds) >= ready;
}

int64_t TilesToTakeOver(const TakeOverQuery& query, const SchedulerOptions& options) {
  const double both = absl::ToDoubleSeconds(query.own_tile + query.other_tile);
  if (query.unstarted <= 0 || query.free_credit <= 0 || both <= 0) return 0;
  const int64_t batch = std::max(query.executed_batch, 1);
  const int64_t most =
      std::min({query.unstarted, query.free_credit, static_cast<int64_t>(options.lease_tiles_max)});
  // own_start + k × own = finish - k × other.
  int64_t tiles = Floor(absl::ToDoubleSeconds(query.finish - query.own_start) / both);
  if (batch > 1) tiles = (tiles + batch - 1) / batch * batch;
  tiles = std::clamp<int64_t>(tiles, 1, most);
  for (; tiles > 0; tiles = tiles > batch ? tiles - batch : 0) {
    const absl::Duration own =
        query.own_start + TimeFor(tiles, query.own_tile, query.executed_batch);
    if (Hedged(own, options) * query.margin < query.finish) return tiles;
    if (tiles > 16 * batch) tiles /= 2;  // far off: come closer in few steps
  }
  return 0;
}

bool CopyWins(absl::Duration own, absl::Duration finish, const SchedulerOptions& options) {
  return Hedged(own, options) < finish;
}

int64_t CopiesMax(int64_t slots, const SchedulerOptions& options) {
  return std::max<int64_t>(1, Floor(static_cast<double>(slots) * options.copies_part + 1e-9));
}

absl::Duration LatenessToCopy(absl::Duration own, const SchedulerOptions& options) {
  return Hedged(own, options);
}

}  // namespace tilewright::schedule
