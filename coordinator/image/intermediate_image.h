// The image between two stages of a job, never whole: blocks that the earlier stage has finished
// and tiles of the later one still read, in memory up to a bound, else in a scratch file.
// Thread-safe: one stage merges into it while threads read inputs of the other from it.

#ifndef TILEWRIGHT_COORDINATOR_IMAGE_INTERMEDIATE_IMAGE_H_
#define TILEWRIGHT_COORDINATOR_IMAGE_INTERMEDIATE_IMAGE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/node_hash_map.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "coordinator/image/scratch_file.h"
#include "coordinator/merge/canvas.h"
#include "coordinator/merge/part_store.h"
#include "coordinator/merge/stage_chain.h"
#include "coordinator/merge/tile_source.h"
#include "coordinator/plan/stage_plan.h"

namespace tilewright {

class IntermediateImage : public BlockSink, public TileSource {
 public:
  // As StageChain. `scratch` is a folder; nothing is made in it before a block is put there.
  IntermediateImage(std::shared_ptr<const StagePlan> before, MergeKind merge,
                    const CanvasFormat& format, std::shared_ptr<const StagePlan> next,
                    std::string scratch);

  // ---- For the earlier stage.

  // The tile is left out; before it is merged as a hole.
  void AddHole(TileIndex tile) ABSL_LOCKS_EXCLUDED(mu_);
  // Keeps the block if a tile reads it; in memory where the scratch file has no room, see FindRoom.
  // Its other errors pass through.
  absl::Status WriteBlock(int64_t column, int64_t row, absl::Span<const std::byte> samples) override
      ABSL_LOCKS_EXCLUDED(mu_);
  // The later stage's tiles whose input is complete now, since the call before.
  StageChain::Complete TakeComplete() ABSL_LOCKS_EXCLUDED(mu_);
  // From now on no more than that stays in memory, as long as the scratch file has room; a block
  // that is being read apart. Errors as of WriteBlock.
  absl::Status LimitHeld(int64_t bytes_max) ABSL_LOCKS_EXCLUDED(mu_);
  // As TileMerger::FindRoom.
  absl::Status FindRoom() ABSL_LOCKS_EXCLUDED(mu_);

  // ---- For the later stage.

  // The input of a tile that is complete, padded as its model asks. CANCELLED if it was dropped;
  // DATA_LOSS if the scratch file cannot be read back.
  absl::Status Read(TileIndex tile, absl::Span<std::byte> samples) override
      ABSL_LOCKS_EXCLUDED(mu_);
  // The tile was merged or left out; further calls for it do nothing.
  void Drop(TileIndex tile) override ABSL_LOCKS_EXCLUDED(mu_);

  // Of its blocks, now.
  int64_t bytes_held() const ABSL_LOCKS_EXCLUDED(mu_);
  int64_t bytes_spilled() const ABSL_LOCKS_EXCLUDED(mu_);
  // The most that both together ever were.
  int64_t bytes_peak() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  absl::Status ReadInside(const Rect& rect, absl::Span<std::byte> samples)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::vector<PartStore::Candidate> Candidates() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const std::shared_ptr<const StagePlan> before_;
  const std::shared_ptr<const StagePlan> next_;
  const CanvasFormat format_;
  mutable absl::Mutex mu_;
  StageChain chain_ ABSL_GUARDED_BY(mu_);
  StageChain::Complete complete_ ABSL_GUARDED_BY(mu_);
  std::vector<bool> dropped_ ABSL_GUARDED_BY(mu_);  // tiles of the later stage
  ScratchFile scratch_ ABSL_GUARDED_BY(mu_);
  absl::node_hash_map<int64_t, Part> blocks_ ABSL_GUARDED_BY(mu_);  // by index of the chain
  PartStore parts_ ABSL_GUARDED_BY(mu_);                            // counts those of blocks_
  int64_t bytes_max_ ABSL_GUARDED_BY(mu_);
  int64_t bytes_peak_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_IMAGE_INTERMEDIATE_IMAGE_H_
