// Between a tile's samples and network values. Functions without state, so thread-safe.

#ifndef TILEWRIGHT_WORKER_EXECUTOR_CONVERT_H_
#define TILEWRIGHT_WORKER_EXECUTOR_CONVERT_H_

#include <cstddef>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/blend/sample.h"
#include "proto/geometry/scale.h"
#include "tilewright/v1/worker_service.pb.h"
#include "worker/engine/engine.h"
#include "worker/executor/channels.h"
#include "worker/executor/executor.h"

namespace tilewright {

// What one input of a network takes.
struct NetworkInput {
  int channels = 0;
  ValueRange range;
};

// A stage's numbers, checked once.
struct StageNumbers {
  Size shape;  // input pixels
  Size image;  // input pixels, before padding; 0 × 0 if the coordinator did not say
  Scale scale;
  ChannelPlan channels;
  SampleType input_type = SampleType::kU8;
  SampleType output_type = SampleType::kU8;
  std::vector<NetworkInput> inputs;  // at least one, as in the manifest; together a pixel
  ValueRange output_range;
};

// REFUSED, naming the number, if stage and manifest do not fit each other or a number is out of
// bounds.
absl::StatusOr<StageNumbers> ReadStage(const v1::StageSpec& stage,
                                       const v1::ModelManifest& manifest);

// The tile in network values. Precondition: task.samples holds exactly the tile.
NetworkTile ToNetworkTile(const StageNumbers& stage, const TileTask& task);

// The samples of task.contribution out of what the engine gave for the tile, in the task's memory.
// BAD_RESULT if a value in it is not finite.
absl::StatusOr<TileSamples> FromNetworkTile(const StageNumbers& stage, const TileTask& task,
                                            const NetworkTile& output);

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_EXECUTOR_CONVERT_H_
