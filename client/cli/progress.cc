#include "client/cli/progress.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace tilewright {
namespace {

constexpr int kNarrowestBar = 10;
constexpr int kWidestBar = 40;

std::string Numbers(const Job& job, const Progress& progress) {
  std::string text =
      absl::StrFormat("%3d%%  %d/%d tiles", progress.percent, job.tiles_done, job.plan.tiles);
  if (!job.stage_tiles_done.empty()) {
    absl::StrAppend(&text, " (", absl::StrJoin(job.stage_tiles_done, " + "), ")");
  }
  if (progress.megapixels_per_second > 0) {
    absl::StrAppendFormat(&text, "  %.1f Mpx/s", progress.megapixels_per_second);
  }
  if (progress.eta.has_value()) absl::StrAppend(&text, "  ETA ", ClockText(*progress.eta));
  if (!job.workers.empty()) {
    absl::StrAppend(&text, "  ", job.workers.size(),
                    job.workers.size() == 1 ? " worker" : " workers");
  }
  return text;
}

}  // namespace

Progress ProgressOf(const Job& job) {
  Progress progress;
  const uint64_t tiles = job.plan.tiles;
  if (tiles == 0) return progress;
  const uint64_t done = std::min(job.tiles_done, tiles);
  progress.percent = static_cast<int>(100 * done / tiles);
  // A coordinator that does not tell the computing time yet: the queueing time counts too then.
  const absl::Duration spent = job.compute > absl::ZeroDuration() ? job.compute : job.elapsed;
  const double seconds = absl::ToDoubleSeconds(spent);
  if (done > 0 && seconds > 0) {
    const double pixels = double{1} * job.plan.output_width * job.plan.output_height;
    progress.megapixels_per_second =
        pixels * static_cast<double>(done) / static_cast<double>(tiles) / seconds / 1e6;
    progress.eta = spent * static_cast<double>(tiles - done) / static_cast<double>(done);
  }
  if (job.eta.has_value()) progress.eta = job.eta;
  if (job.state != JobState::kRunning) progress.eta.reset();
  return progress;
}

std::string StateText(const Job& job) {
  std::string text(JobStateName(job.state));
  if (job.paused) absl::StrAppend(&text, ", paused");
  if (job.waits_for_decision) absl::StrAppend(&text, ", waits for a decision");
  if (!job.waits_for_room.empty()) absl::StrAppend(&text, ", waits for room on the disk");
  return text;
}

std::string DecisionText(const Job& job) {
  if (!job.waits_for_decision) return "";
  return absl::StrCat(
      job.failed_tile_count == 1 ? "tile " : "tiles ",
      TilesText(job.failed_tiles, job.failed_tile_count),
      " failed on worker after worker; the others go on. What now?\n  tilewright jobs retry ",
      job.name, "         tries again\n  tilewright jobs accept-holes ", job.name,
      "  leaves them out of the picture\n  tilewright jobs cancel ", job.name,
      "        ends the job\n");
}

std::string TilesText(const std::vector<uint64_t>& tiles, uint64_t count) {
  constexpr size_t kNamedMax = 10;
  const size_t named = std::min(tiles.size(), kNamedMax);
  std::string text =
      absl::StrJoin(tiles.begin(), tiles.begin() + static_cast<int64_t>(named), ", ");
  if (count > named) absl::StrAppend(&text, " and ", count - named, " more");
  return text;
}

std::string ProgressBar(const Job& job, int columns) {
  const Progress progress = ProgressOf(job);
  std::string numbers = Numbers(job, progress);
  const std::string state = StateText(job);
  if (state != "running") absl::StrAppend(&numbers, "  ", state);
  const int room = columns - static_cast<int>(numbers.size()) - 3;  // brackets and a blank
  const int width = std::min(room, kWidestBar);
  if (width < kNarrowestBar) return numbers.substr(0, static_cast<size_t>(std::max(columns, 0)));
  const int filled = width * progress.percent / 100;
  std::string bar(static_cast<size_t>(filled), '=');
  if (filled < width) bar += '>';
  bar.resize(static_cast<size_t>(width), ' ');
  return absl::StrCat("[", bar, "] ", numbers);
}

std::string ProgressLine(const Job& job) {
  return absl::StrCat(StateText(job), " ", Numbers(job, ProgressOf(job)));
}

std::vector<Event> EventsAfter(const std::vector<Event>& now, const std::optional<Event>& seen) {
  auto first = now.begin();
  if (seen.has_value()) {
    const auto known = std::find(now.rbegin(), now.rend(), *seen);
    if (known != now.rend()) first = known.base();
  }
  return std::vector<Event>(first, now.end());
}

std::string ClockText(absl::Duration duration) {
  const int64_t seconds = absl::ToInt64Seconds(duration + absl::Milliseconds(500));
  if (seconds >= 3600) {
    return absl::StrFormat("%d:%02d:%02d", seconds / 3600, seconds / 60 % 60, seconds % 60);
  }
  return absl::StrFormat("%d:%02d", seconds / 60, seconds % 60);
}

std::string BytesText(uint64_t bytes) {
  if (bytes < 1000) return absl::StrCat(bytes, " B");
  double value = static_cast<double>(bytes);
  const char* const units[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
  size_t unit = 0;
  value /= 1000;
  while (value >= 999.95 && unit + 1 < std::size(units)) {
    value /= 1000;
    ++unit;
  }
  return absl::StrFormat("%.1f %s", value, units[unit]);
}

}  // namespace tilewright
