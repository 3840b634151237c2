#include "coordinator/image/encoder_pool.h"

#include <utility>

namespace tilewright {

EncoderPool::EncoderPool(int threads, int64_t bytes_max) : bytes_max_(bytes_max) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Work(); });
}

EncoderPool::~EncoderPool() {
  {
    absl::MutexLock lock(&mu_);
    stopped_ = true;
  }
  for (std::thread& thread : threads_) thread.join();
}

void EncoderPool::Reserve(int64_t bytes) {
  const auto fits = [this, bytes]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return bytes_ == 0 || bytes_ + bytes <= bytes_max_;
  };
  absl::MutexLock lock(&mu_);
  mu_.Await(absl::Condition(&fits));
  bytes_ += bytes;
}

void EncoderPool::Run(int64_t bytes, std::function<void()> task) {
  absl::MutexLock lock(&mu_);
  tasks_.push_back({bytes, std::move(task)});
}

void EncoderPool::Work() {
  while (true) {
    Task task;
    {
      absl::MutexLock lock(&mu_);
      mu_.Await(absl::Condition(this, &EncoderPool::HasWork));
      if (tasks_.empty()) return;
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    task.run();
    task.run = nullptr;  // with what it holds
    absl::MutexLock lock(&mu_);
    bytes_ -= task.bytes;
  }
}

}  // namespace tilewright
