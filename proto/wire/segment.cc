#include "proto/wire/segment.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "proto/base/status_macros.h"
#include "proto/wire/random_bytes.h"

namespace tilewright {
namespace {

constexpr uint64_t kHeadBytes = 4096;
constexpr absl::string_view kMagic("TWSEG\0\0\1", 8);
constexpr size_t kNonceBytes = 16;
constexpr uint64_t kWordsOffset = 1024;
constexpr uint64_t kWordStride = 64;  // a cache line each
static_assert(kWordsOffset + 2 * kSlotsMax * kWordStride <= kHeadBytes);
static_assert(std::atomic_ref<uint64_t>::is_always_lock_free);

constexpr char kMemfdName[] = "tilewright-segment";
constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

// A file descriptor that is closed unless it is released.
class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() {
    if (fd_ >= 0) close(fd_);
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

absl::Status Unavailable(absl::string_view call) {
  return absl::UnavailableError(absl::StrCat(call, ": ", std::strerror(errno)));
}

absl::Status Unfit(absl::string_view why) { return absl::FailedPreconditionError(why); }

absl::Status TakenBack() {
  return absl::AbortedError("a slot of shared memory was taken back by its sender");
}

bool IsNumber(absl::string_view text) {
  return !text.empty() && text.size() <= 10 &&
         std::all_of(text.begin(), text.end(), [](char c) { return absl::ascii_isdigit(c); });
}

absl::StatusOr<std::byte*> Map(int fd, uint64_t bytes) {
  void* base = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (base == MAP_FAILED) return Unavailable("mmap");
  return static_cast<std::byte*>(base);
}

// Whatever else the descriptor of a process may be, it is not opened: that could have effects.
absl::StatusOr<int> OpenMemfd(const std::string& name) {
  const std::vector<std::string> parts = absl::StrSplit(name, '/');
  if (parts.size() != 2 || !IsNumber(parts[0]) || !IsNumber(parts[1])) {
    return Unfit("its name is not PID/FD");
  }
  const std::string path = absl::StrCat("/proc/", parts[0], "/fd/", parts[1]);
  char target[64] = {};
  const ssize_t length = readlink(path.c_str(), target, sizeof(target) - 1);
  if (length < 0) return Unfit(absl::StrCat("readlink ", path, ": ", std::strerror(errno)));
  if (absl::string_view(target) != absl::StrCat("/memfd:", kMemfdName, " (deleted)")) {
    return Unfit(absl::StrCat(path, " is no such memory"));
  }
  const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) return Unfit(absl::StrCat("open ", path, ": ", std::strerror(errno)));
  return fd;
}

absl::Status CheckMemfd(int fd, uint64_t bytes) {
  struct stat status;
  struct statfs system;
  if (fstat(fd, &status) != 0 || fstatfs(fd, &system) != 0) return Unavailable("fstat");
  if (status.st_uid != geteuid()) {
    return Unfit(absl::StrCat("it belongs to user ", status.st_uid, ", not ", geteuid()));
  }
  // Pages of other systems (huge ones) may be missing when they are touched.
  if (system.f_type != TMPFS_MAGIC) return Unfit("it is no ordinary memory");
  const int seals = fcntl(fd, F_GET_SEALS);
  if (seals < 0 || (seals & kSeals) != kSeals) return Unfit("its size is not sealed");
  const uint64_t pair = 2 * static_cast<uint64_t>(kSlotBytes);
  if (static_cast<uint64_t>(status.st_size) != bytes || bytes < kHeadBytes + pair ||
      (bytes - kHeadBytes) % pair != 0 || (bytes - kHeadBytes) / pair > kSlotsMax) {
    return Unfit(absl::StrCat("it has ", status.st_size, " bytes, ", bytes, " were offered, 1 to ",
                              kSlotsMax, " slots of ", kSlotBytes, " bytes each way are taken"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::shared_ptr<Segment>> Segment::Create(uint64_t bytes_max) {
  const uint64_t pair = 2 * static_cast<uint64_t>(kSlotBytes);
  if (bytes_max < kHeadBytes + pair) {
    return absl::ResourceExhaustedError(
        absl::StrCat("shared memory needs ", kHeadBytes + pair, " bytes of credit"));
  }
  const uint64_t bytes =
      kHeadBytes + pair * std::min<uint64_t>(kSlotsMax, (bytes_max - kHeadBytes) / pair);
  Fd fd(memfd_create(kMemfdName, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (fd.get() < 0) return Unavailable("memfd_create");
  if (ftruncate(fd.get(), static_cast<off_t>(bytes)) != 0) return Unavailable("ftruncate");
  if (fcntl(fd.get(), F_ADD_SEALS, kSeals) != 0) return Unavailable("sealing a memfd");
  TW_ASSIGN_OR_RETURN(std::byte* const base, Map(fd.get(), bytes));
  char nonce[kNonceBytes];
  FillRandom(nonce, sizeof(nonce));
  std::memcpy(base, kMagic.data(), kMagic.size());
  std::memcpy(base + kMagic.size(), nonce, sizeof(nonce));
  std::shared_ptr<Segment> segment(new Segment(base, bytes, fd.release()));
  segment->offer_.set_name(absl::StrCat(getpid(), "/", segment->fd_));
  segment->offer_.set_nonce(std::string(nonce, sizeof(nonce)));
  segment->offer_.set_bytes(bytes);
  return segment;
}

absl::StatusOr<std::shared_ptr<Segment>> Segment::Open(const v1::SegmentOffer& offer) {
  TW_ASSIGN_OR_RETURN(const int opened, OpenMemfd(offer.name()));
  const Fd fd(opened);
  TW_RETURN_IF_ERROR(CheckMemfd(fd.get(), offer.bytes()));
  TW_ASSIGN_OR_RETURN(std::byte* const base, Map(fd.get(), offer.bytes()));
  std::shared_ptr<Segment> segment(new Segment(base, offer.bytes(), -1));
  if (offer.nonce().size() != kNonceBytes || std::memcmp(base, kMagic.data(), kMagic.size()) != 0 ||
      std::memcmp(base + kMagic.size(), offer.nonce().data(), kNonceBytes) != 0) {
    return Unfit("it does not hold the offered nonce");
  }
  return segment;
}

Segment::~Segment() {
  munmap(base_, bytes_);
  if (fd_ >= 0) close(fd_);
}

void Segment::CloseOffer() { close(std::exchange(fd_, -1)); }

int Segment::slots() const { return static_cast<int>((bytes_ - kHeadBytes) / (2 * kSlotBytes)); }

uint64_t Segment::IndexOf(SegmentHalf half, int slot) const {
  return static_cast<uint64_t>(half == SegmentHalf::kInputs ? slot : slots() + slot);
}

uint64_t Segment::OffsetOf(SegmentHalf half, int slot) const {
  return kHeadBytes + IndexOf(half, slot) * static_cast<uint64_t>(kSlotBytes);
}

std::atomic_ref<uint64_t> Segment::WordOf(SegmentHalf half, int slot) const {
  std::byte* word = base_ + kWordsOffset + IndexOf(half, slot) * kWordStride;
  return std::atomic_ref<uint64_t>(*reinterpret_cast<uint64_t*>(word));
}

std::optional<int> Segment::SlotOf(SegmentHalf half, const v1::SegmentSlice& slice) const {
  const uint64_t first = OffsetOf(half, 0);
  const uint64_t slot_bytes = kSlotBytes;
  if (slice.offset() < first || (slice.offset() - first) % slot_bytes != 0) return std::nullopt;
  const uint64_t slot = (slice.offset() - first) / slot_bytes;
  if (slot >= static_cast<uint64_t>(slots())) return std::nullopt;
  if (slice.bytes() == 0 || slice.bytes() > slot_bytes || slice.ticket() == 0) return std::nullopt;
  return static_cast<int>(slot);
}

absl::StatusOr<absl::Span<const std::byte>> Segment::View(SegmentHalf half,
                                                          const v1::SegmentSlice& slice) const {
  const std::optional<int> slot = SlotOf(half, slice);
  if (!slot) {
    return absl::InvalidArgumentError(
        absl::StrCat("no slot of shared memory has ", slice.bytes(), " bytes at ", slice.offset()));
  }
  if (WordOf(half, *slot).load(std::memory_order_acquire) != slice.ticket()) return TakenBack();
  return absl::MakeConstSpan(base_ + slice.offset(), slice.bytes());
}

absl::Status Segment::Release(SegmentHalf half, const v1::SegmentSlice& slice) const {
  const std::optional<int> slot = SlotOf(half, slice);
  uint64_t ticket = slice.ticket();
  if (!slot || !WordOf(half, *slot).compare_exchange_strong(ticket, 0, std::memory_order_acq_rel)) {
    return TakenBack();
  }
  return absl::OkStatus();
}

std::optional<int> Segment::FindFree(SegmentHalf half, int count) const {
  // The lowest: pages that were used last are in the caches.
  int in_a_row = 0;
  for (int slot = 0; slot < slots(); ++slot) {
    // What the reader did before it gave the slot back is over: its Release releases.
    const bool free =
        !claimed_[IndexOf(half, slot)] && WordOf(half, slot).load(std::memory_order_acquire) == 0;
    in_a_row = free ? in_a_row + 1 : 0;
    if (in_a_row == count) return slot + 1 - count;
  }
  return std::nullopt;
}

std::optional<int> Segment::Claim(SegmentHalf half, int count, absl::Duration patience) {
  const absl::Time deadline = absl::Now() + patience;
  absl::MutexLock lock(&mu_);
  std::optional<int> first = FindFree(half, count);
  while (!first && patience > absl::ZeroDuration()) {
    const bool late = unclaimed_.WaitWithDeadline(&mu_, deadline);
    first = FindFree(half, count);
    if (late) break;
  }
  for (int i = 0; first && i < count; ++i) claimed_[IndexOf(half, *first + i)] = true;
  return first;
}

void Segment::Unclaim(SegmentHalf half, int first, int count) {
  absl::MutexLock lock(&mu_);
  for (int i = 0; i < count; ++i) claimed_[IndexOf(half, first + i)] = false;
  unclaimed_.Signal();
}

}  // namespace tilewright
