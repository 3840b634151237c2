#include "worker/supervisor/death.h"

#include <signal.h>
#include <string.h>

#include "absl/strings/str_cat.h"
#include "worker/exit_code.h"

namespace tilewright {
namespace {

Death OfExitCode(int code) {
  using Kind = Death::Kind;
  const auto death = [code](Kind kind, const char* words) {
    return Death{kind, absl::StrCat(words, " (exit code ", code, ")")};
  };
  switch (static_cast<WorkerExit>(code)) {
    case WorkerExit::kStopped:
      return death(Kind::kStopped, "it was stopped");
    case WorkerExit::kInternal:
      return death(Kind::kCrashed, "internal error");
    case WorkerExit::kUsage:
      return death(Kind::kUsage, "a wrong flag, variable or configuration line");
    case WorkerExit::kNoDevice:
      return death(Kind::kNoDevice, "the device is not there");
    case WorkerExit::kRefused:
      return death(Kind::kRefused, "the coordinator does not take it");
    case WorkerExit::kDeviceLost:
      return death(Kind::kDeviceLost, "the device was lost");
    case WorkerExit::kLaunchTimeout:
      return death(Kind::kOverwhelmed, "the driver ended a kernel that ran too long");
    case WorkerExit::kHang:
      return death(Kind::kOverwhelmed, "the device made no progress any more");
    case WorkerExit::kOutOfMemory:
      return death(Kind::kOverwhelmed, "memory ran out");
  }
  return death(Kind::kCrashed, "an exit code without meaning");
}

}  // namespace

Death Examine(const ProcessEnd& end) {
  if (end.exit_code) return OfExitCode(*end.exit_code);
  const std::string name = absl::StrCat("signal ", end.signal, ", ", strsignal(end.signal));
  // Only the kernel's own count tells its kill from somebody's.
  if (end.signal == SIGKILL && end.kernel_was_out_of_memory) {
    return {Death::Kind::kOverwhelmed,
            absl::StrCat("the kernel killed it because memory ran out (", name, ")")};
  }
  return {Death::Kind::kCrashed, absl::StrCat("it was killed (", name, ")")};
}

}  // namespace tilewright
