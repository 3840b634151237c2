// The sender's side of a segment: payloads in its slots, and their announcement on a stream.

#ifndef TILEWRIGHT_PROTO_WIRE_SLOTS_H_
#define TILEWRIGHT_PROTO_WIRE_SLOTS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "proto/wire/segment.h"
#include "tilewright/v1/tile.pb.h"

namespace tilewright {

// A payload that lies in slots, in a row, for as long as this exists, so that it can be announced
// on one stream after the other without a copy. Its maker fills it before anybody else has it; from
// then on it is immutable and thread-safe, but a peer that misbehaves can change the bytes at any
// time: nothing of this process may be endangered by what they are.
class SlottedPayload {
 public:
  // Slots for `size` (at least one) bytes, with any contents. Waits at most `patience` for slots
  // that are not free; nullptr if there are too few in a row.
  static std::shared_ptr<SlottedPayload> Reserve(std::shared_ptr<Segment> segment, SegmentHalf half,
                                                 size_t size, absl::Duration patience);
  // The slots are free once what was announced of them is read.
  ~SlottedPayload();
  SlottedPayload(const SlottedPayload&) = delete;
  SlottedPayload& operator=(const SlottedPayload&) = delete;

  size_t size() const { return size_; }
  absl::Span<std::byte> bytes() { return {segment_->BytesOf(half_, first_), size_}; }
  absl::Span<const std::byte> bytes() const { return {segment_->BytesOf(half_, first_), size_}; }
  // What one slot holds: at most kSlotBytes from `offset`, a multiple of that.
  absl::Span<const std::byte> Piece(size_t offset) const;

 private:
  friend class SlotWriter;

  SlottedPayload(std::shared_ptr<Segment> segment, SegmentHalf half, size_t size, int first,
                 int count)
      : segment_(std::move(segment)), half_(half), size_(size), first_(first), count_(count) {}

  const std::shared_ptr<Segment> segment_;
  const SegmentHalf half_;
  const size_t size_;
  const int first_;  // of the claimed slots
  const int count_;
};

// Announces slots of one half on one stream. Several may work on one half. Belongs to one thread at
// a time.
class SlotWriter {
 public:
  SlotWriter(std::shared_ptr<Segment> segment, SegmentHalf half);
  // Takes back what was not read: the stream that announced it has ended.
  ~SlotWriter();
  SlotWriter(const SlotWriter&) = delete;
  SlotWriter& operator=(const SlotWriter&) = delete;

  // The payload lies where this writer's are.
  bool Reaches(const SlottedPayload& payload) const;
  // The piece at `offset` of a payload that this writer reaches. An earlier announcement of the
  // same piece is void, so make one for each stream.
  v1::SegmentSlice Announce(const SlottedPayload& payload, size_t offset);
  // Copies 1 … kSlotBytes bytes into a free slot, which is free again when they were read; nullopt,
  // and counted, if there is none.
  std::optional<v1::SegmentSlice> Put(absl::Span<const std::byte> bytes);

 private:
  v1::SegmentSlice AnnounceSlot(int slot, size_t bytes);

  const std::shared_ptr<Segment> segment_;
  const SegmentHalf half_;
  uint64_t ticket_;                               // the latest
  std::array<uint64_t, kSlotsMax> tickets_ = {};  // the latest by slot; 0: never announced
};

}  // namespace tilewright

#endif  // TILEWRIGHT_PROTO_WIRE_SLOTS_H_
