// Whole transfers at an offset of a file, however many system calls they take. Thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_IMAGE_FILE_IO_H_
#define TILEWRIGHT_COORDINATOR_IMAGE_FILE_IO_H_

#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"

namespace tilewright {

// 0, or errno.
int WriteAll(int fd, absl::Span<const std::byte> data, int64_t offset);
// 0, or errno; EIO if the file ends before.
int ReadAll(int fd, absl::Span<std::byte> data, int64_t offset);

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_IMAGE_FILE_IO_H_
