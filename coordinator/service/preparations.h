// Jobs that are being prepared: slow work on a few threads, one job on one of them, that may be
// asked to end. Thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_SERVICE_PREPARATIONS_H_
#define TILEWRIGHT_COORDINATOR_SERVICE_PREPARATIONS_H_

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "coordinator/image/interrupt.h"

namespace tilewright {

class Preparations {
 public:
  // At most `jobs_max` wait or are prepared, `threads` of them at a time.
  Preparations(int threads, int jobs_max);
  // Stops with CANCELLED.
  ~Preparations();

  // What is done for the job: ends with what the interrupt asks for, if that was before it began
  // too.
  using Work = std::function<absl::Status(const Interrupt& interrupt)>;
  // Told of its end, when the job is none of these any more: how the work ended, and what was asked
  // of it meanwhile, be it too late.
  using Done = std::function<void(const absl::Status& worked, const absl::Status& asked)>;
  // Both are called on a thread of this object, or on that of End or Stop if it has not begun.
  // RESOURCE_EXHAUSTED over jobs_max, or what Stop said: then neither is.
  absl::Status Add(const std::string& job, Work work, Done done) ABSL_LOCKS_EXCLUDED(mu_);

  // The job is to end with that status. One that has not begun has ended on return. False: it is
  // none of these.
  bool End(const std::string& job, const absl::Status& why) ABSL_LOCKS_EXCLUDED(mu_);
  bool Has(const std::string& job) const ABSL_LOCKS_EXCLUDED(mu_);
  // Whether one that is added now has to wait for others.
  bool Busy() const ABSL_LOCKS_EXCLUDED(mu_);
  // Ends all with that status, waits for them, and takes no more.
  void Stop(const absl::Status& why) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Job {
    Work work;
    Done done;
    bool begun = false;  // else its name is in waiting_
    Interrupt interrupt;
  };

  void Loop() ABSL_LOCKS_EXCLUDED(mu_);
  // Takes it out of waiting_ and does it to its end; nothing if another thread has begun it.
  void Do(const std::string& job) ABSL_LOCKS_EXCLUDED(mu_);
  bool HasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return !stopped_.ok() || !waiting_.empty();
  }

  const int threads_max_;
  const int jobs_max_;
  mutable absl::Mutex mu_;
  absl::Status stopped_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, std::shared_ptr<Job>> jobs_ ABSL_GUARDED_BY(mu_);
  std::deque<std::string> waiting_ ABSL_GUARDED_BY(mu_);  // in order
  std::vector<std::thread> threads_;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_SERVICE_PREPARATIONS_H_
