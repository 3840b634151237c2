// The rules that all list calls share. Pure functions; thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_SERVICE_PAGINATION_H_
#define TILEWRIGHT_COORDINATOR_SERVICE_PAGINATION_H_

#include <algorithm>
#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "proto/wire/status_details.h"

namespace tilewright {

// 0 means 100, more than 1,000 means 1,000; a negative size is INVALID_ARGUMENT.
inline absl::StatusOr<int> PageSize(int requested) {
  if (requested < 0) {
    return WithReason(
        absl::InvalidArgumentError(absl::StrCat("page_size ", requested, " is negative")),
        "BAD_PAGE_SIZE");
  }
  return requested == 0 ? 100 : std::min(requested, 1000);
}

// The index after which a page of a list of `total` items begins; the token is the index in
// decimal.
inline absl::StatusOr<size_t> PageStart(const std::string& token, size_t total) {
  size_t start = 0;
  if (token.empty()) return start;
  if (absl::SimpleAtoi(token, &start)) return std::min(start, total);
  return WithReason(absl::InvalidArgumentError(absl::StrCat(
                        "page_token '", token, "' is none that this coordinator gave")),
                    "BAD_PAGE_TOKEN");
}

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_SERVICE_PAGINATION_H_
