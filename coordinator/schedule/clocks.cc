#include "coordinator/schedule/clocks.h"

#include <algorithm>
#include <cmath>

namespace tilewright::schedule {

absl::Duration FirstTileBudget(double flops_per_tile, int tiles, double probe_flops,
                               absl::Duration job_limit, const SchedulerOptions& options) {
  absl::Duration budget = options.first_deadline_floor;
  if (flops_per_tile > 0 && probe_flops > 0) {
    const double seconds =
        flops_per_tile * std::max(tiles, 1) / probe_flops * options.deadline_factor;
    budget = std::max(budget, absl::Seconds(seconds));
  }
  return std::min(budget, job_limit);
}

absl::Duration WorkBudget(absl::Duration p95, int64_t unsettled, absl::Duration job_limit,
                          const SchedulerOptions& options) {
  const absl::Duration budget =
      p95 * (options.deadline_factor * static_cast<double>(std::max<int64_t>(unsettled, 1)));
  return std::min(std::max(budget, options.deadline_floor), job_limit);
}

absl::Duration StartBudget(int64_t input_bytes, std::optional<double> link_rate,
                           const SchedulerOptions& options) {
  const double rate = std::max(1.0, link_rate.value_or(options.link_rate));
  return options.start_grace + absl::Seconds(3.0 * static_cast<double>(input_bytes) / rate);
}

double Patience(int lapses_in_row) { return std::ldexp(1.0, std::clamp(lapses_in_row, 0, 10)); }

}  // namespace tilewright::schedule
