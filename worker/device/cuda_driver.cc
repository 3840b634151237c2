#include "worker/device/cuda_driver.h"

#include <dlfcn.h>

#include <array>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "proto/base/status_macros.h"

namespace tilewright {
namespace {

// From cuda.h; the driver's binary interface is stable.
using CuResult = int;
using CuDevice = int;
constexpr int kComputeCapabilityMajor = 75;
constexpr int kComputeCapabilityMinor = 76;

template <typename Function>
Function Symbol(void* library, const char* name) {
  return reinterpret_cast<Function>(dlsym(library, name));
}

// The functions of the driver that are used here.
struct Driver {
  CuResult (*count)(int* devices) = nullptr;
  CuResult (*get)(CuDevice* device, int index) = nullptr;
  CuResult (*name)(char* text, int size, CuDevice device) = nullptr;
  CuResult (*memory)(size_t* bytes, CuDevice device) = nullptr;
  CuResult (*attribute)(int* value, int attribute, CuDevice device) = nullptr;
};

// A driver that has started.
absl::StatusOr<Driver> OpenDriver() {
  // Never closed: the driver does not survive being unloaded.
  void* library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_GLOBAL);
  if (library == nullptr) {
    return absl::UnavailableError("there is no CUDA driver (libcuda.so.1) on this machine");
  }
  const auto init = Symbol<CuResult (*)(unsigned)>(library, "cuInit");
  Driver driver;
  driver.count = Symbol<decltype(driver.count)>(library, "cuDeviceGetCount");
  driver.get = Symbol<decltype(driver.get)>(library, "cuDeviceGet");
  driver.name = Symbol<decltype(driver.name)>(library, "cuDeviceGetName");
  driver.memory = Symbol<decltype(driver.memory)>(library, "cuDeviceTotalMem_v2");
  driver.attribute = Symbol<decltype(driver.attribute)>(library, "cuDeviceGetAttribute");
  if (!init || !driver.count || !driver.get || !driver.name || !driver.memory ||
      !driver.attribute) {
    return absl::UnavailableError("libcuda.so.1 is not a CUDA driver of a known version");
  }
  if (const CuResult error = init(0); error != 0) {
    return absl::UnavailableError(absl::StrCat("the CUDA driver does not start: error ", error));
  }
  return driver;
}

}  // namespace

absl::StatusOr<int> CountCudaDevices() {
  TW_ASSIGN_OR_RETURN(const Driver driver, OpenDriver());
  int devices = 0;
  if (const CuResult error = driver.count(&devices); error != 0) {
    return absl::UnavailableError(
        absl::StrCat("the CUDA driver does not count its devices: error ", error));
  }
  return devices;
}

absl::StatusOr<CudaDevice> ExamineCudaDevice(int index) {
  TW_ASSIGN_OR_RETURN(const Driver driver, OpenDriver());
  int devices = 0;
  CuDevice device = 0;
  if (driver.count(&devices) != 0 || index < 0 || index >= devices ||
      driver.get(&device, index) != 0) {
    return absl::UnavailableError(
        absl::StrCat("there is no CUDA device ", index, "; the driver shows ", devices));
  }
  std::array<char, 256> text = {};
  size_t bytes = 0;
  int major = 0;
  int minor = 0;
  if (driver.name(text.data(), static_cast<int>(text.size()) - 1, device) != 0 ||
      driver.memory(&bytes, device) != 0 ||
      driver.attribute(&major, kComputeCapabilityMajor, device) != 0 ||
      driver.attribute(&minor, kComputeCapabilityMinor, device) != 0) {
    return absl::UnavailableError(absl::StrCat("CUDA device ", index, " does not answer"));
  }
  return CudaDevice{text.data(), bytes, absl::StrCat(major, ".", minor)};
}

}  // namespace tilewright
