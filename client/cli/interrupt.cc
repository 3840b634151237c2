#include "client/cli/interrupt.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <utility>

#include "client/cli/exit_code.h"

namespace tilewright {
namespace {

sigset_t Signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  return signals;
}

}  // namespace

Interrupt::Interrupt() {
  const sigset_t signals = Signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  thread_ = std::thread([this] { WaitForSignals(); });
}

Interrupt::~Interrupt() {
  stopping_ = true;
  pthread_kill(thread_.native_handle(), SIGTERM);  // wakes sigwait
  thread_.join();
}

void Interrupt::SetHandler(std::function<void()> handler) {
  absl::MutexLock lock(&mutex_);
  handler_ = std::move(handler);
}

void Interrupt::WaitForSignals() {
  const sigset_t signals = Signals();
  std::thread handling;
  for (bool first = true;; first = false) {
    int signal = 0;
    sigwait(&signals, &signal);
    if (stopping_) break;
    if (!first) _exit(static_cast<int>(ExitCode::kInterrupted));
    // In a thread of its own, so that a second signal is heard while the handler waits for an
    // answer.
    handling = std::thread([this] {
      absl::MutexLock lock(&mutex_);
      if (handler_ == nullptr) _exit(static_cast<int>(ExitCode::kCancelled));
      handler_();
    });
  }
  if (handling.joinable()) handling.join();
}

}  // namespace tilewright
