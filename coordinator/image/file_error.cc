#include "coordinator/image/file_error.h"

#include <sys/statvfs.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"

namespace tilewright {
namespace {

// Marks the errors of IsNoRoom: the path that they are about.
constexpr char kNoRoomPayload[] = "tilewright/no-room";

struct Meaning {
  absl::StatusCode code;
  const char* advice;  // "" or what to do
};

Meaning MeaningOf(int error_number) {
  switch (error_number) {
    case ENOENT:
    case ENOTDIR:
      return {absl::StatusCode::kNotFound, ""};
    case EACCES:
    case EPERM:
    case EROFS:
      return {absl::StatusCode::kPermissionDenied,
              "; check the permissions of the file and its folder"};
    case ENOSPC:
    case EDQUOT:
      return {absl::StatusCode::kResourceExhausted, "; make room there or choose another output"};
    case EFBIG:
      return {absl::StatusCode::kResourceExhausted,
              "; raise the file size limit or choose another file system"};
    case EMFILE:
    case ENFILE:
      return {absl::StatusCode::kResourceExhausted, "; raise the limit of open files"};
    case EEXIST:
      return {absl::StatusCode::kAlreadyExists, ""};
    case EISDIR:
    case ENAMETOOLONG:
    case EINVAL:
    case ELOOP:
      return {absl::StatusCode::kInvalidArgument, "; choose another path"};
    default:
      return {absl::StatusCode::kUnavailable, ""};
  }
}

}  // namespace

absl::Status FileError(absl::string_view doing, const std::string& path, int error_number) {
  const Meaning meaning = MeaningOf(error_number);
  absl::Status status(meaning.code,
                      absl::StrCat(doing, " ", path, ": ",
                                   std::generic_category().message(error_number), meaning.advice));
  if (error_number == ENOSPC || error_number == EDQUOT || error_number == EFBIG) {
    status.SetPayload(kNoRoomPayload, absl::Cord(path));
  }
  return status;
}

bool IsNoRoom(const absl::Status& status) { return status.GetPayload(kNoRoomPayload).has_value(); }

absl::Status NotForRoom(const absl::Status& status) {
  absl::Status lost = status;
  lost.ErasePayload(kNoRoomPayload);
  return lost;
}

std::optional<uint64_t> FreeBytes(const std::string& path) {
  struct statvfs disk;
  if (statvfs(path.c_str(), &disk) != 0) return std::nullopt;
  return uint64_t{disk.f_bavail} * disk.f_frsize;
}

absl::Status WithFreeBytes(const absl::Status& error) {
  const auto payload = error.GetPayload(kNoRoomPayload);
  if (!payload.has_value()) return error;
  const std::string path(*payload);
  std::optional<uint64_t> free_bytes = FreeBytes(path);
  // A file that could not be made.
  if (!free_bytes) free_bytes = FreeBytes(std::filesystem::path(path).parent_path().string());
  if (!free_bytes) return error;
  absl::Status said(error.code(),
                    absl::StrCat(error.message(), "; ", *free_bytes, " bytes are free there"));
  error.ForEachPayload(
      [&said](absl::string_view url, const absl::Cord& content) { said.SetPayload(url, content); });
  return said;
}

}  // namespace tilewright
