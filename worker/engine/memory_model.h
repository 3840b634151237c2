// How much memory a run of a model needs at any shape, from measurements at two. Functions without
// state, so thread-safe.

#ifndef TILEWRIGHT_WORKER_ENGINE_MEMORY_MODEL_H_
#define TILEWRIGHT_WORKER_ENGINE_MEMORY_MODEL_H_

#include <cstdint>

#include "absl/status/statusor.h"

namespace tilewright {

// A line; both numbers are finite and not negative.
struct MemoryModel {
  double base_bytes = 0;
  double bytes_per_pixel = 0;  // of the input, of every tile of a batch

  uint64_t BytesAt(uint64_t pixels) const;
};

struct MemorySample {
  uint64_t pixels = 0;
  uint64_t bytes = 0;
};

// The line through two samples in either order. One that would fall is level at the larger of the
// two; one that would begin below zero begins at zero and passes through the sample of more pixels.
// Both give rather too much than too little between and beyond the samples. INVALID_ARGUMENT for
// samples of the same number of pixels or of none.
absl::StatusOr<MemoryModel> FitMemoryModel(MemorySample a, MemorySample b);

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_ENGINE_MEMORY_MODEL_H_
