// file: URIs of absolute paths, written by clients and read by coordinators. Pure; thread-safe.

#ifndef TILEWRIGHT_PROTO_WIRE_FILE_URI_H_
#define TILEWRIGHT_PROTO_WIRE_FILE_URI_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace tilewright {

// file:///a/b%20c of /a/b c: bytes outside [A-Za-z0-9-._~/] are percent-encoded. The path must be
// absolute.
std::string FileUri(absl::string_view absolute_path);

// The path of a file: URI. INVALID_ARGUMENT if it is none, names a host, is not absolute, holds a
// broken escape or a NUL.
absl::StatusOr<std::string> PathOfFileUri(absl::string_view uri);

}  // namespace tilewright

#endif  // TILEWRIGHT_PROTO_WIRE_FILE_URI_H_
