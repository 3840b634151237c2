// The processor as a device: its name, the instruction sets that decide bits, its speed. Functions
// without state, so thread-safe.

#ifndef TILEWRIGHT_WORKER_DEVICE_CPU_H_
#define TILEWRIGHT_WORKER_DEVICE_CPU_H_

#include <string>

#include "absl/time/time.h"
#include "worker/device/file_reader.h"

namespace tilewright {

// As the processor calls itself, from /proc/cpuinfo; "unknown processor" where it has no name.
std::string CpuName(const FileReader& read);

// The wide instruction sets that numerical libraries choose their kernels by, e.g. "avx2 fma
// avx512f amx_tile", in a fixed order; from the flags in /proc/cpuinfo.
std::string CpuInstructionSets(const FileReader& read);

// FLOP/s of multiplications and additions in registers with the widest instructions this processor
// has, on `threads` threads at once, measured for about `duration`. An upper bound of what a model
// reaches.
double MeasureCpuFlops(int threads, absl::Duration duration);

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_DEVICE_CPU_H_
