// How errors cross the wire: absl::Status inside the programs, grpc::Status with google.rpc.Status
// details outside, mapped here and nowhere else. Pure functions; thread-safe.

#ifndef TILEWRIGHT_PROTO_WIRE_STATUS_DETAILS_H_
#define TILEWRIGHT_PROTO_WIRE_STATUS_DETAILS_H_

#include <grpcpp/support/status.h>

#include <cstddef>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "tilewright/v1/render_service.pb.h"

namespace tilewright {

// Longer messages are cut (at a UTF-8 border, with "…") before they are sent: gRPC refuses trailers
// above 8 KiB, and a message stands in them twice, once percent-encoded.
inline constexpr size_t kStatusMessageBytesMax = 1500;

// The status with a machine-readable reason, UPPER_SNAKE, for instance OUTPUT_EXISTS; it replaces
// an earlier reason. The reason survives Annotate and the wire. OK stays OK and carries none.
absl::Status WithReason(absl::Status status, absl::string_view reason);

// The reason, or empty if none was given.
std::string ReasonOf(const absl::Status& status);

// The status with when to ask again (google.rpc.RetryInfo); it survives as the reason does.
absl::Status WithRetryAfter(absl::Status status, absl::Duration retry_after);

// When to ask again, from now; nullopt if that was not said.
std::optional<absl::Duration> RetryAfterOf(const absl::Status& status);

// Code one to one, message cut to kStatusMessageBytesMax, every payload as a detail.
grpc::Status ToGrpc(const absl::Status& status);

// The inverse. Details that cannot be read are dropped; code and message never are. A code outside
// gRPC's list becomes UNKNOWN.
absl::Status FromGrpc(const grpc::Status& status);

// The same for errors that travel inside messages, as in Job.error. The message is not cut.
v1::Status ToProto(const absl::Status& status);
absl::Status FromProto(const v1::Status& status);

}  // namespace tilewright

#endif  // TILEWRIGHT_PROTO_WIRE_STATUS_DETAILS_H_
