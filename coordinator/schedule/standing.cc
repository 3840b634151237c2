#include "coordinator/schedule/standing.h"

#include <algorithm>
#include <tuple>

#include "absl/strings/str_cat.h"

namespace tilewright::schedule {

bool MustBlocklist(int charges_on_job, const SchedulerOptions& options) {
  return charges_on_job >= options.blocklist_charges;
}

std::optional<QuarantineCause> QuarantineFor(const Conduct& conduct,
                                             const SchedulerOptions& options) {
  if (conduct.bad_results_in_row >= options.quarantine_bad_results) {
    return QuarantineCause::kBadResults;
  }
  if (conduct.lapses_in_row >= options.quarantine_lapses) return QuarantineCause::kLapses;
  if (conduct.blocklistings >= options.quarantine_blocklistings) return QuarantineCause::kFailures;
  return std::nullopt;
}

std::string QuarantineCauseText(QuarantineCause cause, const SchedulerOptions& options) {
  switch (cause) {
    case QuarantineCause::kLapses:
      return absl::StrCat(options.quarantine_lapses, " lapses in a row");
    case QuarantineCause::kFailures:
      return absl::StrCat("too many failures on ", options.quarantine_blocklistings, " jobs");
    case QuarantineCause::kBadResults:
      return absl::StrCat(options.quarantine_bad_results, " bad results in a row");
    case QuarantineCause::kProbeFailed:
      return "trouble on probation";
  }
  return "";
}

absl::Duration QuarantineTime(int earlier, const SchedulerOptions& options) {
  absl::Duration time = options.quarantine_min;
  for (int i = 0; i < earlier && time < options.quarantine_max; ++i) time *= 2;
  return std::min(time, options.quarantine_max);
}

bool Forgiven(absl::Duration good_time, int64_t good_tiles, const SchedulerOptions& options) {
  return good_time >= options.good_run && good_tiles >= options.good_run_tiles;
}

size_t BestOf(const std::vector<PutAside>& put_aside) {
  const auto best = std::min_element(put_aside.begin(), put_aside.end(),
                                     [](const PutAside& a, const PutAside& b) {
                                       return std::tie(a.bad_results, a.quarantines, a.charges) <
                                              std::tie(b.bad_results, b.quarantines, b.charges);
                                     });
  return static_cast<size_t>(best - put_aside.begin());
}

}  // namespace tilewright::schedule
