// What a run takes of a device's memory, by LibTorch's own count. For the .cc files of the torch
// engine only, because it names LibTorch's types.

#ifndef TILEWRIGHT_WORKER_ENGINE_TORCH_MEMORY_H_
#define TILEWRIGHT_WORKER_ENGINE_TORCH_MEMORY_H_

#include <c10/core/Device.h>

#include <cstdint>

#include "absl/status/statusor.h"
#include "worker/engine/memory_model.h"
#include "worker/engine/memory_trial.h"
#include "worker/engine/torch_stage.h"

namespace tilewright {

// From its construction on. One at a time for a device; runs of other threads count too. On a CPU
// it counts tensors, not what a library takes behind LibTorch's back.
class TorchMemoryWatch {
 public:
  explicit TorchMemoryWatch(c10::Device device);
  // The most that was held at once, weights and all; 0 if the device does not say.
  uint64_t Peak() const;
  // The same without what was held when the watch began.
  uint64_t Taken() const;
  // Whether an allocation found no memory: some of LibTorch's interfaces lose the exception that
  // says so.
  bool RanOut() const;

 private:
  struct Count {
    uint64_t allocated = 0;
    uint64_t peak = 0;
    uint64_t failures = 0;
  };
  Count Read() const;

  const c10::Device device_;
  Count begin_;
};

// Runs the network on tiles of two small shapes (memory_trial.h); takes as long as these. Errors
// are the network's: not every one takes every shape.
absl::StatusOr<MemoryModel> MeasureTorchMemory(const TorchNetwork& network, int channels,
                                               const MemoryTrial& trial);

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_ENGINE_TORCH_MEMORY_H_
