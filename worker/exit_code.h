// What a worker process says by its exit code, to whoever started it. Numbers never change their
// meaning.

#ifndef TILEWRIGHT_WORKER_EXIT_CODE_H_
#define TILEWRIGHT_WORKER_EXIT_CODE_H_

namespace tilewright {

enum class WorkerExit {
  kStopped = 0,        // by SIGTERM or SIGINT
  kInternal = 1,       // our bug
  kUsage = 2,          // a wrong flag, variable or configuration line
  kNoDevice = 3,       // the device is not there
  kRefused = 4,        // the coordinator does not take this worker
  kDeviceLost = 5,     // the device's context is gone: start again
  kLaunchTimeout = 6,  // the driver ended a kernel that ran too long: start again, smaller
  kHang = 7,           // the device made no progress any more: start again, smaller
  kOutOfMemory = 8,    // memory ran out where no tile could be handed back: start again, smaller
};

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_EXIT_CODE_H_
