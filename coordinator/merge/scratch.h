// Where merging puts what it cannot keep in memory. Implemented by a file (coordinator/image) and
// by fakes in tests. Not thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_MERGE_SCRATCH_H_
#define TILEWRIGHT_COORDINATOR_MERGE_SCRATCH_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace tilewright {

class Scratch {
 public:
  // What was put away once; where it lies is the scratch's own affair.
  struct Slot {
    int64_t offset = 0;
    int64_t bytes = 0;
    uint64_t checksum = 0;  // XXH3-64 of the samples, if the scratch checks them
  };

  virtual ~Scratch() = default;
  // RESOURCE_EXHAUSTED if there is no room: nothing changes.
  virtual absl::StatusOr<Slot> Put(absl::Span<const std::byte> samples) = 0;
  // Fills `samples`, slot.bytes long, and frees the slot. DATA_LOSS if they cannot be had back.
  virtual absl::Status Take(const Slot& slot, absl::Span<std::byte> samples) = 0;
  virtual void Drop(const Slot& slot) = 0;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_MERGE_SCRATCH_H_
