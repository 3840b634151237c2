// Reading and checking one manifest.textproto. Functions without state, so thread-safe; no I/O.

#ifndef TILEWRIGHT_COORDINATOR_MODELS_MANIFEST_H_
#define TILEWRIGHT_COORDINATOR_MODELS_MANIFEST_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "coordinator/plan/stage_plan.h"
#include "tilewright/v1/model_service.pb.h"

namespace tilewright {

// The manifest's name in every version folder.
inline constexpr char kManifestFile[] = "manifest.textproto";

// What a model may take beside the image: names of its further inputs.
inline constexpr char kMaskInput[] = "mask";
inline constexpr char kPreviousInput[] = "previous";

// The input of that name; null if there is none.
const v1::TensorManifest* FindInput(const v1::ModelManifest& manifest, absl::string_view name);

// Whether its output is logits: blended, then decided when they are written.
bool GivesLogits(const v1::ModelManifest& manifest);

// Parses the text format. INVALID_ARGUMENT opens with "path:line:column:" of the first mistake,
// unknown fields included.
absl::StatusOr<v1::ModelManifest> ParseManifest(absl::string_view path, const std::string& text);

// Writes out what an absent field means: scale 1/1, alignment 1, minimum = alignment, reflect
// padding, tile 512, cosine window, fp32, range 0 … 1, blend.
void FillManifestDefaults(v1::ModelManifest* manifest);

// Checks a manifest whose defaults are filled in and gives its geometry. INVALID_ARGUMENT opens
// with the field's name.
absl::StatusOr<ModelGeometry> CheckManifest(const v1::ModelManifest& manifest);

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_MODELS_MANIFEST_H_
