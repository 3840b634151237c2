// Builds the reduced images of a picture while its blocks come, in any order: each block becomes a
// quarter of a block of the next level (box_reduction.h), of means or, for labels, of corners.
// Quarters wait in memory up to a bound, then in a scratch.
// Thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_IMAGE_PYRAMID_H_
#define TILEWRIGHT_COORDINATOR_IMAGE_PYRAMID_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <tuple>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "coordinator/merge/canvas.h"
#include "coordinator/merge/scratch.h"

namespace tilewright {

struct PyramidOptions {
  CanvasFormat format;  // of level 0
  int levels = 1;       // level 0 included
  // Thread-safe, outlives the pyramid.
  Scratch* scratch = nullptr;
  // Quarters beyond it wait in the scratch.
  int64_t memory_bytes_max = int64_t{16} << 20;
};

// A block of one level.
struct LevelBlock {
  int level = 0;
  int64_t column = 0;
  int64_t row = 0;
  std::vector<std::byte> samples;  // as for BlockSink::WriteBlock
};

// A quarter that waits in the scratch.
struct SavedQuarter {
  int level = 0;  // of the block that is built
  int64_t column = 0;
  int64_t row = 0;
  int quarter = 0;  // 2 * (row & 1) + (column & 1) of the block below
  Scratch::Slot slot;
};

class Pyramid {
 public:
  explicit Pyramid(const PyramidOptions& options) : options_(options) {}
  Pyramid(const Pyramid&) = delete;
  Pyramid& operator=(const Pyramid&) = delete;

  // Takes a block of a level below the last one, each exactly once. If it was the last one missing:
  // the block of the next level that it is part of. Errors of the scratch: if they are
  // IsNoRoom, nothing has changed, and it may be added again.
  absl::StatusOr<std::optional<LevelBlock>> Add(int level, int64_t column, int64_t row,
                                                absl::Span<const std::byte> samples)
      ABSL_LOCKS_EXCLUDED(mu_);
  // Bytes of quarters in memory.
  int64_t bytes_held() const ABSL_LOCKS_EXCLUDED(mu_);
  // All quarters, with a copy in the scratch of those that lie in memory alone. An error of the
  // scratch loses nothing.
  absl::StatusOr<std::vector<SavedQuarter>> Save() ABSL_LOCKS_EXCLUDED(mu_);
  // Goes on from them; all lie in the scratch at first. INVALID_ARGUMENT if they are not of this
  // picture. Precondition: nothing was added yet.
  absl::Status Restore(const std::vector<SavedQuarter>& quarters) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  using Key = std::tuple<int, int64_t, int64_t>;  // level, column, row of a block that is built
  struct Quarter {
    std::vector<std::byte> samples;     // empty: in the scratch
    std::optional<Scratch::Slot> slot;  // there, or of a copy of the samples
    bool there() const { return slot.has_value() || !samples.empty(); }
  };
  // By 2 * (row & 1) + (column & 1) of the block below.
  struct Open {
    std::array<Quarter, 4> quarters;
    int missing = 0;
  };

  // Of which nothing has come yet.
  Open Begin(const Key& key) const;
  absl::StatusOr<LevelBlock> Assemble(const Key& key, Open open);
  Rect QuarterRect(const Key& key, size_t quarter) const;

  const PyramidOptions options_;
  mutable absl::Mutex mu_;
  absl::flat_hash_map<Key, Open> open_ ABSL_GUARDED_BY(mu_);
  int64_t bytes_held_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_IMAGE_PYRAMID_H_
