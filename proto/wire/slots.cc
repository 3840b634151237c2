#include "proto/wire/slots.h"

#include <algorithm>
#include <atomic>
#include <cassert>
#include <cstring>
#include <utility>

#include "proto/wire/checksum.h"
#include "proto/wire/random_bytes.h"

namespace tilewright {
std::shared_ptr<const SlottedPayload> SlottedPayload::Copy(std::shared_ptr<Segment> segment,
                                                           SegmentHalf half,
                                                           absl::Span<const std::byte> bytes,
                                                           absl::Duration patience,
                                                           uint64_t* checksum) {
  assert(!bytes.empty());
  constexpr size_t kSlot = kSlotBytes;
  const size_t pieces = (bytes.size() + kSlot - 1) / kSlot;
  if (pieces > static_cast<size_t>(segment->slots())) return nullptr;
  std::shared_ptr<SlottedPayload> payload(
      new SlottedPayload(std::move(segment), half, bytes.size()));
  Segment& memory = *payload->segment_;
  for (size_t i = 0; i < pieces; ++i) {
    const std::optional<int> slot = memory.Claim(half, patience);
    if (!slot) return nullptr;
    payload->slots_.push_back(*slot);
  }
  RunningChecksum running;
  for (size_t at = 0; at < bytes.size();) {
    const size_t in_slot = at % kSlot;
    const size_t size = std::min({kHashedAtOnce, kSlot - in_slot, bytes.size() - at});
    std::memcpy(memory.BytesOf(half, payload->slots_[at / kSlot]) + in_slot, bytes.data() + at,
                size);
    running.Add(bytes.subspan(at, size));  // of what was meant, not of what a peer might change
    at += size;
  }
  *checksum = running.value();
  return payload;
}

SlottedPayload::~SlottedPayload() {
  for (const int slot : slots_) segment_->Unclaim(half_, slot);
}

absl::Span<const std::byte> SlottedPayload::Piece(size_t offset) const {
  constexpr size_t kSlot = kSlotBytes;
  assert(offset < size_ && offset % kSlot == 0);
  return absl::MakeConstSpan(segment_->BytesOf(half_, slots_[offset / kSlot]),
                             std::min(kSlot, size_ - offset));
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
  return AnnounceSlot(payload.slots_[offset / kSlotBytes], payload.Piece(offset).size());
}

std::optional<v1::SegmentSlice> SlotWriter::Put(absl::Span<const std::byte> bytes) {
  assert(!bytes.empty() && bytes.size() <= static_cast<size_t>(kSlotBytes));
  const std::optional<int> slot = segment_->Claim(half_, absl::ZeroDuration());
  if (!slot) {
    segment_->CountMiss();
    return std::nullopt;
  }
  std::memcpy(segment_->BytesOf(half_, *slot), bytes.data(), bytes.size());
  v1::SegmentSlice slice = AnnounceSlot(*slot, bytes.size());
  segment_->Unclaim(half_, *slot);
  return slice;
}

}  // namespace tilewright
