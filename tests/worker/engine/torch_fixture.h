// One torch engine and one folder of test networks for a whole test program.

#ifndef TILEWRIGHT_TESTS_WORKER_ENGINE_TORCH_FIXTURE_H_
#define TILEWRIGHT_TESTS_WORKER_ENGINE_TORCH_FIXTURE_H_

#include <string>

#include "worker/engine/engine.h"

namespace tilewright {

// On the CPU with one thread, which a busy machine slows least; made at the first call.
Engine& TestTorchEngine();
// A network that tilewright-testnets writes (reach-8 and reach-16 among them); written at the first
// call.
LocalModel TestModel(const std::string& name);
// The same network as an AOTInductor package for this machine; compiled when a machine asks for it
// first, which takes half a minute. NOT_FOUND where deploy/setup.sh has not installed what
// compiles.
absl::StatusOr<LocalModel> TestPackage(const std::string& name);
// A model of deploy/models.
LocalModel ShippedModel(const std::string& name);

}  // namespace tilewright

#endif  // TILEWRIGHT_TESTS_WORKER_ENGINE_TORCH_FIXTURE_H_
