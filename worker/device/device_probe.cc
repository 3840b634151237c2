#include "worker/device/device_probe.h"

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "proto/base/status_macros.h"
#include "worker/device/cpu.h"
#include "worker/device/cuda_driver.h"
#include "worker/device/host_memory.h"

namespace tilewright {

absl::StatusOr<DeviceName> ParseDevice(const std::string& text) {
  if (text == "cpu") return DeviceName{"cpu", 0, ""};
  absl::string_view name = text;
  if (absl::ConsumePrefix(&name, "openvino:") && !name.empty()) {
    return DeviceName{"openvino", 0, std::string(name)};
  }
  absl::string_view number = text;
  int index = 0;
  if (absl::ConsumePrefix(&number, "cuda:") && absl::SimpleAtoi(number, &index) && index >= 0) {
    return DeviceName{"cuda", index, ""};
  }
  return absl::InvalidArgumentError(
      absl::StrCat("'", text, "' is no device; say cpu, cuda:0, cuda:1 …, or openvino:GPU"));
}

absl::StatusOr<v1::Capabilities> ProbeDevice(const DeviceOptions& options, const FileReader& read) {
  TW_ASSIGN_OR_RETURN(const DeviceName device, ParseDevice(options.device));
  v1::Capabilities capabilities;
  capabilities.set_device_kind(device.kind);
  capabilities.set_threads(static_cast<uint32_t>(options.threads));
  capabilities.add_dtypes("fp32");
  if (device.kind == "cuda") {
    TW_ASSIGN_OR_RETURN(const CudaDevice cuda, ExamineCudaDevice(device.index));
    capabilities.set_device_name(cuda.name);
    capabilities.set_memory_total_bytes(cuda.memory_total_bytes);
    capabilities.set_memory_free_bytes(cuda.memory_total_bytes);
    capabilities.set_compute_capability(cuda.compute_capability);
    return capabilities;
  }
  TW_ASSIGN_OR_RETURN(const HostMemory memory, ReadHostMemory(read));
  // What an accelerator of this processor's has of its own is not known here.
  capabilities.set_device_name(device.kind == "cpu" ? CpuName(read) : device.openvino_name);
  capabilities.set_memory_total_bytes(memory.total_bytes);
  capabilities.set_memory_free_bytes(memory.free_bytes);
  if (device.kind != "cpu") return capabilities;
  capabilities.set_probe_flops(MeasureCpuFlops(options.threads, absl::Milliseconds(50)));
  return capabilities;
}

}  // namespace tilewright
