#include "coordinator/image/file_watch.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "coordinator/image/file_error.h"

namespace tilewright {
namespace {

bool SameTime(const timespec& a, const timespec& b) {
  return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

}  // namespace

absl::StatusOr<std::unique_ptr<FileWatch>> FileWatch::Open(const std::string& path) {
  // Non-blocking: opening a pipe would wait for its writer.
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return FileError("opening", path, errno);
  struct stat file;
  const char* problem = nullptr;
  if (fstat(fd, &file) != 0) {
    problem = "its size cannot be found";
  } else if (S_ISDIR(file.st_mode)) {
    problem = "it is a folder; name an image file";
  } else if (!S_ISREG(file.st_mode)) {
    problem = "it is not a regular file; name an image file";
  } else if (file.st_size == 0) {
    problem = "the file is empty";
  }
  if (problem == nullptr) return std::unique_ptr<FileWatch>(new FileWatch(path, fd, file));
  close(fd);
  return absl::InvalidArgumentError(absl::StrCat("opening ", path, ": ", problem));
}

FileWatch::~FileWatch() { close(fd_); }

absl::StatusOr<int> FileWatch::Reopen() const {
  // By descriptor: the path may name another file by now.
  const int fd = open(absl::StrCat("/proc/self/fd/", fd_).c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return FileError("opening", path_, errno);
  return fd;
}

absl::Status FileWatch::Check() const {
  struct stat now;
  const char* what = nullptr;
  if (stat(path_.c_str(), &now) != 0) {
    if (errno != ENOENT) return FileError("looking at", path_, errno);
    what = "was removed";
  } else if (now.st_dev != opened_.st_dev || now.st_ino != opened_.st_ino) {
    what = "was replaced by another file";
  } else if (now.st_size != opened_.st_size || !SameTime(now.st_mtim, opened_.st_mtim)) {
    what = "was changed";
  }
  if (what == nullptr) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("reading ", path_, ": the file ", what,
                   " while it was read; submit the job again when nobody writes to it"));
}

}  // namespace tilewright
