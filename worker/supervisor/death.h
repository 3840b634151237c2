// Why a worker process ended, as far as its exit tells. A value and pure functions: thread-safe.

#ifndef TILEWRIGHT_WORKER_SUPERVISOR_DEATH_H_
#define TILEWRIGHT_WORKER_SUPERVISOR_DEATH_H_

#include <optional>
#include <string>

namespace tilewright {

// How a process ended, as the kernel tells it.
struct ProcessEnd {
  std::optional<int> exit_code = std::nullopt;  // none: by a signal
  int signal = 0;
  bool kernel_was_out_of_memory = false;  // it killed some process while this one ran
};

struct Death {
  enum class Kind {
    kStopped,      // it was asked to end, by us or by somebody else
    kUsage,        // its flags are wrong: starting it again cannot help
    kNotStarted,   // its program could not be executed: may change, slowly
    kRefused,      // the coordinator does not take it: may change, slowly
    kNoDevice,     // its device is not there: may come back, slowly
    kDeviceLost,   // the device's context is gone
    kOverwhelmed,  // memory ran out, a kernel took too long, or it hung: start smaller
    kCrashed,      // anything else
  };
  Kind kind = Kind::kCrashed;
  std::string words;  // for people: "memory ran out (exit code 8)"
};

Death Examine(const ProcessEnd& end);

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_SUPERVISOR_DEATH_H_
