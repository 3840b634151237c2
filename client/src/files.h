// The client's side of inputs and outputs: checks before anything is sent, nonce files, and files
// published by rename. Functions are thread-safe; classes are thread-compatible.

#ifndef TILEWRIGHT_CLIENT_SRC_FILES_H_
#define TILEWRIGHT_CLIENT_SRC_FILES_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tilewright/v1/render_service.pb.h"

namespace tilewright {

// The path from the root, without "." and "..", symbolic links kept. INVALID_ARGUMENT if empty.
absl::StatusOr<std::string> AbsolutePath(absl::string_view path);

// The file that an input names, as this machine sees it. NOT_FOUND (INPUT_MISSING),
// PERMISSION_DENIED (INPUT_NOT_READABLE), INVALID_ARGUMENT (INPUT_NOT_A_FILE).
absl::StatusOr<v1::FileFacts> InspectInput(const std::string& path);

// OK if an output may be made there: ALREADY_EXISTS (OUTPUT_EXISTS) without `overwrite`,
// INVALID_ARGUMENT (OUTPUT_NOT_A_FILE, OUTPUT_IS_INPUT), NOT_FOUND (OUTPUT_FOLDER_MISSING).
absl::Status CheckOutput(const std::string& path, bool overwrite, const v1::FileFacts& input);

// A file with random content beside an output, removed with the object. A coordinator that reads it
// back writes to the same folder.
class NonceFile {
 public:
  // PERMISSION_DENIED (OUTPUT_NOT_WRITABLE) if the folder takes no file.
  static absl::StatusOr<NonceFile> MakeBeside(const std::string& output);
  NonceFile(NonceFile&& other) noexcept;
  NonceFile& operator=(NonceFile&&) = delete;
  ~NonceFile();

  const std::string& path() const { return path_; }
  const std::string& nonce() const { return nonce_; }

 private:
  NonceFile(std::string path, std::string nonce);

  std::string path_;  // empty: moved from
  std::string nonce_;
};

// `<output>.partial`, written from start to end and published by rename; removed if it is not
// published.
class PartialFile {
 public:
  // Creates it exclusively; one that is left over is replaced with `overwrite`, else ALREADY_EXISTS
  // (OUTPUT_PARTIAL_EXISTS).
  static absl::StatusOr<PartialFile> Create(const std::string& output, bool overwrite);
  PartialFile(PartialFile&& other) noexcept;
  PartialFile& operator=(PartialFile&&) = delete;
  ~PartialFile();

  // RESOURCE_EXHAUSTED (DISK_FULL) if there is no room.
  absl::Status Append(absl::string_view bytes);

  // Syncs and renames. Without `overwrite` an output that appeared meanwhile stays and is
  // ALREADY_EXISTS.
  absl::Status Publish();

 private:
  PartialFile(std::string output, int fd, bool overwrite);

  std::string output_;
  std::string partial_;
  int fd_ = -1;
  bool overwrite_ = false;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_CLIENT_SRC_FILES_H_
