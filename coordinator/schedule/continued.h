// What a job takes over from an earlier one of the same request, as values: nothing of it is
// computed again. A value type and a pure function; thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_SCHEDULE_CONTINUED_H_
#define TILEWRIGHT_COORDINATOR_SCHEDULE_CONTINUED_H_

#include <cstdint>
#include <set>
#include <string>

#include "absl/container/btree_set.h"
#include "absl/status/status.h"
#include "coordinator/schedule/types.h"

namespace tilewright {

struct ContinuedTiles {
  absl::btree_set<int64_t> accepted;
  std::set<int64_t> holes;
  // What was promised of them. A strict job stays within the class; one with proof (prove_class)
  // never takes a result of another one.
  Promise promise = Promise::kUndecided;
  std::string numeric_class;      // of a strict job
  std::set<std::string> classes;  // of accepted tiles
};

// INVALID_ARGUMENT if `job` cannot begin with its `continued`: tiles that it does not have, one
// that is both, no promise where tiles are accepted, or none of a proven class where it asks for
// proof.
absl::Status CheckContinued(const JobSpec& job);

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_SCHEDULE_CONTINUED_H_
