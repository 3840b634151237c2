#include "worker/engine/cpu_environment.h"

#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "worker/device/cpu.h"

namespace tilewright {

std::string CpuEnvironment() {
  std::string text =
      absl::StrCat("[", CpuName(RealFiles()), "] [", CpuInstructionSets(RealFiles()), "]");
  for (const char* name :
       {"ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "ONEDNN_DEFAULT_FPMATH_MODE", "MKL_CBWR"}) {
    if (const char* value = std::getenv(name)) absl::StrAppend(&text, " ", name, "=", value);
  }
  return text;
}

}  // namespace tilewright
