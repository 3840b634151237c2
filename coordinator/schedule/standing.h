// Policies: when a worker is kept from one job, when from all jobs and for how long, when that is
// forgotten, and who comes back when nobody else is left. Stateless functions; thread-safe; pure.

#ifndef TILEWRIGHT_COORDINATOR_SCHEDULE_STANDING_H_
#define TILEWRIGHT_COORDINATOR_SCHEDULE_STANDING_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "coordinator/schedule/types.h"
#include "proto/base/instant.h"

namespace tilewright::schedule {

// What a worker did, by name.
struct Conduct {
  int lapses_in_row = 0;       // leases that lapsed or were not started, since its last good tile
  int bad_results_in_row = 0;  // results refused or failed by the checks, since its last good tile
  int blocklistings = 0;       // jobs it was blocklisted for since it was last quarantined
};

//                 trouble (QuarantineFor)              the time is over
//   good standing ------------------------> put aside ------------------> on probation
//        ^  ^                                | ^                              |  |
//        |  +--- nobody else is left --------+ +---- any trouble, twice ------+  |
//        |                                             as long                   |
//        +------------------- a tile computed in time ---------------------------+
enum class QuarantineCause : uint8_t {
  kLapses,
  kFailures,     // blocklisted for more than one job
  kBadResults,   // its late results are refused as well
  kProbeFailed,  // trouble on probation
};

struct Quarantine {
  QuarantineCause cause = QuarantineCause::kLapses;
  Instant until;
  bool probing = false;         // the time is over: single tiles, until one is computed in time
  bool refuse_results = false;  // of leases granted up to `last_lease`
  uint64_t last_lease = 0;      // the last one granted to anybody when the quarantine began
};

// Whether so many charged failures on one job keep the worker from it.
bool MustBlocklist(int charges_on_job, const SchedulerOptions& options);

// Why the worker is to be put aside; nullopt if it is not.
std::optional<QuarantineCause> QuarantineFor(const Conduct& conduct,
                                             const SchedulerOptions& options);
// "3 lapses in a row"; follows "after ".
std::string QuarantineCauseText(QuarantineCause cause, const SchedulerOptions& options);

// quarantine_min, doubled for each of the `earlier` ones, at most quarantine_max.
absl::Duration QuarantineTime(int earlier, const SchedulerOptions& options);

// Whether charges and earlier quarantines count no more: so many tiles and so much time since the
// last trouble, or the last quarantine's end.
bool Forgiven(absl::Duration good_time, int64_t good_tiles, const SchedulerOptions& options);

// A worker that was put aside, as a candidate for coming back because nobody else is left.
struct PutAside {
  bool bad_results = false;  // quarantined for them
  int quarantines = 0;       // so far
  int charges = 0;           // on the job that needs somebody
};
// Position of the one to trust first: not one with bad results, then the least often quarantined,
// then the least charged, then the first. Requires at least one.
size_t BestOf(const std::vector<PutAside>& put_aside);

}  // namespace tilewright::schedule

#endif  // TILEWRIGHT_COORDINATOR_SCHEDULE_STANDING_H_
