// A scratch in a file without a name: it is gone with the process, however that ends. Space that
// was freed is used again. Not thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_IMAGE_SCRATCH_FILE_H_
#define TILEWRIGHT_COORDINATOR_IMAGE_SCRATCH_FILE_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "coordinator/merge/scratch.h"

namespace tilewright {

class ScratchFile : public Scratch {
 public:
  // The file is created in `folder` when something is put there.
  explicit ScratchFile(std::string folder) : folder_(std::move(folder)) {}
  ~ScratchFile() override;
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;

  // Errors as of FileError.
  absl::StatusOr<Slot> Put(absl::Span<const std::byte> samples) override;
  absl::Status Take(const Slot& slot, absl::Span<std::byte> samples) override;
  // As Take, and the slot stays.
  absl::Status Read(const Slot& slot, absl::Span<std::byte> samples) const;
  void Drop(const Slot& slot) override;

  // Length of the file.
  int64_t file_bytes() const { return end_; }

 private:
  absl::Status Open();
  absl::Status Error(const char* doing, int error_number) const;

  const std::string folder_;
  int fd_ = -1;
  int64_t end_ = 0;
  std::multimap<int64_t, int64_t> free_;  // offsets of free extents by their length
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_IMAGE_SCRATCH_FILE_H_
