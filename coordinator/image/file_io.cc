#include "coordinator/image/file_io.h"

#include <unistd.h>

#include <cerrno>

namespace tilewright {

int WriteAll(int fd, absl::Span<const std::byte> data, int64_t offset) {
  while (!data.empty()) {
    const ssize_t n = pwrite(fd, data.data(), data.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    data.remove_prefix(static_cast<size_t>(n));
    offset += n;
  }
  return 0;
}

int ReadAll(int fd, absl::Span<std::byte> data, int64_t offset) {
  while (!data.empty()) {
    const ssize_t n = pread(fd, data.data(), data.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    if (n == 0) return EIO;
    data.remove_prefix(static_cast<size_t>(n));
    offset += n;
  }
  return 0;
}

}  // namespace tilewright
