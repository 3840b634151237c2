// How much memory this process may use: the machine's, or less if a control group limits it.
// Functions without state, so thread-safe.

#ifndef TILEWRIGHT_WORKER_DEVICE_HOST_MEMORY_H_
#define TILEWRIGHT_WORKER_DEVICE_HOST_MEMORY_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "worker/device/file_reader.h"

namespace tilewright {

struct HostMemory {
  uint64_t total_bytes = 0;
  uint64_t free_bytes = 0;  // without swapping; file cache that can be dropped counts as free
};

// From /proc/meminfo and every control group (version 1 or 2) above this process. UNAVAILABLE
// without /proc/meminfo.
absl::StatusOr<HostMemory> ReadHostMemory(const FileReader& read);

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_DEVICE_HOST_MEMORY_H_
