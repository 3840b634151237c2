#include "proto/geometry/scale.h"

#include <algorithm>
#include <cassert>
#include <numeric>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace tilewright {

absl::StatusOr<Scale> Scale::Create(int64_t p, int64_t q) {
  if (p <= 0 || q <= 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("scale ", p, "/", q, " is not a positive fraction"));
  }
  const int64_t divisor = std::gcd(p, q);
  const Scale scale(p / divisor, q / divisor);
  if (scale.p_ > kMaxTerm || scale.q_ > kMaxTerm) {
    return absl::InvalidArgumentError(
        absl::StrCat("scale ", p, "/", q, " has a term above ", kMaxTerm, " in lowest terms"));
  }
  if (scale.p_ > 32 * scale.q_ || scale.q_ > 32 * scale.p_) {
    return absl::InvalidArgumentError(absl::StrCat("scale ", p, "/", q, " is outside 1/32 to 32"));
  }
  return scale;
}

int64_t Scale::Exact(int64_t input) const {
  assert(input % q_ == 0);
  return input / q_ * p_;
}

int64_t PaddedLength(int64_t size, int64_t minimum, int64_t alignment) {
  assert(size > 0 && minimum > 0 && alignment > 0);
  const int64_t least = std::max(size, minimum);
  return (least + alignment - 1) / alignment * alignment;
}

int64_t PadSource(int64_t index, int64_t size, PadMode mode) {
  assert(index >= 0 && size > 0);
  if (index < size) return index;
  switch (mode) {
    case PadMode::kZero:
      return -1;
    case PadMode::kReplicate:
      return size - 1;
    case PadMode::kReflect:
      break;
  }
  if (size == 1) return 0;
  const int64_t period = 2 * (size - 1);
  const int64_t phase = index % period;
  return phase < size ? phase : period - phase;
}

}  // namespace tilewright
