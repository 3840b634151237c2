// The folders of fetched models below one parent, kept until they need more room than they may.
// Thread-safe; several processes may share a parent.

#ifndef TILEWRIGHT_WORKER_LINK_MODEL_FOLDERS_H_
#define TILEWRIGHT_WORKER_LINK_MODEL_FOLDERS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace tilewright {

// Hexadecimal, 64 digits.
bool IsModelDigest(absl::string_view text);

class ModelFolders {
 public:
  // Models lie in `parent`/<digest>; folders whose names begin with a dot are being made. Nothing
  // else there is touched.
  ModelFolders(std::string parent, uint64_t bytes_max);

  std::string PathOf(const std::string& digest) const;
  // Of a name that is this process's own, for what is being made of that model.
  std::string PartialPathOf(const std::string& digest) const;
  std::vector<std::string> Digests() const;  // sorted

  // While a copy of the result lives, no process that keeps to this class removes the folder; it
  // counts as used from now on, and once more when the last copy goes. Null if there is no such
  // folder, or if the file system knows no locks: then Prune removes nothing either.
  std::shared_ptr<const void> Use(const std::string& digest) const;

  struct Pruned {
    std::vector<std::string> removed;  // digests, the least recently used first
    uint64_t bytes_removed = 0;
    uint64_t bytes_left = 0;  // more than may be, if the rest is in use
  };
  // Removes models that no process uses, the least recently used first, until the rest has no more
  // than bytes_max bytes; then what was being made and has not been touched for a day. What cannot
  // be removed stays.
  Pruned Prune() const;

  // Of all models.
  uint64_t Bytes() const;
  uint64_t bytes_max() const { return bytes_max_; }

 private:
  const std::string parent_;
  const uint64_t bytes_max_;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_LINK_MODEL_FOLDERS_H_
