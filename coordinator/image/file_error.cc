#include "coordinator/image/file_error.h"

#include <cerrno>
#include <system_error>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"

namespace tilewright {
namespace {

// Marks the errors of IsNoRoom.
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
  if (error_number == ENOSPC || error_number == EDQUOT) {
    status.SetPayload(kNoRoomPayload, absl::Cord());
  }
  return status;
}

bool IsNoRoom(const absl::Status& status) { return status.GetPayload(kNoRoomPayload).has_value(); }

}  // namespace tilewright
