// Access to the small files of /proc and /sys, as a function, so that tests can lay out a machine
// of their own. RealFiles() is thread-safe.

#ifndef TILEWRIGHT_WORKER_DEVICE_FILE_READER_H_
#define TILEWRIGHT_WORKER_DEVICE_FILE_READER_H_

#include <functional>
#include <string>

#include "absl/status/statusor.h"

namespace tilewright {

// The whole contents of a file of at most 16 MiB; NOT_FOUND if it cannot be opened.
using FileReader = std::function<absl::StatusOr<std::string>(const std::string& path)>;

FileReader RealFiles();

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_DEVICE_FILE_READER_H_
