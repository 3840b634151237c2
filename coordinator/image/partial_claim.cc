#include "coordinator/image/partial_claim.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "coordinator/image/file_error.h"
#include "proto/base/status_macros.h"

namespace tilewright {

PartialClaim::~PartialClaim() {
  if (!leave_) unlink(path_.c_str());
  if (fd_ >= 0) close(fd_);
}

absl::StatusOr<std::optional<PartialClaim>> PartialClaim::TakeOver(const std::string& path) {
  const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0 && errno == ENOENT) return std::nullopt;
  if (fd < 0) return FileError("opening", path, errno);
  PartialClaim file(path, fd);
  file.Leave();
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    return absl::AlreadyExistsError(absl::StrCat(
        path, " is being written by another job; wait for it or choose another output"));
  }
  struct stat opened, named;
  if (fstat(fd, &opened) != 0 || lstat(path.c_str(), &named) != 0 ||
      opened.st_ino != named.st_ino || opened.st_dev != named.st_dev) {
    return std::nullopt;  // it went meanwhile
  }
  file.leave_ = false;
  return file;
}

absl::StatusOr<PartialClaim> PartialClaim::Create(const std::string& path, bool overwrite) {
  // What is taken over is removed at once.
  if (overwrite) TW_RETURN_IF_ERROR(TakeOver(path).status());
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd < 0 && errno == EEXIST) {
    return absl::AlreadyExistsError(
        absl::StrCat(path,
                     " exists: another job writes this output, or one that died left it; if no job "
                     "does, use --continue to go on from it or --overwrite to replace it"));
  }
  if (fd < 0) return FileError("creating", path, errno);
  PartialClaim file(path, fd);
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    const int why = errno;
    file.Leave();  // whoever was faster has it
    return FileError("locking", path, why);
  }
  return file;
}

}  // namespace tilewright
