#include "coordinator/image/deep_zoom.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "coordinator/image/durable_move.h"
#include "coordinator/image/file_error.h"
#include "proto/base/status_macros.h"

namespace tilewright {
namespace {

absl::Status RemoveFolder(const std::string& folder) {
  std::error_code error;
  std::filesystem::remove_all(folder, error);
  return error ? FileError("removing", folder, error.value()) : absl::OkStatus();
}

// One call for the many files of a pyramid.
absl::Status SyncFileSystemOf(const std::string& folder) {
  const int fd = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return FileError("opening folder", folder, errno);
  const absl::Cleanup close_fd = [fd] { close(fd); };
  return syncfs(fd) == 0 ? absl::OkStatus() : FileError("syncing the disk of", folder, errno);
}

}  // namespace

std::string DeepZoomTiles(const std::string& path) {
  return absl::StrCat(path.substr(0, path.rfind('.')), "_files");
}

absl::Status CheckDeepZoomFree(const std::string& path, bool overwrite) {
  const std::string tiles = DeepZoomTiles(path);
  struct stat facts;
  if (lstat(tiles.c_str(), &facts) != 0) return absl::OkStatus();
  if (!S_ISDIR(facts.st_mode)) {
    return absl::FailedPreconditionError(
        absl::StrCat("the tiles of ", path, " would lie in ", tiles,
                     ", which is no folder; choose another output"));
  }
  if (overwrite) return absl::OkStatus();
  return absl::AlreadyExistsError(absl::StrCat("the tiles of ", path, " would lie in ", tiles,
                                               ", which exists; use --overwrite to replace it"));
}

absl::Status PublishDeepZoom(const std::string& from, const std::string& path, bool overwrite) {
  const std::string made = absl::StrCat(from, "_files");
  const std::string tiles = DeepZoomTiles(path);
  TW_RETURN_IF_ERROR(SyncFileSystemOf(made));
  TW_RETURN_IF_ERROR(CheckDeepZoomFree(path, overwrite));
  // A folder is not replaced by a rename: the old one goes to `from`'s names first.
  const std::string old = absl::StrCat(from, "_old");
  if (Exists(tiles)) TW_RETURN_IF_ERROR(Move(tiles, old, /*overwrite=*/false));
  TW_RETURN_IF_ERROR(Move(made, tiles, /*overwrite=*/false));
  TW_RETURN_IF_ERROR(Move(absl::StrCat(from, ".dzi"), path, overwrite));
  TW_RETURN_IF_ERROR(SyncFolder(FolderOf(path)));
  return RemoveFolder(old);
}

void RemoveDeepZoom(const std::string& from) {
  unlink(absl::StrCat(from, ".dzi").c_str());
  // What cannot be removed is left over, and the next export says so.
  RemoveFolder(absl::StrCat(from, "_files")).IgnoreError();
}

}  // namespace tilewright
