// A scratch in a file without a name: it is gone with the process, however that ends. Space that
// was freed is used again. Thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_IMAGE_SCRATCH_FILE_H_
#define TILEWRIGHT_COORDINATOR_IMAGE_SCRATCH_FILE_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "coordinator/merge/scratch.h"

namespace tilewright {

class ScratchFile : public Scratch {
 public:
  // The file is created in `folder` when something is put there.
  explicit ScratchFile(std::string folder) : where_(std::move(folder)) {}
  ~ScratchFile() override;
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;

  // Errors as of FileError.
  absl::StatusOr<Slot> Put(absl::Span<const std::byte> samples) override;
  absl::Status Take(const Slot& slot, absl::Span<std::byte> samples) override;
  // As Take, and the slot stays. DATA_LOSS too if the samples are not those that were put there.
  absl::Status Read(const Slot& slot, absl::Span<std::byte> samples) const;
  void Drop(const Slot& slot) override;

  // Length of the file.
  int64_t file_bytes() const ABSL_LOCKS_EXCLUDED(mu_);

 protected:
  // On an open file, which it closes, whose first `end` bytes are in use; `path` names it in
  // errors.
  ScratchFile(std::string path, int fd, int64_t end)
      : where_(std::move(path)), fd_(fd), end_(end) {}

  int fd() const ABSL_LOCKS_EXCLUDED(mu_);
  // Where the extent of a slot ends.
  static int64_t EndOf(const Slot& slot);

 private:
  absl::Status Open() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status Error(const char* doing, int error_number) const;

  const std::string where_;  // its folder, or its path
  mutable absl::Mutex mu_;
  int fd_ ABSL_GUARDED_BY(mu_) = -1;
  int64_t end_ ABSL_GUARDED_BY(mu_) = 0;
  std::multimap<int64_t, int64_t> free_
      ABSL_GUARDED_BY(mu_);  // offsets of free extents by their length
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_IMAGE_SCRATCH_FILE_H_
