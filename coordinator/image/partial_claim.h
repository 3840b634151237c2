// The claim of one job on `<output>.partial`: whoever holds it has created the file or taken it
// over from a dead job, and holds its lock, which goes with the process. Not thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_IMAGE_PARTIAL_CLAIM_H_
#define TILEWRIGHT_COORDINATOR_IMAGE_PARTIAL_CLAIM_H_

#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace tilewright {

class PartialClaim {
 public:
  static std::string PathFor(const std::string& output) { return output + ".partial"; }

  // Creates it, empty. ALREADY_EXISTS if it is there and belongs to a living job, or, without
  // `overwrite`, to a dead one; errors as of FileError: each names the path and says what to do.
  static absl::StatusOr<PartialClaim> Create(const std::string& path, bool overwrite);
  // The one that a dead job left, with what it holds; nullopt if there is none. ALREADY_EXISTS if a
  // living job writes it.
  static absl::StatusOr<std::optional<PartialClaim>> TakeOver(const std::string& path);

  PartialClaim(PartialClaim&& other) noexcept
      : path_(std::move(other.path_)),
        fd_(std::exchange(other.fd_, -1)),
        leave_(std::exchange(other.leave_, true)) {}
  PartialClaim& operator=(PartialClaim&&) = delete;
  // Removes the file, unless told to leave it.
  ~PartialClaim();

  const std::string& path() const { return path_; }
  int fd() const { return fd_; }
  // The path is another file's now, or the file is for others to find.
  void Leave() { leave_ = true; }
  // What was taken over goes with the claim again.
  void Own() { leave_ = false; }
  bool left() const { return leave_; }

 private:
  PartialClaim(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}

  std::string path_;
  int fd_;  // open for reading and writing, locked
  bool leave_ = false;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_IMAGE_PARTIAL_CLAIM_H_
