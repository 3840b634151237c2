// Threads that compress blocks, shared by all outputs of the process, with a bound on the bytes
// that wait for them. Thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_IMAGE_ENCODER_POOL_H_
#define TILEWRIGHT_COORDINATOR_IMAGE_ENCODER_POOL_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace tilewright {

class EncoderPool {
 public:
  EncoderPool(int threads, int64_t bytes_max);
  // Runs what is queued.
  ~EncoderPool();
  EncoderPool(const EncoderPool&) = delete;
  EncoderPool& operator=(const EncoderPool&) = delete;

  // Waits until `bytes` more fit in the bound, or nothing else is there. Call it from no task.
  void Reserve(int64_t bytes) ABSL_LOCKS_EXCLUDED(mu_);
  // Runs a task that works on so many reserved bytes, and releases them after it.
  void Run(int64_t bytes, std::function<void()> task) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Task {
    int64_t bytes = 0;
    std::function<void()> run;
  };

  void Work() ABSL_LOCKS_EXCLUDED(mu_);
  bool HasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return stopped_ || !tasks_.empty(); }

  const int64_t bytes_max_;
  absl::Mutex mu_;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  int64_t bytes_ ABSL_GUARDED_BY(mu_) = 0;  // reserved
  std::deque<Task> tasks_ ABSL_GUARDED_BY(mu_);
  std::vector<std::thread> threads_;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_IMAGE_ENCODER_POOL_H_
