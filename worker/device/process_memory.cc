#include "worker/device/process_memory.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/base/status_macros.h"
#include "worker/device/file_reader.h"
#include "worker/device/malloc_tuning.h"
#include "worker/device/number_field.h"

namespace tilewright {
namespace {

class LinuxProcessMemory : public ProcessMemory {
 public:
  explicit LinuxProcessMemory(std::string folder) : folder_(std::move(folder)) {}

  absl::StatusOr<uint64_t> Begin() override {
    ReturnFreeMemory();
    TW_RETURN_IF_ERROR(ResetPeak());
    return BytesOf("VmRSS");
  }

  absl::StatusOr<uint64_t> Peak() override { return BytesOf("VmHWM"); }

 private:
  absl::Status ResetPeak() const {
    constexpr char kPeak = '5';
    const std::string path = absl::StrCat(folder_, "/clear_refs");
    const int file = open(path.c_str(), O_WRONLY | O_CLOEXEC);
    const bool reset = file >= 0 && write(file, &kPeak, 1) == 1;
    const int error = errno;
    if (file >= 0) close(file);
    if (reset) return absl::OkStatus();
    return absl::UnavailableError(
        absl::StrCat("the memory of this process cannot be counted: ", path, " cannot be written (",
                     std::strerror(error), ")"));
  }

  absl::StatusOr<uint64_t> BytesOf(absl::string_view field) const {
    const std::string path = absl::StrCat(folder_, "/status");
    const auto status = RealFiles()(path);
    const auto kilobytes = status.ok() ? NumberOfField(*status, field) : std::nullopt;
    if (kilobytes.has_value()) return *kilobytes * 1024;
    return absl::UnavailableError(
        absl::StrCat("the memory of this process cannot be counted: ", path, " names no ", field));
  }

  const std::string folder_;
};

}  // namespace

std::unique_ptr<ProcessMemory> CreateProcessMemory(std::string folder) {
  return std::make_unique<LinuxProcessMemory>(std::move(folder));
}

}  // namespace tilewright
