// Names of numbered files: "shot_%04d.png". Pure, but for FindFrames; thread-safe.

#ifndef TILEWRIGHT_CLIENT_SRC_FRAME_PATTERN_H_
#define TILEWRIGHT_CLIENT_SRC_FRAME_PATTERN_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace tilewright {

class FramePattern {
 public:
  // The number stands for "%d" or "%0Nd" (N digits at least, 1 to 18); "%%" is a percent sign.
  // INVALID_ARGUMENT for any other "%", and for more than one number.
  static absl::StatusOr<FramePattern> Parse(absl::string_view text);

  // False: the same name for every frame.
  bool numbered() const { return digits_ >= 0; }
  std::string NameOf(uint64_t number) const;
  // The number of the file that is called so; false if no NameOf gives that.
  bool Match(absl::string_view name, uint64_t* number) const;

 private:
  std::string before_;
  std::string after_;
  int digits_ = -1;  // least digits of the number, 0: as many as it has; -1: there is none
};

// Numbers of the files of that pattern, ascending; the number must stand in the last part of the
// path. NOT_FOUND (INPUT_MISSING) if there is none, RESOURCE_EXHAUSTED above `count_max`.
absl::StatusOr<std::vector<uint64_t>> FindFrames(const std::string& pattern, size_t count_max);

}  // namespace tilewright

#endif  // TILEWRIGHT_CLIENT_SRC_FRAME_PATTERN_H_
