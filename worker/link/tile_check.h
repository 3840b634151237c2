// Whether an input that arrived is what its lease announced. Pure; thread-safe.

#ifndef TILEWRIGHT_WORKER_LINK_TILE_CHECK_H_
#define TILEWRIGHT_WORKER_LINK_TILE_CHECK_H_

#include "absl/status/statusor.h"
#include "proto/wire/tile_frames.h"
#include "worker/executor/executor.h"

namespace tilewright {

struct LeaseTerms;

// The task to compute; takes the payload over. INVALID_ARGUMENT or DATA_LOSS with a sentence that
// names the tile: damaged on the way, of another plan or model, not exactly one inline tensor of
// the stage's tile size, type and channels.
absl::StatusOr<TileTask> CheckInput(const LeaseTerms& terms, IncomingTile input);

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_LINK_TILE_CHECK_H_
