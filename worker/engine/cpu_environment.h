// What of a processor decides the bits of numerical libraries. A function that reads /proc and the
// environment; thread-safe.

#ifndef TILEWRIGHT_WORKER_ENGINE_CPU_ENVIRONMENT_H_
#define TILEWRIGHT_WORKER_ENGINE_CPU_ENVIRONMENT_H_

#include <string>

namespace tilewright {

// "[name] [instruction sets]", and those variables of the environment by which oneDNN and MKL
// choose their kernels.
std::string CpuEnvironment();

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_ENGINE_CPU_ENVIRONMENT_H_
