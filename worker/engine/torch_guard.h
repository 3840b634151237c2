// Where LibTorch's exceptions end: they become statuses whose cause the ladder and the scheduler
// act on. A function without state, so thread-safe.

#ifndef TILEWRIGHT_WORKER_ENGINE_TORCH_GUARD_H_
#define TILEWRIGHT_WORKER_ENGINE_TORCH_GUARD_H_

#include <functional>
#include <string>

#include "absl/status/status.h"

namespace tilewright {

// Calls `work` and turns what it throws into an EngineError whose text begins with `doing`. The
// type of the exception and CUDA's error code decide the cause, never a text. When this returns,
// the exception and the tensors that it kept alive are gone.
absl::Status Guarded(const std::string& doing, const std::function<void()>& work);

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_ENGINE_TORCH_GUARD_H_
