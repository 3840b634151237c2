#include "worker/link/result_slots.h"

#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "proto/wire/slots.h"

namespace tilewright {
namespace {

// The coordinator reads a slot within a millisecond. One that is busy elsewhere is not waited for:
// results then queue in memory of our own.
constexpr absl::Duration kSlotPatience = absl::Milliseconds(20);

}  // namespace

TileSamples ResultSlots::Take(size_t bytes) {
  const std::shared_ptr<Segment> segment =
      bytes < static_cast<size_t>(kSlicedBytesMin) ? nullptr : segment_();
  if (!segment) return std::vector<std::byte>(bytes);
  const auto reserve = [&](absl::Duration patience) {
    return SlottedPayload::Reserve(segment, SegmentHalf::kResults, bytes, patience);
  };
  std::shared_ptr<SlottedPayload> slots = reserve(absl::ZeroDuration());
  if (!slots && slots_move_ && !batch_has_slots_) {
    deliver_();
    slots = reserve(kSlotPatience);
    slots_move_ = slots != nullptr;
  }
  if (!slots) return std::vector<std::byte>(bytes);
  slots_move_ = true;
  batch_has_slots_ = true;
  return slots;
}

}  // namespace tilewright
