// Stands in for the LibTorch engine in a build without it.

#include "absl/status/status.h"
#include "worker/engine/engine.h"

namespace tilewright {

absl::StatusOr<std::unique_ptr<Engine>> CreateTorchEngine(const TorchOptions&) {
  return absl::UnimplementedError("this build has no LibTorch (TILEWRIGHT_TORCH=OFF)");
}

}  // namespace tilewright
