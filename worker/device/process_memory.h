// How much memory this process takes while it does something, as the kernel counts it: whatever
// allocated it, and whoever kept what was freed.

#ifndef TILEWRIGHT_WORKER_DEVICE_PROCESS_MEMORY_H_
#define TILEWRIGHT_WORKER_DEVICE_PROCESS_MEMORY_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace tilewright {

// A meter that is read twice. One count at a time; may be called from any thread. What other
// threads take and give back meanwhile counts too, and every number may be off by a page or two for
// each thread and by what the kernel gathers in huge pages: trust differences of some MiB, measured
// twice. TuneMalloc (malloc_tuning.h) comes first: what further arenas of the C library keep is not
// given back.
class ProcessMemory {
 public:
  virtual ~ProcessMemory() = default;
  // Gives freed memory back to the system, so that whatever is allocated from here on is seen, and
  // begins a new count. The bytes that are resident now. UNAVAILABLE, saying why, where this
  // process's memory cannot be counted.
  virtual absl::StatusOr<uint64_t> Begin() = 0;
  // The most bytes that were resident at once since Begin. Same errors.
  virtual absl::StatusOr<uint64_t> Peak() = 0;
};

// Linux's counters: `folder`/status, after a reset of its VmHWM through `folder`/clear_refs, which
// some sandboxes lack. Who else reads this process's VmHWM sees the peak since the last Begin.
std::unique_ptr<ProcessMemory> CreateProcessMemory(std::string folder = "/proc/self");

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_DEVICE_PROCESS_MEMORY_H_
