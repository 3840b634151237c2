#include "worker/link/fault_injection.h"

#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace tilewright {

absl::StatusOr<FaultInjection> FaultInjection::Parse(absl::string_view text) {
  FaultInjection faults;
  for (absl::string_view word : absl::StrSplit(text, ',', absl::SkipWhitespace())) {
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(word, absl::MaxSplits(':', 1));
    uint64_t number = 0;
    const bool numeric = absl::SimpleAtoi(parts.second, &number);
    if (numeric && parts.first == "corrupt-checksum" && number > 0) {
      faults.corrupt_at_ = number;
    } else if (numeric && parts.first == "slow") {
      faults.slow_ = absl::Milliseconds(static_cast<int64_t>(number));
    } else {
      return absl::InvalidArgumentError(absl::StrCat(
          "'", word, "' is no test fault; known are corrupt-checksum:K (K from 1) and slow:MS"));
    }
  }
  return faults;
}

void FaultInjection::Touch(uint64_t* checksum) {
  if (++results_ == corrupt_at_) *checksum ^= 1;
}

}  // namespace tilewright
