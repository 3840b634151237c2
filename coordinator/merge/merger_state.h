// What a merger holds, as values: with the samples that lie in its scratch, enough to go on later.
// Value types and a pure function; thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_MERGE_MERGER_STATE_H_
#define TILEWRIGHT_COORDINATOR_MERGE_MERGER_STATE_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "coordinator/merge/canvas.h"
#include "coordinator/merge/scratch.h"
#include "coordinator/plan/stage_plan.h"
#include "proto/geometry/rect.h"

namespace tilewright {

struct MergerState {
  // A tile that open cells wait for.
  struct Tile {
    int64_t tile = 0;
    Rect rect;  // what is left of it, in output pixels
    Scratch::Slot slot;
  };
  // A block that some of its pixels are missing of.
  struct Block {
    int64_t index = 0;    // row * block_columns + column
    int64_t missing = 0;  // pixels
    Scratch::Slot slot;
  };

  std::vector<bool> settled;  // by tile of the plan: added, or left out
  int64_t tiles_added = 0;
  int64_t blocks_left = 0;  // not handed to the sink yet, those of `blocks` among them
  std::vector<Tile> tiles;
  std::vector<Block> blocks;
};

// INVALID_ARGUMENT if no merger of that plan and format, whose scratch holds the slots, can be in
// that state: it is one of another.
absl::Status CheckMergerState(const MergerState& state, const StagePlan& plan,
                              const CanvasFormat& format);

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_MERGE_MERGER_STATE_H_
