// What absl::Status of this vintage lacks: early return, context as an error rises. Thread-safe.

#ifndef TILEWRIGHT_PROTO_BASE_STATUS_MACROS_H_
#define TILEWRIGHT_PROTO_BASE_STATUS_MACROS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace tilewright {

// The same code and payloads; the message opens with `context` and a colon. OK stays OK.
inline absl::Status Annotate(const absl::Status& status, absl::string_view context) {
  if (status.ok()) return status;
  absl::Status annotated(status.code(), absl::StrCat(context, ": ", status.message()));
  status.ForEachPayload([&annotated](absl::string_view url, const absl::Cord& payload) {
    annotated.SetPayload(url, payload);
  });
  return annotated;
}

}  // namespace tilewright

// Returns from the enclosing function if `expression` (an absl::Status) is not OK.
#define TW_RETURN_IF_ERROR(expression)                            \
  do {                                                            \
    if (absl::Status tw_status = (expression); !tw_status.ok()) { \
      return tw_status;                                           \
    }                                                             \
  } while (false)

// Declares or assigns `lhs` from an absl::StatusOr, or returns its status from the function.
#define TW_ASSIGN_OR_RETURN(lhs, expression) \
  TW_ASSIGN_OR_RETURN_IMPL(TW_CONCAT(tw_status_or_, __LINE__), lhs, expression)
#define TW_ASSIGN_OR_RETURN_IMPL(status_or, lhs, expression) \
  auto status_or = (expression);                             \
  if (!status_or.ok()) return std::move(status_or).status(); \
  lhs = *std::move(status_or)
#define TW_CONCAT(a, b) TW_CONCAT_IMPL(a, b)
#define TW_CONCAT_IMPL(a, b) a##b

#endif  // TILEWRIGHT_PROTO_BASE_STATUS_MACROS_H_
