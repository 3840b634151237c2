// What a manifest says of a stage's network: what it takes and gives, and what it is assumed to
// need before it has been measured. Functions without state, so thread-safe.

#ifndef TILEWRIGHT_WORKER_ENGINE_STAGE_OUTPUT_H_
#define TILEWRIGHT_WORKER_ENGINE_STAGE_OUTPUT_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "proto/geometry/rect.h"
#include "worker/engine/engine.h"

namespace tilewright {

struct StageOutput {
  Size size;             // output pixels of a tile
  int64_t channels = 0;  // of a tile
};

// Of a network of one output at the key's shape. MODEL_ERROR, naming `engine`, if the manifest has
// more of them, its inputs do not take the key's channels, or its scale does not divide the shape.
absl::StatusOr<StageOutput> OutputOf(const v1::ModelManifest& manifest, const StageKey& key,
                                     absl::string_view engine);

// Channels of each of the network's inputs, in order: together those of a tile. OutputOf has found
// the manifest good.
std::vector<int64_t> InputChannelsOf(const v1::ModelManifest& manifest, const StageKey& key);

// MODEL_ERROR unless the manifest allows the key's dtype (fp32 where it lists none).
absl::Status CheckDtypeAllowed(const v1::ModelManifest& manifest, const StageKey& key);

// Bytes of one Run of a convolutional network nobody has measured: four activations of 64 channels
// at the input's size, and the output three times (result, rearranged, interleaved).
uint64_t AssumedRunBytes(const StageKey& key, const StageOutput& output);

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_ENGINE_STAGE_OUTPUT_H_
