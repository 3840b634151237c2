// Turns errno of a file operation into a Status whose code says what the caller should do.
// Thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_IMAGE_FILE_ERROR_H_
#define TILEWRIGHT_COORDINATOR_IMAGE_FILE_ERROR_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace tilewright {

// "<doing> <path>: <what the system says><what to do>". NOT_FOUND for a missing file or folder,
// PERMISSION_DENIED, RESOURCE_EXHAUSTED for a full disk, quota or file size limit, ALREADY_EXISTS,
// INVALID_ARGUMENT for an impossible name, else UNAVAILABLE.
absl::Status FileError(absl::string_view doing, const std::string& path, int error_number);

// Whether the error is one of FileError's that ends when somebody makes room: a full disk or quota,
// or a file size limit.
bool IsNoRoom(const absl::Status& status);
// The same error without that: it does not end, because what was written is lost.
absl::Status NotForRoom(const absl::Status& status);

// `error`, one of IsNoRoom, and how many bytes are free on the disk that it is about, if that can
// be had: asks the file system, which may take a while.
absl::Status WithFreeBytes(const absl::Status& error);
// Bytes that may still be written into the file system of `path`; nullopt if it cannot be asked.
std::optional<uint64_t> FreeBytes(const std::string& path);

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_IMAGE_FILE_ERROR_H_
