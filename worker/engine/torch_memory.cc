#include "worker/engine/torch_memory.h"

#include <ATen/DeviceAccelerator.h>
#include <ATen/Functions.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "proto/base/status_macros.h"
#include "worker/engine/torch_allocator.h"
#include "worker/engine/torch_guard.h"

namespace tilewright {

TorchMemoryWatch::TorchMemoryWatch(c10::Device device) : device_(device) {
  if (device_.is_cpu()) {
    ResetCpuTensorPeak();
  } else {
    // A device that does not count has a peak of 0.
    Guarded("resetting memory statistics", [this] {
      at::getDeviceAllocator(device_.type())->resetPeakStats(device_.index());
    }).IgnoreError();
  }
  begin_ = Read();
}

TorchMemoryWatch::Count TorchMemoryWatch::Read() const {
  if (device_.is_cpu()) {
    const CpuTensorMemory memory = ReadCpuTensorMemory();
    return {memory.allocated_bytes, memory.peak_bytes, memory.failures};
  }
  Count count;
  Guarded("reading memory statistics", [this, &count] {
    const auto stats = at::getDeviceAllocator(device_.type())->getDeviceStats(device_.index());
    count = {static_cast<uint64_t>(stats.allocated_bytes[0].current),
             static_cast<uint64_t>(stats.allocated_bytes[0].peak),
             static_cast<uint64_t>(stats.num_ooms)};
  }).IgnoreError();
  return count;
}

uint64_t TorchMemoryWatch::Peak() const { return Read().peak; }

uint64_t TorchMemoryWatch::Taken() const {
  const uint64_t peak = Peak();
  return peak - std::min(peak, begin_.allocated);
}

bool TorchMemoryWatch::RanOut() const { return Read().failures > begin_.failures; }

absl::StatusOr<MemoryModel> MeasureTorchMemory(const TorchNetwork& network, int channels,
                                               const MemoryTrial& trial) {
  return TryMemory(trial, [&](int64_t side) -> absl::StatusOr<uint64_t> {
    uint64_t taken = 0;
    TW_RETURN_IF_ERROR(Guarded(absl::StrCat("measuring ", network.name), [&] {
      const c10::InferenceMode inference;
      const TorchMemoryWatch watch(network.device);
      const at::Tensor tile = at::zeros({1, channels, side, side}).to(network.device, network.type);
      const c10::IValue result = RunNetwork(network, tile);
      const at::Tensor back = InterleavedFloats(result.toTensor()).to(c10::kCPU);  // waits
      taken = watch.Taken();
    }));
    return taken;
  });
}

}  // namespace tilewright
