#include "worker/engine/dtype_probe.h"

#include <cmath>
#include <cstddef>
#include <utility>

namespace tilewright {
namespace {

// Root mean square of the difference over that of the reference; infinite if they do not compare.
double RelativeError(const std::vector<float>& values, const std::vector<float>& reference) {
  if (values.size() != reference.size() || values.empty()) return INFINITY;
  double error = 0;
  double energy = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    const double difference = double{values[i]} - double{reference[i]};
    error += difference * difference;
    energy += double{reference[i]} * double{reference[i]};
  }
  return energy > 0 && std::isfinite(error) ? std::sqrt(error / energy) : INFINITY;
}

}  // namespace

std::vector<std::string> DtypesThatWork(
    const std::function<absl::StatusOr<DtypeTrial>(const std::string& dtype)>& compute) {
  const auto reference = compute("fp32");
  if (!reference.ok() || !std::isfinite(RelativeError(reference->values, reference->values))) {
    return {};
  }
  std::vector<std::string> working = {"fp32"};
  // Inputs, weights and sums may each be rounded: four units of the last place of 11 or 8 bits.
  for (const auto& [dtype, allowed] : {std::pair("fp16", 0x1p-9), std::pair("bf16", 0x1p-6)}) {
    const auto trial = compute(dtype);
    if (trial.ok() && RelativeError(trial->values, reference->values) <= allowed &&
        trial->seconds <= kDtypeSlowdownMax * reference->seconds) {
      working.push_back(dtype);
    }
  }
  return working;
}

}  // namespace tilewright
