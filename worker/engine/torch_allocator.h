// LibTorch's memory on the CPU, counted, and its failures typed as a device's are. Thread-safe.

#ifndef TILEWRIGHT_WORKER_ENGINE_TORCH_ALLOCATOR_H_
#define TILEWRIGHT_WORKER_ENGINE_TORCH_ALLOCATOR_H_

#include <cstdint>

namespace tilewright {

// From now on a CPU tensor that finds no memory throws c10::OutOfMemoryError; LibTorch itself
// throws a plain error, which could be anything. And what tensors hold is counted. For the whole
// process; later calls change nothing.
void InstallTypedCpuAllocator();

// Of the tensors made since it was installed.
struct CpuTensorMemory {
  uint64_t allocated_bytes = 0;  // now
  uint64_t peak_bytes = 0;       // the most since the latest ResetCpuTensorPeak
  uint64_t failures = 0;         // allocations that found no memory
};
CpuTensorMemory ReadCpuTensorMemory();
void ResetCpuTensorPeak();

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_ENGINE_TORCH_ALLOCATOR_H_
