#include "coordinator/merge/part_store.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "absl/types/span.h"
#include "proto/base/status_macros.h"

namespace tilewright {
namespace {

// Once something has to leave, this share of the bound does: looking for what is wanted last costs
// a walk over all parts.
constexpr int64_t kPutAwayShare = 8;

}  // namespace

PartStore::PartStore(Scratch* scratch, Candidates candidates)
    : scratch_(scratch), candidates_(std::move(candidates)) {}

void PartStore::Count(int64_t bytes) {
  memory_bytes_ += bytes;
  memory_bytes_peak_ = std::max(memory_bytes_peak_, memory_bytes_);
}

absl::Status PartStore::MakeRoom(int64_t bytes) {
  if (scratch_ == nullptr || memory_bytes_ <= bytes_max_ - bytes) return absl::OkStatus();
  std::vector<Candidate> candidates = candidates_();
  std::sort(candidates.begin(), candidates.end(),
            [](const Candidate& a, const Candidate& b) { return a.wanted > b.wanted; });
  const int64_t goal = bytes_max_ - bytes_max_ / kPutAwayShare - bytes;
  for (const Candidate& candidate : candidates) {
    if (memory_bytes_ <= goal) break;
    TW_RETURN_IF_ERROR(PutAway(*candidate.part));
    if (!no_room_.ok()) break;
  }
  return absl::OkStatus();
}

absl::Status PartStore::PutAway(Part& part) {
  assert(!part.pinned);
  if (scratch_ == nullptr || part.slot.has_value()) return absl::OkStatus();
  absl::StatusOr<Scratch::Slot> slot = Save(part);
  no_room_ = absl::IsResourceExhausted(slot.status()) ? slot.status() : absl::OkStatus();
  if (!no_room_.ok()) return absl::OkStatus();
  TW_ASSIGN_OR_RETURN(part.slot, std::move(slot));
  part.copy.reset();
  scratch_bytes_ += part.slot->bytes;
  memory_bytes_ -= part.slot->bytes;
  std::vector<std::byte>().swap(part.samples);
  return absl::OkStatus();
}

absl::StatusOr<Scratch::Slot> PartStore::Save(Part& part) {
  if (part.slot.has_value()) return *part.slot;
  if (!part.copy.has_value()) {
    TW_ASSIGN_OR_RETURN(part.copy, scratch_->Put(part.samples));
  }
  return *part.copy;
}

void PartStore::Change(Part& part) {
  if (!part.copy.has_value()) return;
  scratch_->Drop(*part.copy);
  part.copy.reset();
}

void PartStore::Adopt(Part& part, const Scratch::Slot& slot) {
  assert(part.samples.empty() && !part.slot.has_value());
  part.slot = slot;
  scratch_bytes_ += slot.bytes;
}

absl::Status PartStore::Load(Part& part) {
  if (!part.slot.has_value()) return absl::OkStatus();
  const Scratch::Slot slot = *part.slot;
  TW_RETURN_IF_ERROR(MakeRoom(slot.bytes));
  std::vector<std::byte> samples(static_cast<size_t>(slot.bytes));
  TW_RETURN_IF_ERROR(scratch_->Take(slot, absl::MakeSpan(samples)));
  part.slot.reset();
  part.samples = std::move(samples);
  scratch_bytes_ -= slot.bytes;
  Count(slot.bytes);
  return absl::OkStatus();
}

void PartStore::Replace(Part& part, std::vector<std::byte> samples) {
  assert(!part.slot.has_value());
  Change(part);
  memory_bytes_ -= static_cast<int64_t>(part.samples.size());
  part.samples = std::move(samples);
  Count(static_cast<int64_t>(part.samples.size()));
}

std::vector<std::byte> PartStore::Remove(Part& part) {
  Change(part);
  memory_bytes_ -= static_cast<int64_t>(part.samples.size());
  if (part.slot.has_value()) {
    scratch_bytes_ -= part.slot->bytes;
    scratch_->Drop(*part.slot);
    part.slot.reset();
  }
  return std::exchange(part.samples, {});
}

}  // namespace tilewright
