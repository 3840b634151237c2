#include "coordinator/schedule/job_order.h"

#include <algorithm>
#include <cmath>

namespace tilewright::schedule {
namespace {

constexpr double kReferenceFlops = 1e9;

}  // namespace

double RelativeSpeed(double probe_flops) {
  return probe_flops > 0 ? probe_flops / kReferenceFlops : 1;
}

absl::Duration TileWork(const TileWorkQuery& query) {
  absl::Duration work = absl::Seconds(query.relative_speed);
  if (query.measured.has_value()) {
    work = *query.measured;
  } else if (query.flops_per_tile > 0) {
    work = absl::Seconds(query.flops_per_tile / kReferenceFlops);
  }
  return std::max(work, absl::Nanoseconds(1));
}

double WeightOf(int priority) { return std::ldexp(1.0, priority); }

}  // namespace tilewright::schedule
