// Policies: how long a lease may take in each of its states. Stateless functions; thread-safe;
// pure.

#ifndef TILEWRIGHT_COORDINATOR_SCHEDULE_CLOCKS_H_
#define TILEWRIGHT_COORDINATOR_SCHEDULE_CLOCKS_H_

#include <cstdint>
#include <optional>

#include "absl/time/time.h"
#include "coordinator/schedule/types.h"

namespace tilewright::schedule {

// Time for a tile that this worker was never seen to compute, or for a canary of `tiles` tiles:
// FLOPs / probe speed × factor, at least the first-deadline floor, at most `job_limit`.
absl::Duration FirstTileBudget(double flops_per_tile, int tiles, double probe_flops,
                               absl::Duration job_limit, const SchedulerOptions& options);

// Time until the next tile of a measured, running lease must settle: factor × p95 × unsettled
// tiles, at least the floor, at most `job_limit`.
absl::Duration WorkBudget(absl::Duration p95, int64_t unsettled, absl::Duration job_limit,
                          const SchedulerOptions& options);

// Time until a lease at the head of its worker's queue must report Started or Preparing.
// `link_rate` in bytes per second, absent if not measured.
absl::Duration StartBudget(int64_t input_bytes, std::optional<double> link_rate,
                           const SchedulerOptions& options);

// What a worker's budgets are multiplied with after so many lapses in a row: 1, 2, 4, … 1,024.
double Patience(int lapses_in_row);

}  // namespace tilewright::schedule

#endif  // TILEWRIGHT_COORDINATOR_SCHEDULE_CLOCKS_H_
