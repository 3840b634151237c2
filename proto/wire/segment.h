// Memory that a worker and a coordinator on one machine share, so that big payloads need not pass
// through a socket: slots that a sender fills (slots.h) and a receiver copies out of. The data
// streams carry
// a small reference to each filled slot (v1::SegmentSlice), so order, credit and flow control stay
// theirs; a sender that finds no free slot sends the bytes inline, so nothing ever waits for one.
//
// The memory is a memfd: it has no name in any file system and is gone with the last process that
// maps it, however that one ends. Its size is sealed, so that no peer can cut it off under a
// reader. What a peer says of it is never believed: offsets and sizes are checked, bytes are copied
// before they are looked at.

#ifndef TILEWRIGHT_PROTO_WIRE_SEGMENT_H_
#define TILEWRIGHT_PROTO_WIRE_SEGMENT_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "tilewright/v1/tile.pb.h"
#include "tilewright/v1/worker_service.pb.h"

namespace tilewright {

// The feature of Hello and HelloReply.
inline constexpr absl::string_view kSegmentFeature = "SEGMENT";

inline constexpr int64_t kSlotBytes = 2 << 20;
// Slots for either direction at most: what is on its way between two processes, not what they hold.
inline constexpr int kSlotsMax = 16;
// Smaller pieces travel inline: several of them share a message, a slot they would waste.
inline constexpr int64_t kSlicedBytesMin = 64 << 10;

// What the slots of one half of a segment are filled with.
enum class SegmentHalf { kInputs, kResults };

// One process's mapping. Thread-safe.
class Segment {
 public:
  // Memory for a peer to open, of at most `bytes_max` (a worker's credit bytes). Only pages that
  // are written to take memory. RESOURCE_EXHAUSTED below one slot for each half, UNAVAILABLE if the
  // system gives none.
  static absl::StatusOr<std::shared_ptr<Segment>> Create(uint64_t bytes_max);
  // Maps what a peer offered. FAILED_PRECONDITION, with the reason, unless it is a sealed memfd of
  // this user with the offered size and nonce: then both processes see the same memory.
  static absl::StatusOr<std::shared_ptr<Segment>> Open(const v1::SegmentOffer& offer);
  ~Segment();
  Segment(const Segment&) = delete;
  Segment& operator=(const Segment&) = delete;

  // Of a created segment.
  const v1::SegmentOffer& offer() const { return offer_; }
  // The offer was answered: from now on nobody else can open it. Call it at most once.
  void CloseOffer();

  // The bytes of a slice that a peer sent: in the mapping, so they may change at any time; copy
  // them, Release, and only then look at the copy. INVALID_ARGUMENT if the slice is not within one
  // slot of that half; ABORTED if its sender has taken the slot back.
  absl::StatusOr<absl::Span<const std::byte>> View(SegmentHalf half,
                                                   const v1::SegmentSlice& slice) const;
  // Gives the slot back to its sender. ABORTED if it was taken back since View: what was copied is
  // worthless.
  absl::Status Release(SegmentHalf half, const v1::SegmentSlice& slice) const;

  // Pieces that found no free slot, seen from this end.
  uint64_t slot_misses() const { return slot_misses_; }
  void CountMiss() { ++slot_misses_; }

 private:
  friend class SlotWriter;
  friend class SlottedPayload;

  Segment(std::byte* base, uint64_t bytes, int fd) : base_(base), bytes_(bytes), fd_(fd) {}

  // Of the half that this end sends through: the first of `count` free slots in a row for the
  // caller alone, until Unclaim. Waits at most `patience` for an Unclaim if there are none.
  std::optional<int> Claim(SegmentHalf half, int count, absl::Duration patience)
      ABSL_LOCKS_EXCLUDED(mu_);
  // The slots are free again, at once if nothing was announced in them, else when that was read.
  void Unclaim(SegmentHalf half, int first, int count) ABSL_LOCKS_EXCLUDED(mu_);
  std::optional<int> FindFree(SegmentHalf half, int count) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::byte* BytesOf(SegmentHalf half, int slot) const { return base_ + OffsetOf(half, slot); }

  int slots() const;                                   // of either half
  uint64_t IndexOf(SegmentHalf half, int slot) const;  // among the slots of both halves
  uint64_t OffsetOf(SegmentHalf half, int slot) const;
  std::atomic_ref<uint64_t> WordOf(SegmentHalf half, int slot) const;
  // The slot that the slice names, or nothing.
  std::optional<int> SlotOf(SegmentHalf half, const v1::SegmentSlice& slice) const;

  std::byte* const base_;
  const uint64_t bytes_;
  int fd_;  // -1: not, or no longer, on offer
  v1::SegmentOffer offer_;
  std::atomic<uint64_t> slot_misses_ = 0;

  absl::Mutex mu_;
  absl::CondVar unclaimed_;
  // By index among the slots of both halves. What the word says is the reader's business, this the
  // sender's: a slot is free when it is not claimed and its word is 0.
  std::array<bool, 2 * kSlotsMax> claimed_ ABSL_GUARDED_BY(mu_) = {};
};

}  // namespace tilewright

#endif  // TILEWRIGHT_PROTO_WIRE_SEGMENT_H_
