// Builds the reduced images of a picture while its blocks come, in any order: each block becomes a
// quarter of a block of the next level. Quarters wait in memory up to a bound, then in a file that
// has no name. Thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_IMAGE_PYRAMID_H_
#define TILEWRIGHT_COORDINATOR_IMAGE_PYRAMID_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "coordinator/merge/canvas.h"

namespace tilewright {

struct PyramidOptions {
  CanvasFormat format;  // of level 0
  int levels = 1;       // level 0 included
  std::string folder;   // of the file without a name
  // Quarters beyond it wait in the file.
  int64_t memory_bytes_max = int64_t{16} << 20;
};

// A block of one level.
struct LevelBlock {
  int level = 0;
  int64_t column = 0;
  int64_t row = 0;
  std::vector<std::byte> samples;  // as for BlockSink::WriteBlock
};

class Pyramid {
 public:
  explicit Pyramid(const PyramidOptions& options);
  ~Pyramid();
  Pyramid(const Pyramid&) = delete;
  Pyramid& operator=(const Pyramid&) = delete;

  // Takes a block of a level below the last one, each exactly once. If it was the last one missing:
  // the block of the next level that it is part of. RESOURCE_EXHAUSTED (IsNoRoom) if the file finds
  // no room: nothing has changed, it may be added again.
  absl::StatusOr<std::optional<LevelBlock>> Add(int level, int64_t column, int64_t row,
                                                absl::Span<const std::byte> samples)
      ABSL_LOCKS_EXCLUDED(mu_);
  // Bytes of quarters in memory.
  int64_t bytes_held() const ABSL_LOCKS_EXCLUDED(mu_);
  // Bytes of the file.
  int64_t file_bytes() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  using Key = std::tuple<int, int64_t, int64_t>;  // level, column, row of a block that is built
  struct Quarter {
    std::vector<std::byte> samples;  // empty: in the file
    int64_t slot = -1;               // of the file
  };
  // By 2 * (row & 1) + (column & 1) of the block below.
  struct Open {
    std::array<Quarter, 4> quarters;
    int missing = 0;
  };

  // Puts a quarter into the file.
  absl::Status Spill(Quarter* quarter) ABSL_LOCKS_EXCLUDED(mu_);
  absl::StatusOr<LevelBlock> Assemble(const Key& key, Open open) ABSL_LOCKS_EXCLUDED(mu_);
  Rect QuarterRect(const Key& key, size_t quarter) const;

  const PyramidOptions options_;
  const int64_t slot_bytes_;  // of a whole quarter
  mutable absl::Mutex mu_;
  absl::flat_hash_map<Key, Open> open_ ABSL_GUARDED_BY(mu_);
  int64_t bytes_held_ ABSL_GUARDED_BY(mu_) = 0;
  int fd_ ABSL_GUARDED_BY(mu_) = -1;  // -1: not needed yet
  int64_t slots_ ABSL_GUARDED_BY(mu_) = 0;
  std::vector<int64_t> free_slots_ ABSL_GUARDED_BY(mu_);
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_IMAGE_PYRAMID_H_
