// Small runs of a network that tell how much memory it needs. Functions without state, so
// thread-safe.

#ifndef TILEWRIGHT_WORKER_ENGINE_MEMORY_TRIAL_H_
#define TILEWRIGHT_WORKER_ENGINE_MEMORY_TRIAL_H_

#include <cstdint>
#include <functional>

#include "absl/status/statusor.h"
#include "tilewright/v1/model_service.pb.h"
#include "worker/engine/memory_model.h"

namespace tilewright {

// What the network takes, and how well the meter counts.
struct MemoryTrial {
  int64_t alignment = 1;  // sides are multiples of it, input pixels
  int64_t minimum = 0;    // no side is smaller
  // What a measurement may be wrong by although nothing went wrong; 0: it is a count.
  uint64_t noise_bytes = 0;
};

// Of a network of this manifest.
MemoryTrial TrialOf(const v1::ModelManifest& manifest, uint64_t noise_bytes);

// Bytes that a run on one tile of side × side input pixels took.
using TakenAt = std::function<absl::StatusOr<uint64_t>(int64_t side)>;

// The line through the last two of a few shapes. The first side is 64, or the minimum or the
// alignment where that is more; the second is twice that; of a meter with noise it is doubled on,
// to eight times the first, until two shapes differ by eight times the noise. With noise every
// shape is measured until two measurements agree within it, of which the larger counts. ABORTED if
// none of eight did; errors of `taken` as they are.
absl::StatusOr<MemoryModel> TryMemory(const MemoryTrial& trial, const TakenAt& taken);

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_ENGINE_MEMORY_TRIAL_H_
