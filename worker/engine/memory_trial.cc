#include "worker/engine/memory_trial.h"

#include <algorithm>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "proto/base/status_macros.h"

namespace tilewright {
namespace {

constexpr int64_t kSideMin = 64;
constexpr int64_t kTimesMax = 8;  // the first side
constexpr uint64_t kSignal = 8;   // times the noise
constexpr size_t kMeasurementsMax = 8;

// `times` the first side, input pixels.
int64_t SideOf(const MemoryTrial& trial, int64_t times) {
  const int64_t side = times * std::max({kSideMin, trial.minimum, trial.alignment});
  return (side + trial.alignment - 1) / trial.alignment * trial.alignment;
}

absl::StatusOr<MemorySample> SampleAt(const MemoryTrial& trial, int64_t side,
                                      const TakenAt& taken) {
  const auto pixels = static_cast<uint64_t>(side * side);
  std::vector<uint64_t> measured;
  while (measured.size() < kMeasurementsMax) {
    TW_ASSIGN_OR_RETURN(const uint64_t bytes, taken(side));
    if (trial.noise_bytes == 0) return MemorySample{pixels, bytes};
    for (const uint64_t earlier : measured) {
      const uint64_t more = std::max(bytes, earlier);
      if (more - std::min(bytes, earlier) <= trial.noise_bytes) return MemorySample{pixels, more};
    }
    measured.push_back(bytes);
  }
  return absl::AbortedError(absl::StrCat("no two of ", kMeasurementsMax, " measurements at ", side,
                                         "x", side, " pixels agreed: something else took memory"));
}

}  // namespace

MemoryTrial TrialOf(const v1::ModelManifest& manifest, uint64_t noise_bytes) {
  return {std::max(1u, manifest.alignment()), manifest.minimum(), noise_bytes};
}

absl::StatusOr<MemoryModel> TryMemory(const MemoryTrial& trial, const TakenAt& taken) {
  TW_ASSIGN_OR_RETURN(MemorySample small, SampleAt(trial, SideOf(trial, 1), taken));
  for (int64_t times = 2;; times *= 2) {
    TW_ASSIGN_OR_RETURN(const MemorySample large, SampleAt(trial, SideOf(trial, times), taken));
    const bool clear =
        trial.noise_bytes == 0 || large.bytes >= small.bytes + kSignal * trial.noise_bytes;
    if (clear || times == kTimesMax) return FitMemoryModel(small, large);
    small = large;
  }
}

}  // namespace tilewright
