// What an AOTInductor package was compiled for, and whether that is here. Functions without state,
// so thread-safe.

#ifndef TILEWRIGHT_WORKER_ENGINE_PACKAGE_KEY_H_
#define TILEWRIGHT_WORKER_ENGINE_PACKAGE_KEY_H_

#include <string>
#include <unordered_map>

#include "absl/status/status.h"

namespace tilewright {

// Machine code runs nowhere else.
struct PackageKey {
  std::string device_kind;         // "cpu" or "cuda"
  std::string machine;             // "x86_64"
  std::string instruction_sets;    // those needed or there, as in /proc/cpuinfo: "avx2 avx512f"
  std::string compute_capability;  // of a CUDA device: "9.0"
  std::string torch_version;       // "2.11.0"
};

// The key in a package's metadata: AOTI_DEVICE_KEY, AOTI_MACHINE, AOTI_CPU_ISA and
// AOTI_COMPUTE_CAPABILITY, which LibTorch writes into every package, and torch_version, which it
// does not: whoever compiles a package adds it (worker/engine/aot_package.py). What is absent is
// empty.
PackageKey KeyOfPackage(const std::unordered_map<std::string, std::string>& metadata);

// REFUSED, naming `package` and everything in which the two keys differ, unless what was compiled
// for `package_key` runs on `here`. Of a CPU the instruction sets count, of a CUDA device the
// compute capability. A package that does not tell the version of its LibTorch is refused.
absl::Status CheckPackageKey(const std::string& package, const PackageKey& package_key,
                             const PackageKey& here);

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_ENGINE_PACKAGE_KEY_H_
