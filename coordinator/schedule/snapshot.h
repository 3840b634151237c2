// What a coordinator must know of its predecessor: the fold of all records. Value types and a pure
// function; thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_SCHEDULE_SNAPSHOT_H_
#define TILEWRIGHT_COORDINATOR_SCHEDULE_SNAPSHOT_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "coordinator/schedule/decisions.h"
#include "coordinator/schedule/types.h"

namespace tilewright {

// A job that had not ended.
struct RestoredJob {
  JobSpec spec;
  int priority = 0;
  bool paused = false;
  Promise promise = Promise::kUndecided;
  std::string numeric_class;
  absl::btree_set<int64_t> accepted;  // tiles
  std::set<int64_t> failed;           // tiles that wait for a decision
  std::set<int64_t> holes;
  std::map<std::string, int64_t> tiles_by_worker;
  int64_t continued = 0;                      // accepted tiles that an earlier job had done
  std::set<std::string> classes;              // of accepted tiles
  absl::Duration age = absl::ZeroDuration();  // as of its last record
};

struct Snapshot {
  std::vector<RestoredJob> jobs;  // in the order of their submission
  std::set<std::string> workers;  // connected at the end, by name
};

// Enters one record. FAILED_PRECONDITION if it does not follow from what came before (a tile of an
// unknown job, one out of range, a job twice): the records are not those of one coordinator after
// the other; then nothing changes.
absl::Status Apply(const Record& record, Snapshot& snapshot);

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_SCHEDULE_SNAPSHOT_H_
