// AOTInductor packages (.pt2) as networks: machine code made from a model, for one kind of device
// and one LibTorch. For the .cc files of the torch engine only, because it names LibTorch's types.

#ifndef TILEWRIGHT_WORKER_ENGINE_TORCH_PACKAGE_H_
#define TILEWRIGHT_WORKER_ENGINE_TORCH_PACKAGE_H_

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "worker/engine/package_key.h"
#include "worker/engine/torch_stage.h"

namespace tilewright {

// Before the first package is loaded, and before there are other threads: makes packages check the
// shape and type of what they are given, which they do not do unasked.
void ConfigureTorchPackages();

// Loads the package `path`, which must be for the key `here` (package_key.h), to `device`. A
// package computes in the one type that it was compiled for; a stage in another one is refused when
// it first runs. REFUSED for another key, MODEL_ERROR for a file that is absent, damaged or no
// package.
absl::StatusOr<TorchNetwork> LoadTorchPackage(const std::string& path, c10::Device device,
                                              c10::ScalarType type, const PackageKey& here,
                                              const std::function<void(std::string)>& progress);

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_ENGINE_TORCH_PACKAGE_H_
