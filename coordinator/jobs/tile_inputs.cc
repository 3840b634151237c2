#include "coordinator/jobs/tile_inputs.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/base/status_macros.h"

namespace tilewright {

TileInputs::TileInputs(const StagePlan& plan, ImageReader& reader, std::string scratch)
    : plan_(plan),
      reader_(reader),
      in_order_(reader.info().access != ImageAccess::kAnywhere),
      tile_bytes_(plan.compute_shape().area() * reader.info().pixel_bytes()),
      dropped_(in_order_ ? static_cast<size_t>(plan.tile_count()) : 0, false),
      scratch_(std::move(scratch)) {}

int64_t TileInputs::laid_aside() const {
  absl::MutexLock lock(&mu_);
  return static_cast<int64_t>(aside_.size());
}

int64_t TileInputs::memory_bytes() const {
  absl::MutexLock lock(&mu_);
  return memory_bytes_;
}

void TileInputs::Drop(TileIndex tile) {
  if (!in_order_) return;
  absl::MutexLock lock(&mu_);
  dropped_[static_cast<size_t>(tile.value)] = true;
  const auto found = aside_.find(tile.value);
  if (found == aside_.end()) return;
  if (found->second.slot.has_value()) scratch_.Drop(*found->second.slot);
  memory_bytes_ -= static_cast<int64_t>(found->second.samples.size());
  aside_.erase(found);
}

bool TileInputs::Pending(TileIndex tile) const {
  absl::MutexLock lock(&mu_);
  return !dropped_[static_cast<size_t>(tile.value)] && !aside_.contains(tile.value);
}

absl::Status TileInputs::Read(TileIndex tile, absl::Span<std::byte> samples) {
  const PadMode pad = plan_.model().pad_mode;
  if (!in_order_) return reader_.Read(plan_.InputRect(tile), pad, samples);
  absl::MutexLock order(&order_mu_);
  if (Pending(tile)) {
    TW_RETURN_IF_ERROR(LeaveRowsAbove(plan_.PlaceOf(tile).row));
    return reader_.Read(plan_.InputRect(tile), pad, samples);
  }
  TW_RETURN_IF_ERROR(reader_.CheckUnchanged());
  absl::MutexLock lock(&mu_);
  const auto found = aside_.find(tile.value);
  if (found == aside_.end()) {
    return absl::CancelledError(absl::StrCat("the input of tile ", tile.value, " was dropped"));
  }
  const Aside& aside = found->second;
  if (!aside.slot.has_value()) {
    std::copy(aside.samples.begin(), aside.samples.end(), samples.begin());
    return absl::OkStatus();
  }
  return Annotate(scratch_.Read(*aside.slot, samples),
                  absl::StrCat("taking up the input of tile ", tile.value));
}

absl::Status TileInputs::LeaveRowsAbove(int64_t row) {
  std::vector<std::byte> samples;
  for (; first_row_ < row; ++first_row_) {
    for (int64_t column = 0; column < plan_.x().tile_count(); ++column) {
      const TileIndex tile = plan_.IndexAt({column, first_row_});
      if (!Pending(tile)) continue;
      samples.resize(static_cast<size_t>(tile_bytes_));
      TW_RETURN_IF_ERROR(
          reader_.Read(plan_.InputRect(tile), plan_.model().pad_mode, absl::MakeSpan(samples)));
      absl::MutexLock lock(&mu_);
      if (dropped_[static_cast<size_t>(tile.value)]) continue;  // meanwhile
      absl::StatusOr<Scratch::Slot> slot = scratch_.Put(samples);
      Aside aside;
      if (absl::IsResourceExhausted(slot.status())) {
        memory_bytes_ += static_cast<int64_t>(samples.size());
        aside.samples = samples;
      } else {
        TW_ASSIGN_OR_RETURN(aside.slot, std::move(slot));
      }
      aside_[tile.value] = std::move(aside);
    }
  }
  return absl::OkStatus();
}

}  // namespace tilewright
