// Adds what engines know to what the device probe found. A function without state.

#ifndef TILEWRIGHT_WORKER_ENGINE_CAPABILITIES_H_
#define TILEWRIGHT_WORKER_ENGINE_CAPABILITIES_H_

#include "tilewright/v1/worker_service.pb.h"
#include "worker/engine/engine.h"

namespace tilewright {

// Appends the engine's name, environment key and offer, and the dtypes that work in it; where the
// engine knows the device better than the operating system (its memory, and its measured speed if
// no engine before it measured one), that replaces what stood there.
void AddEngine(Engine& engine, v1::Capabilities* capabilities);

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_ENGINE_CAPABILITIES_H_
