// OpenVINO's engine and one folder of its test networks for a whole test program.

#ifndef TILEWRIGHT_TESTS_WORKER_ENGINE_OPENVINO_FIXTURE_H_
#define TILEWRIGHT_TESTS_WORKER_ENGINE_OPENVINO_FIXTURE_H_

#include <memory>
#include <string>

#include "worker/engine/engine.h"

namespace tilewright {

// On the CPU with one thread, which a busy machine slows least; ends the program if there is none.
std::unique_ptr<Engine> MakeOpenVinoEngine(Measurements* measurements = nullptr,
                                           ProcessMemory* memory = nullptr);
// One that measures nothing; made at the first call.
Engine& TestEngine();
// A network that WriteOpenVinoTestnets writes (reach-8 and reach-16 among them), without the suffix
// of its name; written at the first call.
LocalModel TestModel(const std::string& name);

}  // namespace tilewright

#endif  // TILEWRIGHT_TESTS_WORKER_ENGINE_OPENVINO_FIXTURE_H_
