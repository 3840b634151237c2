#include "coordinator/service/preparations.h"

#include <algorithm>
#include <utility>

#include "proto/base/status_macros.h"
#include "proto/wire/status_details.h"

namespace tilewright {

Preparations::Preparations(int threads, int jobs_max) : threads_max_(threads), jobs_max_(jobs_max) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Loop(); });
}

Preparations::~Preparations() { Stop(absl::CancelledError("nothing is prepared any more")); }

absl::Status Preparations::Add(const std::string& job, Work work, Done done) {
  absl::MutexLock lock(&mu_);
  TW_RETURN_IF_ERROR(stopped_);
  if (static_cast<int>(jobs_.size()) >= jobs_max_) {
    return WithReason(absl::ResourceExhaustedError(
                          "too many jobs wait to be prepared: try again when some of them run"),
                      "TOO_MANY_JOBS");
  }
  const auto added = std::make_shared<Job>();
  added->work = std::move(work);
  added->done = std::move(done);
  jobs_[job] = added;
  waiting_.push_back(job);
  return absl::OkStatus();
}

void Preparations::Loop() {
  while (true) {
    std::string next;
    {
      absl::MutexLock lock(&mu_);
      mu_.Await(absl::Condition(this, &Preparations::HasWork));
      if (waiting_.empty()) return;
      next = waiting_.front();
    }
    Do(next);
  }
}

void Preparations::Do(const std::string& name) {
  std::shared_ptr<Job> job;
  {
    absl::MutexLock lock(&mu_);
    const auto place = std::find(waiting_.begin(), waiting_.end(), name);
    if (place == waiting_.end()) return;
    waiting_.erase(place);
    job = jobs_.at(name);
    job->begun = true;
  }
  const absl::Status worked = job->work(job->interrupt);
  {
    absl::MutexLock lock(&mu_);
    jobs_.erase(name);
  }
  job->done(worked, job->interrupt.Check());
}

bool Preparations::End(const std::string& name, const absl::Status& why) {
  bool begun = false;
  {
    absl::MutexLock lock(&mu_);
    const auto found = jobs_.find(name);
    if (found == jobs_.end()) return false;
    found->second->interrupt.Ask(why);
    begun = found->second->begun;
  }
  if (!begun) Do(name);
  return true;
}

bool Preparations::Has(const std::string& job) const {
  absl::MutexLock lock(&mu_);
  return jobs_.contains(job);
}

bool Preparations::Busy() const {
  absl::MutexLock lock(&mu_);
  return static_cast<int>(jobs_.size()) >= threads_max_;
}

void Preparations::Stop(const absl::Status& why) {
  std::deque<std::string> waiting;
  {
    absl::MutexLock lock(&mu_);
    if (stopped_.ok()) stopped_ = why;
    for (const auto& [name, job] : jobs_) job->interrupt.Ask(why);
    waiting = waiting_;
  }
  for (const std::string& name : waiting) Do(name);
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

}  // namespace tilewright
