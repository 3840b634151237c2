#include "coordinator/image/intermediate_image.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "coordinator/merge/padding.h"
#include "proto/base/status_macros.h"

namespace tilewright {

IntermediateImage::IntermediateImage(std::shared_ptr<const StagePlan> before, MergeKind merge,
                                     const CanvasFormat& format,
                                     std::shared_ptr<const StagePlan> next, std::string scratch)
    : before_(std::move(before)),
      next_(std::move(next)),
      format_(format),
      chain_(*before_, merge, format, *next_),
      dropped_(static_cast<size_t>(next_->tile_count()), false),
      scratch_(std::move(scratch)),
      parts_(&scratch_,
             [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS {  // called by parts_, so under the lock
               return Candidates();
             }),
      bytes_max_(std::numeric_limits<int64_t>::max()) {}

void IntermediateImage::AddHole(TileIndex tile) {
  absl::MutexLock lock(&mu_);
  chain_.AddHole(tile);
}

absl::Status IntermediateImage::WriteBlock(int64_t column, int64_t row,
                                           absl::Span<const std::byte> samples) {
  absl::MutexLock lock(&mu_);
  const int64_t block = chain_.BlockIndex(column, row);
  if (chain_.IsNeeded(block)) {
    const auto bytes = static_cast<int64_t>(samples.size());
    Part part;
    part.samples.assign(samples.begin(), samples.end());
    TW_RETURN_IF_ERROR(parts_.MakeRoom(bytes));
    Part& kept = blocks_[block] = std::move(part);
    parts_.Add(kept);
    if (parts_.memory_bytes() > bytes_max_) TW_RETURN_IF_ERROR(parts_.PutAway(kept));
    bytes_peak_ = std::max(bytes_peak_, parts_.memory_bytes() + parts_.scratch_bytes());
  }
  chain_.AddBlock(column, row, &complete_);
  return absl::OkStatus();
}

StageChain::Complete IntermediateImage::TakeComplete() {
  absl::MutexLock lock(&mu_);
  return std::exchange(complete_, {});
}

absl::Status IntermediateImage::LimitHeld(int64_t bytes_max) {
  absl::MutexLock lock(&mu_);
  bytes_max_ = bytes_max;
  parts_.set_bytes_max(bytes_max);
  return parts_.MakeRoom(0);
}

absl::Status IntermediateImage::FindRoom() {
  absl::MutexLock lock(&mu_);
  TW_RETURN_IF_ERROR(parts_.MakeRoom(0));
  return parts_.no_room();
}

std::vector<PartStore::Candidate> IntermediateImage::Candidates() {
  std::vector<PartStore::Candidate> candidates;
  for (auto& [block, part] : blocks_) {
    if (!part.samples.empty()) candidates.push_back({&part, chain_.FirstReader(block)});
  }
  return candidates;
}

absl::Status IntermediateImage::Read(TileIndex tile, absl::Span<std::byte> samples) {
  absl::MutexLock lock(&mu_);
  if (dropped_[static_cast<size_t>(tile.value)]) {
    return absl::CancelledError(absl::StrCat("the input of tile ", tile.value, " was dropped"));
  }
  if (!chain_.IsComplete(tile)) {
    return absl::InternalError(absl::StrCat("the input of tile ", tile.value,
                                            " is asked for before it is complete; this is a bug"));
  }
  return ReadPadded(next_->InputRect(tile), format_.size, next_->model().pad_mode,
                    format_.pixel_bytes(), samples,
                    [this](const Rect& rect, absl::Span<std::byte> into)
                        ABSL_NO_THREAD_SAFETY_ANALYSIS { return ReadInside(rect, into); });
}

absl::Status IntermediateImage::ReadInside(const Rect& rect, absl::Span<std::byte> samples) {
  const int64_t pixel = format_.pixel_bytes();
  std::vector<std::byte> loaded;
  for (int64_t row = rect.y / kBlockSide; row * kBlockSide < rect.bottom(); ++row) {
    for (int64_t column = rect.x / kBlockSide; column * kBlockSide < rect.right(); ++column) {
      const auto found = blocks_.find(chain_.BlockIndex(column, row));
      if (found == blocks_.end()) {
        return absl::InternalError(
            absl::StrCat("block ", column, ",", row, " between two stages is gone; this is a bug"));
      }
      const Part& part = found->second;
      const std::byte* from = part.samples.data();
      if (part.slot.has_value()) {
        loaded.resize(static_cast<size_t>(part.slot->bytes));
        TW_RETURN_IF_ERROR(scratch_.Read(*part.slot, absl::MakeSpan(loaded)));
        from = loaded.data();
      }
      const Rect block = format_.BlockRect(column, row);
      const Rect both = Intersect(block, rect);
      for (int64_t y = both.y; y < both.bottom(); ++y) {
        std::memcpy(samples.data() + ((y - rect.y) * rect.width + both.x - rect.x) * pixel,
                    from + ((y - block.y) * block.width + both.x - block.x) * pixel,
                    static_cast<size_t>(both.width * pixel));
      }
    }
  }
  return absl::OkStatus();
}

void IntermediateImage::Drop(TileIndex tile) {
  absl::MutexLock lock(&mu_);
  if (dropped_[static_cast<size_t>(tile.value)]) return;
  dropped_[static_cast<size_t>(tile.value)] = true;
  for (const int64_t block : chain_.DropTile(tile)) {
    const auto found = blocks_.find(block);
    if (found == blocks_.end()) continue;
    parts_.Remove(found->second);
    blocks_.erase(found);
  }
}

int64_t IntermediateImage::bytes_held() const {
  absl::MutexLock lock(&mu_);
  return parts_.memory_bytes();
}

int64_t IntermediateImage::bytes_spilled() const {
  absl::MutexLock lock(&mu_);
  return parts_.scratch_bytes();
}

int64_t IntermediateImage::bytes_peak() const {
  absl::MutexLock lock(&mu_);
  return bytes_peak_;
}

}  // namespace tilewright
