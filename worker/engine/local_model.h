// Opens a model's folder on this machine. A function without state, so thread-safe.

#ifndef TILEWRIGHT_WORKER_ENGINE_LOCAL_MODEL_H_
#define TILEWRIGHT_WORKER_ENGINE_LOCAL_MODEL_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "worker/engine/engine.h"

namespace tilewright {

// Reads manifest.textproto of `folder` and checks the files against `digest`. DATA_LOSS if they
// differ from it, INVALID_ARGUMENT with the line if the manifest cannot be read, NOT_FOUND without
// folder or manifest.
absl::StatusOr<LocalModel> OpenLocalModel(const std::string& folder, absl::string_view digest);

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_ENGINE_LOCAL_MODEL_H_
