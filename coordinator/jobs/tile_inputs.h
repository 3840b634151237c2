// The inputs of one stage's tiles. Where rows can only be read from top to bottom, the inputs of
// tiles that may be asked for again are laid aside before their rows go, in a scratch file or,
// while that has no room, in memory; so an attempt never needs an old row. Thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_JOBS_TILE_INPUTS_H_
#define TILEWRIGHT_COORDINATOR_JOBS_TILE_INPUTS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "coordinator/image/image_reader.h"
#include "coordinator/image/scratch_file.h"
#include "coordinator/merge/tile_source.h"
#include "coordinator/plan/stage_plan.h"

namespace tilewright {

class TileInputs : public TileSource {
 public:
  // All references must outlive this. `scratch` is a folder; nothing is made in it before a tile is
  // laid aside.
  TileInputs(const StagePlan& plan, ImageReader& reader, std::string scratch);

  // The input of a tile, in the reader's layout, `samples` of its size. CANCELLED if the tile was
  // dropped; errors of the reader and the scratch file, but for a full one.
  absl::Status Read(TileIndex tile, absl::Span<std::byte> samples) override
      ABSL_LOCKS_EXCLUDED(order_mu_, mu_);
  // The tile is not needed any more: it was merged, left out, or never wanted. Does not wait for
  // rows that are being decoded.
  void Drop(TileIndex tile) override ABSL_LOCKS_EXCLUDED(mu_);
  // Inputs that are laid aside now. They are those of tiles that were granted and are not
  // merged yet, as long as tiles are granted in the order of their numbers.
  int64_t laid_aside() const ABSL_LOCKS_EXCLUDED(mu_);
  // Bytes of them in memory, because the scratch file had no room.
  int64_t memory_bytes() const override ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Aside {
    std::optional<Scratch::Slot> slot;
    std::vector<std::byte> samples;  // empty if it has a slot
  };

  // Whether the tile's input is to be had from the image: it was neither dropped nor laid aside.
  bool Pending(TileIndex tile) const ABSL_LOCKS_EXCLUDED(mu_);
  // Lays aside what is still needed of the tiles above this row of them.
  absl::Status LeaveRowsAbove(int64_t row) ABSL_EXCLUSIVE_LOCKS_REQUIRED(order_mu_);

  const StagePlan& plan_;
  ImageReader& reader_;
  const bool in_order_;
  const int64_t tile_bytes_;

  absl::Mutex order_mu_ ABSL_ACQUIRED_BEFORE(mu_);    // of who moves down the image
  int64_t first_row_ ABSL_GUARDED_BY(order_mu_) = 0;  // of tiles whose rows may still be read
  mutable absl::Mutex mu_;
  std::vector<bool> dropped_ ABSL_GUARDED_BY(mu_);  // by tile; empty unless in_order_
  ScratchFile scratch_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<int64_t, Aside> aside_ ABSL_GUARDED_BY(mu_);  // by tile
  int64_t memory_bytes_ ABSL_GUARDED_BY(mu_) = 0;                   // of its samples
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_JOBS_TILE_INPUTS_H_
