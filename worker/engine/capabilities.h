// Adds what engines know to what the device probe found. Functions without state.

#ifndef TILEWRIGHT_WORKER_ENGINE_CAPABILITIES_H_
#define TILEWRIGHT_WORKER_ENGINE_CAPABILITIES_H_

#include <string>

#include "tilewright/v1/worker_service.pb.h"
#include "worker/engine/engine.h"

namespace tilewright {

// Appends the engine's name, environment key and offer, and the dtypes that work in it; where the
// engine knows the device better than the operating system (its memory, and its measured speed if
// no engine before it measured one), that replaces what stood there.
void AddEngine(Engine& engine, v1::Capabilities* capabilities);

// Replaces the measured FLOP/s (more than 0) of an engine, and the device's where it comes from
// that engine. Nothing happens if no such engine was added.
void SetSpeed(const std::string& engine, double flops, v1::Capabilities* capabilities);

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_ENGINE_CAPABILITIES_H_
