#include "coordinator/jobs/state_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "proto/base/status_macros.h"
#include "proto/wire/random_bytes.h"

namespace tilewright {
namespace {

namespace fs = std::filesystem;

absl::Status FileError(absl::string_view what, const std::string& path) {
  const int error = errno;
  const std::string text = absl::StrCat(what, " '", path, "': ", strerror(error));
  if (error == ENOSPC || error == EDQUOT) return absl::ResourceExhaustedError(text);
  if (error == EACCES || error == EPERM || error == EROFS) return absl::PermissionDeniedError(text);
  return absl::UnavailableError(text);
}

absl::Status SyncFolder(const std::string& folder) {
  const int descriptor = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return FileError("opening", folder);
  const absl::Status status =
      fsync(descriptor) == 0 ? absl::OkStatus() : FileError("syncing", folder);
  close(descriptor);
  return status;
}

absl::Status WriteAll(int descriptor, const std::string& content, const std::string& path) {
  size_t done = 0;
  while (done < content.size()) {
    const ssize_t wrote = write(descriptor, content.data() + done, content.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return FileError("writing", path);
    done += static_cast<size_t>(wrote);
  }
  return fsync(descriptor) == 0 ? absl::OkStatus() : FileError("syncing", path);
}

absl::Status MakeEmptyFolder(const std::string& path) {
  std::error_code error;
  fs::remove_all(path, error);
  fs::create_directories(path, error);
  if (error) {
    return absl::PermissionDeniedError(
        absl::StrCat("making the folder '", path, "': ", error.message()));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status WriteFileDurably(const std::string& path, const std::string& content) {
  const std::string fresh = absl::StrCat(path, ".new");
  const int descriptor = open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (descriptor < 0) return FileError("creating", fresh);
  const absl::Status written = WriteAll(descriptor, content, fresh);
  close(descriptor);
  TW_RETURN_IF_ERROR(written);
  if (rename(fresh.c_str(), path.c_str()) != 0) return FileError("renaming", fresh);
  const std::string folder = fs::path(path).parent_path().string();
  return SyncFolder(folder.empty() ? "." : folder);
}

std::string RandomId() { return RandomHex(8); }

absl::StatusOr<std::unique_ptr<StateFolder>> StateFolder::Open(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) {
    return absl::PermissionDeniedError(absl::StrCat("making the state folder '", path,
                                                    "': ", error.message(),
                                                    "; give another with --state-dir"));
  }
  const std::string resolved = fs::canonical(path, error).string();
  const std::string lock_path = absl::StrCat(resolved, "/lock");
  const int lock = open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (lock < 0) return FileError("creating", lock_path);
  if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
    close(lock);
    return absl::FailedPreconditionError(
        absl::StrCat("another coordinator is running with the state folder '", resolved,
                     "': stop it, or give another with --state-dir"));
  }
  std::unique_ptr<StateFolder> folder(new StateFolder(resolved, lock));
  TW_RETURN_IF_ERROR(MakeEmptyFolder(folder->uploads()));
  TW_RETURN_IF_ERROR(MakeEmptyFolder(folder->downloads()));
  TW_RETURN_IF_ERROR(MakeEmptyFolder(folder->scratch()));
  fs::create_directories(folder->publishing(), error);
  if (error)
    return absl::PermissionDeniedError(
        absl::StrCat("making the folder '", folder->publishing(), "': ", error.message()));
  return folder;
}

StateFolder::~StateFolder() { close(lock_); }

absl::StatusOr<uint64_t> StateFolder::RaiseEpoch() {
  const std::string path = absl::StrCat(path_, "/epoch");
  uint64_t epoch = 0;
  std::ifstream file(path);
  if (file) {
    std::string text;
    std::getline(file, text);
    if (!absl::SimpleAtoi(absl::StripAsciiWhitespace(text), &epoch)) {
      return absl::DataLossError(
          absl::StrCat("'", path,
                       "' does not hold a number: restore it, or write one higher than any epoch "
                       "that workers may have seen"));
    }
  } else {
    std::error_code error;
    if (fs::exists(path, error) || error) {
      return absl::PermissionDeniedError(absl::StrCat("'", path, "' exists and cannot be read"));
    }
  }
  ++epoch;
  TW_RETURN_IF_ERROR(WriteFileDurably(path, absl::StrCat(epoch, "\n")));
  return epoch;
}

}  // namespace tilewright
