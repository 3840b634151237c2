#include "coordinator/service/stage_views.h"

#include <algorithm>

namespace tilewright {

JobView Together(const std::vector<JobView>& stages) {
  JobView all = stages.back();  // its priority is the latest: it ends last
  all.failed_tiles.clear();
  all.holes.clear();
  all.tile_count = all.tiles_done = all.tiles_leased = all.copies = all.attempts = 0;
  all.numeric_classes.clear();
  all.largest_difference.reset();
  all.tiles_by_worker.clear();
  all.remaining = absl::ZeroDuration();
  all.promise = stages.front().promise;
  all.first_grant = stages.front().first_grant;
  for (const JobView& stage : stages) {
    for (const int64_t tile : stage.failed_tiles) all.failed_tiles.push_back(all.tile_count + tile);
    for (const int64_t tile : stage.holes) all.holes.push_back(all.tile_count + tile);
    all.tile_count += stage.tile_count;
    all.tiles_done += stage.tiles_done;
    all.stage_tiles_done.push_back(stage.tiles_done);
    all.tiles_leased += stage.tiles_leased;
    all.copies += stage.copies;
    all.attempts += stage.attempts;
    all.paused = all.paused || stage.paused;
    if (stage.promise == Promise::kTolerant) all.promise = Promise::kTolerant;
    all.numeric_classes.insert(stage.numeric_classes.begin(), stage.numeric_classes.end());
    // Nothing is less than any number.
    all.largest_difference = std::max(all.largest_difference, stage.largest_difference);
    for (const auto& [worker, tiles] : stage.tiles_by_worker) all.tiles_by_worker[worker] += tiles;
    if (stage.last_accept.has_value()) {
      all.last_accept = std::max(all.last_accept.value_or(*stage.last_accept), *stage.last_accept);
    }
    if (all.remaining.has_value() && stage.remaining.has_value()) {
      *all.remaining += *stage.remaining;  // they share the workers
    } else {
      all.remaining.reset();
    }
  }
  return all;
}

}  // namespace tilewright
