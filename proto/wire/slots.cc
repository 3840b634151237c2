#include "proto/wire/slots.h"

#include <atomic>
#include <cassert>
#include <cstring>
#include <utility>

#include "proto/wire/random_bytes.h"

namespace tilewright {
std::shared_ptr<SlottedPayload> SlottedPayload::Reserve(std::shared_ptr<Segment> segment,
                                                        SegmentHalf half, size_t size,
                                                        absl::Duration patience) {
  assert(size > 0);
  const uint64_t pieces = (uint64_t{size} + kSlotBytes - 1) / kSlotBytes;
  if (pieces > static_cast<uint64_t>(segment->slots())) return nullptr;
  const int count = static_cast<int>(pieces);
  const std::optional<int> first = segment->Claim(half, count, patience);
  if (!first) return nullptr;
  return std::shared_ptr<SlottedPayload>(
      new SlottedPayload(std::move(segment), half, size, *first, count));
}

SlottedPayload::~SlottedPayload() { segment_->Unclaim(half_, first_, count_); }

absl::Span<const std::byte> SlottedPayload::Piece(size_t offset) const {
  assert(offset < size_ && offset % kSlotBytes == 0);
  return bytes().subspan(offset, kSlotBytes);
}

SlotWriter::SlotWriter(std::shared_ptr<Segment> segment, SegmentHalf half)
    : segment_(std::move(segment)), half_(half) {
  FillRandom(&ticket_, sizeof(ticket_));
}

SlotWriter::~SlotWriter() {
  for (int slot = 0; slot < segment_->slots(); ++slot) {
    uint64_t ticket = tickets_[static_cast<size_t>(slot)];
    // One that was read since is free, or another writer's, and stays as it is.
    if (ticket != 0) segment_->WordOf(half_, slot).compare_exchange_strong(ticket, 0);
  }
}

v1::SegmentSlice SlotWriter::AnnounceSlot(int slot, size_t bytes) {
  if (++ticket_ == 0) ++ticket_;
  tickets_[static_cast<size_t>(slot)] = ticket_;
  segment_->WordOf(half_, slot).store(ticket_, std::memory_order_release);  // with the bytes
  v1::SegmentSlice slice;
  slice.set_offset(segment_->OffsetOf(half_, slot));
  slice.set_bytes(bytes);
  slice.set_ticket(ticket_);
  return slice;
}

bool SlotWriter::Reaches(const SlottedPayload& payload) const {
  return payload.segment_ == segment_ && payload.half_ == half_;
}

v1::SegmentSlice SlotWriter::Announce(const SlottedPayload& payload, size_t offset) {
  assert(Reaches(payload));
  const int slot = payload.first_ + static_cast<int>(offset / kSlotBytes);
  return AnnounceSlot(slot, payload.Piece(offset).size());
}

std::optional<v1::SegmentSlice> SlotWriter::Put(absl::Span<const std::byte> bytes) {
  assert(!bytes.empty() && bytes.size() <= static_cast<size_t>(kSlotBytes));
  const std::optional<int> slot = segment_->Claim(half_, 1, absl::ZeroDuration());
  if (!slot) {
    segment_->CountMiss();
    return std::nullopt;
  }
  std::memcpy(segment_->BytesOf(half_, *slot), bytes.data(), bytes.size());
  v1::SegmentSlice slice = AnnounceSlot(*slot, bytes.size());
  segment_->Unclaim(half_, *slot, 1);
  return slice;
}

}  // namespace tilewright
