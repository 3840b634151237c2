#include "coordinator/image/scratch_file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include <xxhash.h>

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
  return FileError(absl::StrCat(doing, " the scratch file in"), where_, error_number);
}

absl::Status ScratchFile::Open() {
  if (fd_ >= 0) return absl::OkStatus();
  fd_ = open(where_.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd_ >= 0) return absl::OkStatus();
  if (errno != EOPNOTSUPP && errno != EISDIR) return Error("creating", errno);
  // A file system that has no files without names.
  std::string name = absl::StrCat(where_, "/scratch-XXXXXX");
  fd_ = mkostemp(name.data(), O_CLOEXEC);
  if (fd_ < 0) return Error("creating", errno);
  unlink(name.c_str());
  return absl::OkStatus();
}

absl::StatusOr<Scratch::Slot> ScratchFile::Put(absl::Span<const std::byte> samples) {
  const auto bytes = static_cast<int64_t>(samples.size());
  const int64_t extent = ExtentOf(bytes);
  Slot slot{0, bytes, XXH3_64bits(samples.data(), samples.size())};
  int fd = -1;
  {
    absl::MutexLock lock(&mu_);
    TW_RETURN_IF_ERROR(Open());
    fd = fd_;
    const auto reused = free_.find(extent);
    if (reused == free_.end()) {
      slot.offset = std::exchange(end_, end_ + extent);
    } else {
      slot.offset = reused->second;
      free_.erase(reused);
    }
  }
  const int error = WriteAll(fd, samples, slot.offset);
  if (error == 0) return slot;
  ScratchFile::Drop(slot);
  return Error("writing", error);
}

absl::Status ScratchFile::Read(const Slot& slot, absl::Span<std::byte> samples) const {
  const int error = ReadAll(fd(), samples, slot.offset);
  if (error == 0 && XXH3_64bits(samples.data(), samples.size()) == slot.checksum) {
    return absl::OkStatus();
  }
  return absl::DataLossError(absl::StrCat(
      "reading the scratch file in ", where_,
      " back: ", error == 0 ? "it holds other bytes than were put there" : std::strerror(error)));
}

absl::Status ScratchFile::Take(const Slot& slot, absl::Span<std::byte> samples) {
  TW_RETURN_IF_ERROR(Read(slot, samples));
  Drop(slot);
  return absl::OkStatus();
}

void ScratchFile::Drop(const Slot& slot) {
  absl::MutexLock lock(&mu_);
  free_.emplace(ExtentOf(slot.bytes), slot.offset);
}

int64_t ScratchFile::EndOf(const Slot& slot) { return slot.offset + ExtentOf(slot.bytes); }

int ScratchFile::fd() const {
  absl::MutexLock lock(&mu_);
  return fd_;
}

int64_t ScratchFile::file_bytes() const {
  absl::MutexLock lock(&mu_);
  return end_;
}

}  // namespace tilewright
