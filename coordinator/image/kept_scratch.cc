#include "coordinator/image/kept_scratch.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "coordinator/image/file_error.h"
#include "proto/base/status_macros.h"

namespace tilewright {
namespace {

// Gives the space between the slots back, where the file system can; `slots` are in order.
void PunchGaps(int fd, const std::vector<Scratch::Slot>& slots,
               int64_t (*end_of)(const Scratch::Slot&)) {
  int64_t end = 0;
  for (const Scratch::Slot& slot : slots) {
    if (slot.offset > end &&
        fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, end, slot.offset - end) != 0) {
      return;
    }
    end = end_of(slot);
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<KeptScratch>> KeptScratch::Create(const std::string& path) {
  // Never write through a link that somebody left there.
  if (unlink(path.c_str()) != 0 && errno != ENOENT) return FileError("replacing", path, errno);
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return FileError("creating", path, errno);
  return std::unique_ptr<KeptScratch>(new KeptScratch(path, fd, 0));
}

absl::StatusOr<std::unique_ptr<KeptScratch>> KeptScratch::Reopen(const std::string& path,
                                                                 const std::vector<Slot>& slots,
                                                                 const Interrupt* interrupt) {
  const int fd = open(path.c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return FileError("opening", path, errno);
  std::vector<Slot> in_order = slots;
  std::sort(in_order.begin(), in_order.end(),
            [](const Slot& a, const Slot& b) { return a.offset < b.offset; });
  int64_t end = 0;
  for (const Slot& slot : in_order) end = std::max(end, EndOf(slot));
  std::unique_ptr<KeptScratch> scratch(new KeptScratch(path, fd, end));
  std::vector<std::byte> samples;
  for (const Slot& slot : in_order) {
    TW_RETURN_IF_ERROR(CheckInterrupt(interrupt));
    samples.resize(static_cast<size_t>(slot.bytes));
    TW_RETURN_IF_ERROR(scratch->Read(slot, absl::MakeSpan(samples)));
  }
  PunchGaps(fd, in_order, &EndOf);
  return scratch;
}

absl::StatusOr<Scratch::Slot> KeptScratch::Put(absl::Span<const std::byte> samples) {
  TW_ASSIGN_OR_RETURN(const Slot slot, ScratchFile::Put(samples));
  absl::MutexLock lock(&slots_mu_);
  fresh_.insert(slot.offset);
  return slot;
}

void KeptScratch::Drop(const Slot& slot) {
  {
    absl::MutexLock lock(&slots_mu_);
    if (fresh_.erase(slot.offset) == 0) {
      dropped_.push_back(slot);
      return;
    }
  }
  ScratchFile::Drop(slot);
}

void KeptScratch::BeginCheckpoint() {
  absl::MutexLock lock(&slots_mu_);
  fresh_.clear();
  retiring_.insert(retiring_.end(), dropped_.begin(), dropped_.end());
  dropped_.clear();
}

absl::Status KeptScratch::Sync() const {
  return fdatasync(fd()) == 0 ? absl::OkStatus() : FileError("syncing", path_, errno);
}

void KeptScratch::EndCheckpoint() {
  std::vector<Slot> free;
  {
    absl::MutexLock lock(&slots_mu_);
    free.swap(retiring_);
  }
  for (const Slot& slot : free) ScratchFile::Drop(slot);
}

}  // namespace tilewright
