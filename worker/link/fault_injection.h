// Faults on demand, for tests alone: TILEWRIGHT_TEST_FAULT=corrupt-checksum:3,slow:100 makes a
// worker send its third result with a checksum that is not its bytes', and sleep 100 ms before each
// tile. A FaultInjection belongs to one thread.

#ifndef TILEWRIGHT_WORKER_LINK_FAULT_INJECTION_H_
#define TILEWRIGHT_WORKER_LINK_FAULT_INJECTION_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace tilewright {

class FaultInjection {
 public:
  // No fault.
  FaultInjection() = default;
  // INVALID_ARGUMENT naming the word that is not understood. Empty text: no fault.
  static absl::StatusOr<FaultInjection> Parse(absl::string_view text);

  bool any() const { return corrupt_at_ > 0 || slow_ > absl::ZeroDuration(); }
  // To be slept before each tile.
  absl::Duration slow() const { return slow_; }
  // Called with the checksum of each result.
  void Touch(uint64_t* checksum);

 private:
  uint64_t corrupt_at_ = 0;  // 1: the first result; 0: none
  uint64_t results_ = 0;
  absl::Duration slow_ = absl::ZeroDuration();
};

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_LINK_FAULT_INJECTION_H_
