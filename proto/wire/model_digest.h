// The digest that names a model's contents: SHA-256 over its files in the order of their names. The
// coordinator computes it from its repository, a worker from what it fetched. A ModelDigest belongs
// to one thread at a time.

#ifndef TILEWRIGHT_PROTO_WIRE_MODEL_DIGEST_H_
#define TILEWRIGHT_PROTO_WIRE_MODEL_DIGEST_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace tilewright {

// Whether a name may be a file of a model: 1 to 128 of [A-Za-z0-9._-], no leading dot. So a name
// never leaves the folder that it is written into.
bool IsModelFileName(absl::string_view name);

// What is digested of each file: its name, a zero byte, its size as 8 little-endian bytes, its
// contents. Files come in the order of their names (bytewise).
class ModelDigest {
 public:
  ModelDigest();
  ~ModelDigest();
  ModelDigest(const ModelDigest&) = delete;
  ModelDigest& operator=(const ModelDigest&) = delete;

  void BeginFile(absl::string_view name, uint64_t bytes);
  void Add(absl::string_view data);
  // A whole file at once.
  void AddFile(absl::string_view name, absl::string_view contents);
  // 64 hexadecimal digits. Call it once, last.
  std::string Finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The regular files directly in `folder` whose names are IsModelFileName, in the order of their
// names. NOT_FOUND if the folder cannot be read.
absl::StatusOr<std::vector<std::string>> ListModelFiles(const std::string& folder);

// The digest of those files. Any file that cannot be read is an error.
absl::StatusOr<std::string> DigestModelFolder(const std::string& folder);

}  // namespace tilewright

#endif  // TILEWRIGHT_PROTO_WIRE_MODEL_DIGEST_H_
