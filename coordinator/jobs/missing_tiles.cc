#include "coordinator/jobs/missing_tiles.h"

#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "coordinator/image/file_error.h"
#include "proto/base/status_macros.h"

namespace tilewright {

std::string MissingTilesPathOf(const std::string& partial_output) {
  return absl::StrCat(partial_output, ".missing.json");
}

absl::StatusOr<MissingTilesFile> MissingTilesFile::Create(const std::string& path,
                                                          const std::string& job, int64_t tiles) {
  std::unique_ptr<std::FILE, Close> file(std::fopen(path.c_str(), "we"));
  if (file == nullptr) return FileError("creating", path, errno);
  MissingTilesFile list(path, std::move(file));
  TW_RETURN_IF_ERROR(
      list.Write(absl::StrCat("{\"job\":\"", job, "\",\"tiles\":", tiles, ",\"missing\":[")));
  return list;
}

absl::Status MissingTilesFile::Write(const std::string& text) {
  if (std::fwrite(text.data(), 1, text.size(), file_.get()) == text.size()) {
    return absl::OkStatus();
  }
  return FileError("writing", path_, errno);
}

absl::Status MissingTilesFile::Add(int64_t tile, const Rect& rect) {
  return Write(absl::StrCat(count_++ == 0 ? "\n" : ",\n", "{\"tile\":", tile, ",\"x\":", rect.x,
                            ",\"y\":", rect.y, ",\"width\":", rect.width,
                            ",\"height\":", rect.height, "}"));
}

absl::Status MissingTilesFile::Finish() {
  TW_RETURN_IF_ERROR(Write(absl::StrCat("],\"missing_count\":", count_, "}\n")));
  if (std::fflush(file_.get()) != 0 || fsync(fileno(file_.get())) != 0) {
    return FileError("writing", path_, errno);
  }
  return absl::OkStatus();
}

}  // namespace tilewright
