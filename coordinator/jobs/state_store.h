// Where a coordinator keeps what its successor must know: the records of its decisions. An
// interface, and a store that lasts as long as its process. Not thread-safe: the owner serialises
// calls.

#ifndef TILEWRIGHT_COORDINATOR_JOBS_STATE_STORE_H_
#define TILEWRIGHT_COORDINATOR_JOBS_STATE_STORE_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "coordinator/schedule/decisions.h"
#include "coordinator/schedule/snapshot.h"

namespace tilewright {

class StateStore {
 public:
  virtual ~StateStore() = default;

  // Keeps the records, in this order, behind all earlier ones; they are durable on return. After an
  // error the store has failed for good: the first of them may have been kept, later ones are
  // refused with the same error, and nothing that rests on them may leave the coordinator.
  virtual absl::Status Append(absl::Span<const Record> records) = 0;
  // The fold of all records kept.
  virtual absl::StatusOr<Snapshot> Load() = 0;
};

// Keeps the fold alone: its size is that of the jobs that have not ended.
class MemoryStateStore final : public StateStore {
 public:
  // FAILED_PRECONDITION for a record that does not follow from those before.
  absl::Status Append(absl::Span<const Record> records) override;
  absl::StatusOr<Snapshot> Load() override { return snapshot_; }

 private:
  Snapshot snapshot_;
  absl::Status failed_;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_JOBS_STATE_STORE_H_
