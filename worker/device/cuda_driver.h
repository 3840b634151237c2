// What the CUDA driver says of a device, without linking to CUDA: the driver's library is opened at
// run time. Functions without state, so thread-safe.

#ifndef TILEWRIGHT_WORKER_DEVICE_CUDA_DRIVER_H_
#define TILEWRIGHT_WORKER_DEVICE_CUDA_DRIVER_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace tilewright {

struct CudaDevice {
  std::string name;
  uint64_t memory_total_bytes = 0;
  std::string compute_capability;  // "8.6"
};

// How many devices the driver shows (CUDA_VISIBLE_DEVICES applies). UNAVAILABLE without a driver
// that starts; one that finds no device may not.
absl::StatusOr<int> CountCudaDevices();

// Device `index` as CUDA numbers them (CUDA_VISIBLE_DEVICES applies). UNAVAILABLE without driver or
// without such a device.
absl::StatusOr<CudaDevice> ExamineCudaDevice(int index);

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_DEVICE_CUDA_DRIVER_H_
