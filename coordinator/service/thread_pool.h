// A fixed number of threads with a bounded queue, for calls that wait for disks. Thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_SERVICE_THREAD_POOL_H_
#define TILEWRIGHT_COORDINATOR_SERVICE_THREAD_POOL_H_

#include <cstddef>
#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace tilewright {

class ThreadPool {
 public:
  ThreadPool(int threads, size_t queue_max);
  // Stops.
  ~ThreadPool();

  // Runs the task on a thread of the pool; false, and the task is dropped, if the queue is full or
  // the pool has stopped.
  [[nodiscard]] bool Run(std::function<void()> task);
  // Runs what is queued and ends the threads. Call it from no thread of the pool.
  void Stop();

 private:
  void Work();
  bool HasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return stopped_ || !tasks_.empty(); }

  const size_t queue_max_;
  absl::Mutex mu_;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  std::deque<std::function<void()>> tasks_ ABSL_GUARDED_BY(mu_);
  std::vector<std::thread> threads_;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_SERVICE_THREAD_POOL_H_
