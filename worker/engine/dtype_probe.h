// Whether a device computes in a dtype, judged by what it computes and how fast. Functions without
// state.

#ifndef TILEWRIGHT_WORKER_ENGINE_DTYPE_PROBE_H_
#define TILEWRIGHT_WORKER_ENGINE_DTYPE_PROBE_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace tilewright {

struct DtypeTrial {
  std::vector<float> values;  // the result, in fp32
  double seconds = 0;         // for the same work in each dtype
};

// A dtype that takes longer than fp32 times this is of no use: kernels that a processor has no
// instructions for take many times as long.
inline constexpr double kDtypeSlowdownMax = 2;

// Tries the same convolution in each of fp32, fp16 and bf16; `compute` gives its result and time or
// says why not. Those remain whose result lies as near to fp32's as their precision promises, in at
// most kDtypeSlowdownMax times its time: neither an error nor a wrong answer nor a crawl is
// advertised. Empty if fp32 itself fails.
std::vector<std::string> DtypesThatWork(
    const std::function<absl::StatusOr<DtypeTrial>(const std::string& dtype)>& compute);

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_ENGINE_DTYPE_PROBE_H_
