#include "coordinator/schedule/continued.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace tilewright {

absl::Status CheckContinued(const JobSpec& job) {
  if (job.continued == nullptr) return absl::OkStatus();
  const ContinuedTiles& from = *job.continued;
  const auto outside = [&job](const auto& tiles) {
    return !tiles.empty() && (*tiles.begin() < 0 || *tiles.rbegin() >= job.tile_count);
  };
  std::string why;
  if (outside(from.accepted) || outside(from.holes)) {
    why = absl::StrCat("it has ", job.tile_count, " tiles, and others are said to be done");
  } else if (std::any_of(from.holes.begin(), from.holes.end(),
                         [&from](int64_t tile) { return from.accepted.contains(tile); })) {
    why = "a tile is said to be both done and left out";
  } else if (!from.accepted.empty() && from.promise == Promise::kUndecided) {
    why = "tiles are done, and nothing was promised of them";
  } else if (from.promise == Promise::kStrict && from.numeric_class.empty()) {
    why = "its numeric class is not said";
  } else if (job.prove_class && from.promise == Promise::kTolerant) {
    why = "it asks for proof of one numeric class, and what is done may be of several";
  } else {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(job.name, " cannot be continued: ", why, "."));
}

}  // namespace tilewright
