// Shared libraries that come with the program and are opened at run time, where they are needed.
// Functions without state, so thread-safe.

#ifndef TILEWRIGHT_WORKER_ENGINE_PROGRAM_MODULE_H_
#define TILEWRIGHT_WORKER_ENGINE_PROGRAM_MODULE_H_

#include <string>

#include "absl/status/statusor.h"

namespace tilewright {

// Opens the library `file`, for good, beside the program or in the lib/ beside its folder, with
// dlopen's `flags`. UNAVAILABLE with the loader's sentence, or because there is no such file.
absl::StatusOr<void*> OpenProgramModule(const std::string& file, int flags);

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_ENGINE_PROGRAM_MODULE_H_
