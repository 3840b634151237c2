// The list of tiles that are missing in what a job left, as a file of JSON: {"job", "tiles" (all of
// them), "missing": [{"tile", "x", "y", "width", "height"}], "missing_count"}, one missing tile a
// line, so that it can be read and written piece by piece however long it is. Not thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_JOBS_MISSING_TILES_H_
#define TILEWRIGHT_COORDINATOR_JOBS_MISSING_TILES_H_

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/geometry/rect.h"

namespace tilewright {

// Where the list lies that belongs to a partial output.
std::string MissingTilesPathOf(const std::string& partial_output);

class MissingTilesFile {
 public:
  // Creates or replaces the file. Errors, here and below, as of FileError.
  static absl::StatusOr<MissingTilesFile> Create(const std::string& path, const std::string& job,
                                                 int64_t tiles);

  // `rect`: the pixels of the file that the tile would have contributed to.
  absl::Status Add(int64_t tile, const Rect& rect);
  // After the last one. The file is on the disk when it is OK.
  absl::Status Finish();
  int64_t count() const { return count_; }

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };

  MissingTilesFile(std::string path, std::unique_ptr<std::FILE, Close> file)
      : path_(std::move(path)), file_(std::move(file)) {}
  absl::Status Write(const std::string& text);

  std::string path_;
  std::unique_ptr<std::FILE, Close> file_;
  int64_t count_ = 0;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_JOBS_MISSING_TILES_H_
