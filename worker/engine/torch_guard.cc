#include "worker/engine/torch_guard.h"

#include <c10/util/Exception.h>
#include <oneapi/dnnl/dnnl_common.hpp>

#include <exception>
#include <new>

#include "absl/strings/str_cat.h"
#include "worker/engine/engine.h"

namespace tilewright {
namespace {

// The first lines of an exception's text: what happened, without LibTorch's stack.
std::string Brief(const std::string& text) {
  constexpr size_t kLength = 600;
  std::string brief = text.substr(0, kLength);
  while (!brief.empty() && brief.back() == '\n') brief.pop_back();
  return brief;
}

// What each of CUDA's errors stands for. After all but the first the process must be ended.
v1::FailureCause CauseOfCudaError(int code) {
  switch (code) {
    case 2:  // an allocation past LibTorch's own count: pinned memory, a graph, a library's handle
      return v1::FAILURE_CAUSE_OUT_OF_MEMORY;
    case 702:  // launch timeout
      return v1::FAILURE_CAUSE_LAUNCH_TIMEOUT;
    case 700:  // illegal address
    case 710:  // assertion in a kernel
    case 714:  // hardware stack error
    case 718:  // invalid program counter
    case 719:  // launch failure
      return v1::FAILURE_CAUSE_DEVICE_LOST;
    default:
      return v1::FAILURE_CAUSE_MODEL_ERROR;
  }
}

}  // namespace

absl::Status Guarded(const std::string& doing, const std::function<void()>& work) {
  try {
    work();
    return absl::OkStatus();
  } catch (const c10::OutOfMemoryError& e) {
    return EngineError(v1::FAILURE_CAUSE_OUT_OF_MEMORY,
                       absl::StrCat(doing, ": ", Brief(e.what_without_backtrace())));
  } catch (const c10::AcceleratorError& e) {
    return EngineError(CauseOfCudaError(e.get_error_code()),
                       absl::StrCat(doing, ": CUDA error ", e.get_error_code(), ": ",
                                    Brief(e.what_without_backtrace())));
  } catch (const c10::Error& e) {
    return EngineError(v1::FAILURE_CAUSE_MODEL_ERROR,
                       absl::StrCat(doing, ": ", Brief(e.what_without_backtrace())));
  } catch (const dnnl::error& e) {
    // oneDNN's own, which LibTorch lets pass where oneDNN allocates by itself.
    const bool memory = e.status == dnnl_out_of_memory;
    return EngineError(memory ? v1::FAILURE_CAUSE_OUT_OF_MEMORY : v1::FAILURE_CAUSE_MODEL_ERROR,
                       absl::StrCat(doing, ": oneDNN: ", Brief(e.what())));
  } catch (const std::bad_alloc&) {
    return EngineError(v1::FAILURE_CAUSE_OUT_OF_MEMORY,
                       absl::StrCat(doing, ": the process has no memory left"));
  } catch (const std::exception& e) {
    return EngineError(v1::FAILURE_CAUSE_MODEL_ERROR, absl::StrCat(doing, ": ", Brief(e.what())));
  }
}

}  // namespace tilewright
