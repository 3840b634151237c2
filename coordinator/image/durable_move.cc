#include "coordinator/image/durable_move.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "coordinator/image/file_error.h"

namespace tilewright {

bool Exists(const std::string& path) {
  struct stat file;
  return lstat(path.c_str(), &file) == 0;
}

std::string FolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

absl::Status SyncFolder(const std::string& folder) {
  const int fd = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return FileError("opening folder", folder, errno);
  const int failed = fsync(fd);
  const int why = errno;
  close(fd);
  // Some file systems cannot sync a folder, and need not.
  if (failed != 0 && why != EINVAL) return FileError("syncing folder", folder, why);
  return absl::OkStatus();
}

absl::Status SyncFile(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return FileError("opening", path, errno);
  const int failed = fsync(fd);
  const int why = errno;
  close(fd);
  return failed == 0 ? absl::OkStatus() : FileError("syncing", path, why);
}

absl::Status Move(const std::string& from, const std::string& to, bool overwrite) {
  if (!overwrite) {
    if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) {
      return absl::OkStatus();
    }
    if (errno == EEXIST) {
      return absl::AlreadyExistsError(absl::StrCat(
          "output ", to,
          " was created by someone else in the meantime; use --overwrite to replace it"));
    }
    if (errno != EINVAL && errno != ENOSYS) return FileError("renaming to", to, errno);
    // This file system cannot refuse by itself.
    if (Exists(to)) {
      return absl::AlreadyExistsError(absl::StrCat(
          "output ", to,
          " was created by someone else in the meantime; use --overwrite to replace it"));
    }
  }
  if (rename(from.c_str(), to.c_str()) != 0) return FileError("renaming to", to, errno);
  return absl::OkStatus();
}

}  // namespace tilewright
