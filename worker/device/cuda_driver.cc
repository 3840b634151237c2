#include "worker/device/cuda_driver.h"

#include <dlfcn.h>

#include <array>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace tilewright {
namespace {

// From cuda.h; the driver's binary interface is stable.
using CuResult = int;
using CuDevice = int;

template <typename Function>
Function Symbol(void* library, const char* name) {
  return reinterpret_cast<Function>(dlsym(library, name));
}

}  // namespace

absl::StatusOr<CudaDevice> ExamineCudaDevice(int index) {
  // Never closed: the driver does not survive being unloaded.
  void* library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_GLOBAL);
  if (library == nullptr) {
    return absl::UnavailableError(
        "there is no CUDA driver (libcuda.so.1) on this machine; use --device cpu");
  }
  const auto init = Symbol<CuResult (*)(unsigned)>(library, "cuInit");
  const auto count = Symbol<CuResult (*)(int*)>(library, "cuDeviceGetCount");
  const auto get = Symbol<CuResult (*)(CuDevice*, int)>(library, "cuDeviceGet");
  const auto name = Symbol<CuResult (*)(char*, int, CuDevice)>(library, "cuDeviceGetName");
  const auto memory = Symbol<CuResult (*)(size_t*, CuDevice)>(library, "cuDeviceTotalMem_v2");
  if (!init || !count || !get || !name || !memory) {
    return absl::UnavailableError("libcuda.so.1 is not a CUDA driver of a known version");
  }
  if (const CuResult error = init(0); error != 0) {
    return absl::UnavailableError(absl::StrCat("the CUDA driver does not start: error ", error));
  }
  int devices = 0;
  CuDevice device = 0;
  if (count(&devices) != 0 || index < 0 || index >= devices || get(&device, index) != 0) {
    return absl::UnavailableError(
        absl::StrCat("there is no CUDA device ", index, "; the driver shows ", devices));
  }
  std::array<char, 256> text = {};
  size_t bytes = 0;
  if (name(text.data(), static_cast<int>(text.size()) - 1, device) != 0 ||
      memory(&bytes, device) != 0) {
    return absl::UnavailableError(absl::StrCat("CUDA device ", index, " does not answer"));
  }
  return CudaDevice{text.data(), bytes};
}

}  // namespace tilewright
