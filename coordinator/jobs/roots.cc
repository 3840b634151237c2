#include "coordinator/jobs/roots.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "proto/wire/status_details.h"

namespace tilewright {
namespace {

namespace fs = std::filesystem;

}  // namespace

absl::StatusOr<Roots> Roots::Create(const std::vector<std::string>& folders) {
  Roots roots;
  for (const std::string& folder : folders) {
    std::error_code error;
    const fs::path resolved = fs::canonical(folder, error);
    if (error || !fs::is_directory(resolved, error)) {
      return absl::InvalidArgumentError(
          absl::StrCat("--root '", folder, "' is not a folder on this machine"));
    }
    std::string text = resolved.string();
    if (text == "/") text.clear();
    roots.folders_.push_back(std::move(text));
  }
  return roots;
}

absl::StatusOr<std::string> Roots::Resolve(const std::string& path) const {
  std::error_code error;
  fs::path resolved = fs::weakly_canonical(path, error);
  if (error) resolved = fs::path(path).lexically_normal();
  const std::string text = resolved.string();
  const bool inside = std::any_of(folders_.begin(), folders_.end(), [&](const std::string& root) {
    return absl::StartsWith(text, absl::StrCat(root, "/"));
  });
  if (inside) return text;
  if (folders_.empty()) {
    return WithReason(
        absl::PermissionDeniedError(absl::StrCat(
            "'", path,
            "' cannot be used: this coordinator touches no files of its own machine "
            "(it was started without --root): upload the input and download the output")),
        "OUTSIDE_ROOT");
  }
  return WithReason(
      absl::PermissionDeniedError(absl::StrCat(
          "'", path, "' lies outside the folders that this coordinator may touch (",
          absl::StrJoin(folders_, ", "), "): use one of them, or start it with another --root")),
      "OUTSIDE_ROOT");
}

absl::StatusOr<v1::FileFacts> StatFile(const std::string& path) {
  struct stat facts;
  if (stat(path.c_str(), &facts) != 0) {
    const int error = errno;
    if (error == ENOENT || error == ENOTDIR) {
      return WithReason(
          absl::NotFoundError(absl::StrCat(
              "'", path, "': no such file on the coordinator's machine: check the path")),
          "INPUT_NOT_FOUND");
    }
    return WithReason(absl::PermissionDeniedError(absl::StrCat(
                          "'", path, "' cannot be read by the coordinator: ", strerror(error))),
                      "INPUT_NOT_READABLE");
  }
  if (!S_ISREG(facts.st_mode)) {
    return WithReason(absl::InvalidArgumentError(
                          absl::StrCat("'", path, "' is not a regular file: give an image file")),
                      "NOT_AN_IMAGE");
  }
  v1::FileFacts wire;
  wire.set_device(facts.st_dev);
  wire.set_inode(facts.st_ino);
  wire.set_size(static_cast<uint64_t>(facts.st_size));
  wire.set_mtime_ns(static_cast<int64_t>(facts.st_mtim.tv_sec) * 1'000'000'000 +
                    facts.st_mtim.tv_nsec);
  return wire;
}

bool SameFile(const v1::FileFacts& a, const v1::FileFacts& b) {
  return a.device() == b.device() && a.inode() == b.inode() && a.size() == b.size() &&
         a.mtime_ns() == b.mtime_ns();
}

}  // namespace tilewright
