#include "worker/engine/program_module.h"

#include <dlfcn.h>

#include <filesystem>
#include <system_error>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace tilewright {

absl::StatusOr<void*> OpenProgramModule(const std::string& file, int flags) {
  std::error_code error;
  const auto folder = std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
  std::string why = absl::StrCat("there is no ", file, " with this program");
  for (const auto& path : {folder / file, folder / "../lib" / file}) {
    if (!std::filesystem::exists(path, error)) continue;
    if (void* const module = dlopen(path.c_str(), flags)) return module;
    why = dlerror();
  }
  return absl::UnavailableError(why);
}

}  // namespace tilewright
