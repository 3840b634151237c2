// Policy: which job is served first. Now: the one submitted first. A stateless function;
// thread-safe; pure.

#ifndef TILEWRIGHT_COORDINATOR_SCHEDULE_JOB_ORDER_H_
#define TILEWRIGHT_COORDINATOR_SCHEDULE_JOB_ORDER_H_

#include <compare>
#include <cstdint>

namespace tilewright::schedule {

// Place of a job with ready tiles in the order of service; the lowest is served first.
struct JobRank {
  double weight =
      0;  // work received by its tenant and job, relative to their shares; 0 for all as yet
  uint64_t submitted = 0;  // number of the submission
  friend auto operator<=>(const JobRank&, const JobRank&) = default;
};

inline JobRank RankOf(uint64_t submitted) { return JobRank{0, submitted}; }

}  // namespace tilewright::schedule

#endif  // TILEWRIGHT_COORDINATOR_SCHEDULE_JOB_ORDER_H_
