// Which files a coordinator may touch. Immutable, so thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_JOBS_ROOTS_H_
#define TILEWRIGHT_COORDINATOR_JOBS_ROOTS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tilewright/v1/render_service.pb.h"

namespace tilewright {

class Roots {
 public:
  // Folders that may be touched with all below them; none: no file at all. INVALID_ARGUMENT for one
  // that is no folder.
  static absl::StatusOr<Roots> Create(const std::vector<std::string>& folders);

  // The path with every symbolic link resolved (of a file that does not exist yet: its folder's).
  // PERMISSION_DENIED (OUTSIDE_ROOT) if that lies under no root.
  absl::StatusOr<std::string> Resolve(const std::string& path) const;

 private:
  std::vector<std::string> folders_;  // resolved, without trailing slash; "" is /
};

// Facts of a file. NOT_FOUND (INPUT_NOT_FOUND), PERMISSION_DENIED, INVALID_ARGUMENT (no regular
// file): each names the path.
absl::StatusOr<v1::FileFacts> StatFile(const std::string& path);
bool SameFile(const v1::FileFacts& a, const v1::FileFacts& b);

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_JOBS_ROOTS_H_
