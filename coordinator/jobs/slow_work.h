// What is done for a job before it is scheduled, and may take minutes: who ends it, and who is
// told. A value type; what it calls is thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_JOBS_SLOW_WORK_H_
#define TILEWRIGHT_COORDINATOR_JOBS_SLOW_WORK_H_

#include <functional>
#include <string>

#include "coordinator/image/interrupt.h"

namespace tilewright {

struct SlowWork {
  const Interrupt* interrupt = nullptr;          // null: nobody ends it
  std::function<void(const std::string&)> tell;  // before each step, a sentence; may be empty

  void Tell(const std::string& doing) const {
    if (tell) tell(doing);
  }
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_JOBS_SLOW_WORK_H_
