// Policies: which bits a job promises. Stateless functions; thread-safe; pure.

#ifndef TILEWRIGHT_COORDINATOR_SCHEDULE_PROMISE_H_
#define TILEWRIGHT_COORDINATOR_SCHEDULE_PROMISE_H_

#include <set>
#include <string>
#include <vector>

#include "coordinator/schedule/types.h"

namespace tilewright::schedule {

// The promise of a job without proof at its first grant: strict if the eligible connected workers
// share one environment key, else tolerant.
Promise PresumedPromise(const std::set<std::string>& environment_keys);

struct ClassSpeed {
  std::string numeric_class;
  double tiles_per_second = 0;
};
// The class with the largest summed speed; of equals, the first by name. Requires at least one.
std::string FastestClass(const std::vector<ClassSpeed>& workers);

// Seed of the canary noise of a stage: the same for every worker and every run.
uint64_t CanarySeed(const std::string& model_digest, const std::string& dtype, int executed_batch);

}  // namespace tilewright::schedule

#endif  // TILEWRIGHT_COORDINATOR_SCHEDULE_PROMISE_H_
