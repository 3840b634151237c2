// Examines the device a worker is to own. Functions without state, so thread-safe.

#ifndef TILEWRIGHT_WORKER_DEVICE_DEVICE_PROBE_H_
#define TILEWRIGHT_WORKER_DEVICE_DEVICE_PROBE_H_

#include <string>

#include "absl/status/statusor.h"
#include "tilewright/v1/worker_service.pb.h"
#include "worker/device/file_reader.h"

namespace tilewright {

// "cpu", "cuda:K" as kind "cuda" and index K, or "openvino:NAME" as kind "openvino" and the name
// that OpenVINO knows ("GPU.0", "NPU").
struct DeviceName {
  std::string kind;
  int index = 0;
  std::string openvino_name;
};
// INVALID_ARGUMENT for anything else.
absl::StatusOr<DeviceName> ParseDevice(const std::string& text);

struct DeviceOptions {
  std::string device = "cpu";
  int threads = 1;
};

// Fills kind, name, memory, dtypes, threads, the compute capability (of a CUDA device) and the
// measured speed (of a CPU); takes about 50 ms.
// Engines and what they know are added with AddEngine (worker/engine/capabilities.h).
// INVALID_ARGUMENT for a device that cannot be named, UNAVAILABLE for one that is not there.
absl::StatusOr<v1::Capabilities> ProbeDevice(const DeviceOptions& options, const FileReader& read);

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_DEVICE_DEVICE_PROBE_H_
