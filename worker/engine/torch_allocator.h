// Gives LibTorch's failed CPU allocations the type that a device's have. Thread-safe.

#ifndef TILEWRIGHT_WORKER_ENGINE_TORCH_ALLOCATOR_H_
#define TILEWRIGHT_WORKER_ENGINE_TORCH_ALLOCATOR_H_

namespace tilewright {

// From now on a CPU tensor that finds no memory throws c10::OutOfMemoryError; LibTorch itself
// throws a plain error, which could be anything. For the whole process; later calls change nothing.
void InstallTypedCpuAllocator();

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_ENGINE_TORCH_ALLOCATOR_H_
