// Whether a device computes in a dtype, judged by what it computes. Functions without state.

#ifndef TILEWRIGHT_WORKER_ENGINE_DTYPE_PROBE_H_
#define TILEWRIGHT_WORKER_ENGINE_DTYPE_PROBE_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace tilewright {

// Runs the same convolution in each of fp32, fp16 and bf16; `compute` gives its result in fp32 or
// says why not. Those remain whose result lies as near to fp32's as their precision promises:
// neither an error nor a wrong answer is advertised. Empty if fp32 itself fails.
std::vector<std::string> DtypesThatWork(
    const std::function<absl::StatusOr<std::vector<float>>(const std::string& dtype)>& compute);

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_ENGINE_DTYPE_PROBE_H_
