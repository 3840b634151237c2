#include "client/src/files.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/base/status_macros.h"
#include "proto/wire/random_bytes.h"
#include "proto/wire/status_details.h"

namespace tilewright {
namespace {

std::string FolderOf(const std::string& path) {
  return std::filesystem::path(path).parent_path().string();
}

absl::Status FileError(int error, absl::string_view what) {
  const absl::Status status = absl::ErrnoToStatus(error, what);
  if (error == ENOSPC || error == EDQUOT) {
    return WithReason(absl::ResourceExhaustedError(status.message()), "DISK_FULL");
  }
  return status;
}

absl::Status OutputExists(const std::string& path) {
  return WithReason(
      absl::AlreadyExistsError(absl::StrCat(
          "output '", path, "' exists: choose another name, or ask to overwrite it (--overwrite)")),
      "OUTPUT_EXISTS");
}

absl::Status WriteAll(int fd, absl::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return FileError(errno, absl::StrCat("writing '", path, "'"));
    }
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

int OpenExclusively(const std::string& path) {
  return open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
}

}  // namespace

absl::StatusOr<std::string> AbsolutePath(absl::string_view path) {
  if (path.empty()) return absl::InvalidArgumentError("a path is empty");
  std::error_code error;
  const auto absolute = std::filesystem::absolute(std::string(path), error);
  if (error) {
    return absl::ErrnoToStatus(error.value(), absl::StrCat("making '", path, "' absolute"));
  }
  return absolute.lexically_normal().string();
}

absl::StatusOr<v1::FileFacts> InspectInput(const std::string& path) {
  struct stat facts;
  if (stat(path.c_str(), &facts) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) {
      return WithReason(
          absl::NotFoundError(absl::StrCat("input '", path, "': no such file; check the path")),
          "INPUT_MISSING");
    }
    return WithReason(absl::ErrnoToStatus(errno, absl::StrCat("input '", path, "'")),
                      "INPUT_NOT_READABLE");
  }
  if (!S_ISREG(facts.st_mode)) {
    return WithReason(absl::InvalidArgumentError(
                          absl::StrCat("input '", path, "' is not a file: name an image file")),
                      "INPUT_NOT_A_FILE");
  }
  if (access(path.c_str(), R_OK) != 0) {
    return WithReason(absl::ErrnoToStatus(errno, absl::StrCat("reading input '", path, "'")),
                      "INPUT_NOT_READABLE");
  }
  v1::FileFacts proto;
  proto.set_device(facts.st_dev);
  proto.set_inode(facts.st_ino);
  proto.set_size(static_cast<uint64_t>(facts.st_size));
  proto.set_mtime_ns(int64_t{facts.st_mtim.tv_sec} * 1'000'000'000 + facts.st_mtim.tv_nsec);
  return proto;
}

absl::Status CheckOutput(const std::string& path, bool overwrite, const v1::FileFacts& input) {
  struct stat facts;
  if (stat(path.c_str(), &facts) == 0) {
    if (!S_ISREG(facts.st_mode)) {
      return WithReason(absl::InvalidArgumentError(absl::StrCat(
                            "output '", path, "' is not a file: name a file to write")),
                        "OUTPUT_NOT_A_FILE");
    }
    if (facts.st_dev == input.device() && facts.st_ino == input.inode()) {
      return WithReason(absl::InvalidArgumentError(
                            absl::StrCat("output '", path, "' is the input: choose another name")),
                        "OUTPUT_IS_INPUT");
    }
    return overwrite ? absl::OkStatus() : OutputExists(path);
  }
  if (errno != ENOENT && errno != ENOTDIR) {
    return WithReason(absl::ErrnoToStatus(errno, absl::StrCat("output '", path, "'")),
                      "OUTPUT_NOT_WRITABLE");
  }
  if (path.back() == '/') {
    return WithReason(absl::InvalidArgumentError(
                          absl::StrCat("output '", path, "' is a folder: name a file to write")),
                      "OUTPUT_NOT_A_FILE");
  }
  const std::string folder = FolderOf(path);
  if (stat(folder.c_str(), &facts) != 0 || !S_ISDIR(facts.st_mode)) {
    return WithReason(absl::NotFoundError(absl::StrCat("output folder '", folder,
                                                       "' does not exist: make it first")),
                      "OUTPUT_FOLDER_MISSING");
  }
  return absl::OkStatus();
}

NonceFile::NonceFile(std::string path, std::string nonce)
    : path_(std::move(path)), nonce_(std::move(nonce)) {}

NonceFile::NonceFile(NonceFile&& other) noexcept
    : path_(std::exchange(other.path_, "")), nonce_(std::move(other.nonce_)) {}

NonceFile::~NonceFile() {
  if (!path_.empty()) unlink(path_.c_str());
}

absl::StatusOr<NonceFile> NonceFile::MakeBeside(const std::string& output) {
  const std::string folder = FolderOf(output);
  const std::string path =
      absl::StrCat(folder == "/" ? "" : folder, "/.tilewright-probe-", RandomHex(8));
  const int fd = OpenExclusively(path);
  if (fd < 0) {
    const absl::Status why = absl::ErrnoToStatus(errno, "");
    return WithReason(absl::PermissionDeniedError(absl::StrCat(
                          "output folder '", folder, "' cannot be written to", why.message())),
                      "OUTPUT_NOT_WRITABLE");
  }
  NonceFile file(path, RandomBytes(32));
  const absl::Status written = WriteAll(fd, file.nonce_, path);
  close(fd);
  TW_RETURN_IF_ERROR(written);
  return file;
}

PartialFile::PartialFile(std::string output, int fd, bool overwrite)
    : output_(std::move(output)),
      partial_(absl::StrCat(output_, ".partial")),
      fd_(fd),
      overwrite_(overwrite) {}

PartialFile::PartialFile(PartialFile&& other) noexcept
    : output_(std::move(other.output_)),
      partial_(std::exchange(other.partial_, "")),
      fd_(std::exchange(other.fd_, -1)),
      overwrite_(other.overwrite_) {}

PartialFile::~PartialFile() {
  if (fd_ >= 0) close(fd_);
  if (!partial_.empty()) unlink(partial_.c_str());
}

absl::StatusOr<PartialFile> PartialFile::Create(const std::string& output, bool overwrite) {
  const std::string partial = absl::StrCat(output, ".partial");
  if (overwrite) unlink(partial.c_str());
  const int fd = OpenExclusively(partial);
  if (fd < 0 && errno == EEXIST) {
    return WithReason(
        absl::AlreadyExistsError(absl::StrCat("'", partial,
                                              "' exists: another download writes it, or one was "
                                              "interrupted; remove it, or ask to overwrite")),
        "OUTPUT_PARTIAL_EXISTS");
  }
  if (fd < 0) return FileError(errno, absl::StrCat("creating '", partial, "'"));
  return PartialFile(output, fd, overwrite);
}

absl::Status PartialFile::Append(absl::string_view bytes) { return WriteAll(fd_, bytes, partial_); }

absl::Status PartialFile::Publish() {
  if (fsync(fd_) != 0) return FileError(errno, absl::StrCat("syncing '", partial_, "'"));
  if (close(std::exchange(fd_, -1)) != 0) {
    return FileError(errno, absl::StrCat("closing '", partial_, "'"));
  }
  const unsigned flags = overwrite_ ? 0 : RENAME_NOREPLACE;
  int failed = renameat2(AT_FDCWD, partial_.c_str(), AT_FDCWD, output_.c_str(), flags);
  if (failed != 0 && errno == EINVAL && !overwrite_) {
    // A file system without RENAME_NOREPLACE: look first.
    if (access(output_.c_str(), F_OK) == 0) return OutputExists(output_);
    failed = rename(partial_.c_str(), output_.c_str());
  }
  if (failed != 0 && errno == EEXIST) return OutputExists(output_);
  if (failed != 0) return FileError(errno, absl::StrCat("renaming '", partial_, "'"));
  partial_.clear();
  return absl::OkStatus();
}

}  // namespace tilewright
