#include "coordinator/image/scratch_file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "coordinator/image/file_error.h"
#include "coordinator/image/file_io.h"
#include "proto/base/status_macros.h"

namespace tilewright {
namespace {

// Extents are multiples of it, so that parts of about the same length fit where others were.
constexpr int64_t kExtentBytes = 64 << 10;

int64_t ExtentOf(int64_t bytes) { return (bytes + kExtentBytes - 1) / kExtentBytes * kExtentBytes; }

}  // namespace

ScratchFile::~ScratchFile() {
  if (fd_ >= 0) close(fd_);
}

absl::Status ScratchFile::Error(const char* doing, int error_number) const {
  return FileError(absl::StrCat(doing, " the scratch file in"), folder_, error_number);
}

absl::Status ScratchFile::Open() {
  if (fd_ >= 0) return absl::OkStatus();
  fd_ = open(folder_.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd_ >= 0) return absl::OkStatus();
  if (errno != EOPNOTSUPP && errno != EISDIR) return Error("creating", errno);
  // A file system that has no files without names.
  std::string name = absl::StrCat(folder_, "/scratch-XXXXXX");
  fd_ = mkostemp(name.data(), O_CLOEXEC);
  if (fd_ < 0) return Error("creating", errno);
  unlink(name.c_str());
  return absl::OkStatus();
}

absl::StatusOr<Scratch::Slot> ScratchFile::Put(absl::Span<const std::byte> samples) {
  TW_RETURN_IF_ERROR(Open());
  const auto bytes = static_cast<int64_t>(samples.size());
  const int64_t extent = ExtentOf(bytes);
  const auto reused = free_.find(extent);
  const Slot slot{reused == free_.end() ? end_ : reused->second, bytes};
  const int error = WriteAll(fd_, samples, slot.offset);
  if (error != 0) return Error("writing", error);
  if (reused == free_.end()) {
    end_ += extent;
  } else {
    free_.erase(reused);
  }
  return slot;
}

absl::Status ScratchFile::Read(const Slot& slot, absl::Span<std::byte> samples) const {
  const int error = ReadAll(fd_, samples, slot.offset);
  if (error == 0) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat("reading the scratch file in ", folder_, " back: ", std::strerror(error)));
}

absl::Status ScratchFile::Take(const Slot& slot, absl::Span<std::byte> samples) {
  TW_RETURN_IF_ERROR(Read(slot, samples));
  Drop(slot);
  return absl::OkStatus();
}

void ScratchFile::Drop(const Slot& slot) { free_.emplace(ExtentOf(slot.bytes), slot.offset); }

}  // namespace tilewright
