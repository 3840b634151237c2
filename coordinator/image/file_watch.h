// A file that is read for a long time and must stay as it was when it was opened. Thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_IMAGE_FILE_WATCH_H_
#define TILEWRIGHT_COORDINATOR_IMAGE_FILE_WATCH_H_

#include <sys/stat.h>

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace tilewright {

class FileWatch {
 public:
  // Opens for reading what can be an image. NOT_FOUND, PERMISSION_DENIED, INVALID_ARGUMENT (a
  // folder, a pipe, an empty file): each names the path.
  static absl::StatusOr<std::unique_ptr<FileWatch>> Open(const std::string& path);
  ~FileWatch();
  FileWatch(const FileWatch&) = delete;
  FileWatch& operator=(const FileWatch&) = delete;

  const std::string& path() const { return path_; }
  int64_t bytes() const { return opened_.st_size; }
  int fd() const { return fd_; }
  // Another descriptor of the same file, with a position of its own; the caller's.
  absl::StatusOr<int> Reopen() const;
  // FAILED_PRECONDITION if the path has gone, names another file, or the file's size or time of
  // modification is another. What was read before an OK belongs to the file that was opened.
  absl::Status Check() const;

 private:
  FileWatch(std::string path, int fd, const struct stat& opened)
      : path_(std::move(path)), fd_(fd), opened_(opened) {}

  const std::string path_;
  const int fd_;
  const struct stat opened_;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_IMAGE_FILE_WATCH_H_
