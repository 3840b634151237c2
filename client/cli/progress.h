// How far a job is, as numbers and as text. Pure functions; thread-safe.

#ifndef TILEWRIGHT_CLIENT_CLI_PROGRESS_H_
#define TILEWRIGHT_CLIENT_CLI_PROGRESS_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "tilewright/types.h"

namespace tilewright {

struct Progress {
  int percent = 0;                   // of tiles, rounded down: 100 only when all are done
  double megapixels_per_second = 0;  // output pixels, since the first grant; 0 while unknown
  std::optional<absl::Duration> eta;
};

// The coordinator's estimate of the end if it has one, else by the speed so far.
Progress ProgressOf(const Job& job);

// The state with what stops it: "running", "running, paused", "running, waits for a decision",
// "merging, waits for room on the disk".
std::string StateText(const Job& job);

// What to do about a job that waits for a decision: which tiles, and the commands to type; empty
// for any other job.
std::string DecisionText(const Job& job);

// "7, 12, 13 and 4 more": at most ten of `tiles`, of `count` in all.
std::string TilesText(const std::vector<uint64_t>& tiles, uint64_t count);

// "[=====>    ]  45%  90/200 tiles  3.2 Mpx/s  ETA 0:31  2 workers", at most `columns` characters:
// the bar shrinks first and is left out below 10.
std::string ProgressBar(const Job& job, int columns);

// The same without the bar, for logs: "running  45%  90/200 tiles  3.2 Mpx/s  ETA 0:31  2 workers".
std::string ProgressLine(const Job& job);

// Events of `now` that `seen`, the last event known before, precedes; all of them if it is unknown
// or not there any more.
std::vector<Event> EventsAfter(const std::vector<Event>& now, const std::optional<Event>& seen);

// "0:07", "12:34", "1:02:03"; rounded to seconds.
std::string ClockText(absl::Duration duration);

// "512 B", "1.5 MB", "2.0 GB": powers of 1000.
std::string BytesText(uint64_t bytes);

}  // namespace tilewright

#endif  // TILEWRIGHT_CLIENT_CLI_PROGRESS_H_
