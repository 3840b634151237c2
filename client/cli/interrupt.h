// Ctrl-C and SIGTERM: the first runs a handler, the second leaves at once. Thread-safe. One object
// a process, made before any other thread, so that all threads inherit the blocked signals.

#ifndef TILEWRIGHT_CLIENT_CLI_INTERRUPT_H_
#define TILEWRIGHT_CLIENT_CLI_INTERRUPT_H_

#include <atomic>
#include <functional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace tilewright {

class Interrupt {
 public:
  // Signals before a handler is set leave at once, with the exit code for "cancelled".
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  // `handler` runs in a thread of this object, at the first signal. Nothing stands for none; after
  // the call returns, the earlier handler does not run any more.
  void SetHandler(std::function<void()> handler);

 private:
  void WaitForSignals();

  absl::Mutex mutex_;
  std::function<void()> handler_ ABSL_GUARDED_BY(mutex_);
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_CLIENT_CLI_INTERRUPT_H_
