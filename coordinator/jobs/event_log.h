// What happened to a job, oldest first, bounded: the latest are kept. Not thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_JOBS_EVENT_LOG_H_
#define TILEWRIGHT_COORDINATOR_JOBS_EVENT_LOG_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>

#include "tilewright/v1/render_service.pb.h"

namespace tilewright {

class EventLog {
 public:
  static constexpr size_t kKept = 1000;

  void Add(v1::Event event) {
    events_.push_back(std::move(event));
    if (events_.size() > kKept) events_.pop_front();
    ++total_;
  }
  void CopyTo(v1::Job* job) const {
    for (const v1::Event& event : events_) *job->add_events() = event;
  }
  // Events ever added.
  int64_t total() const { return total_; }

 private:
  std::deque<v1::Event> events_;  // Invariant: size ≤ kKept
  int64_t total_ = 0;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_JOBS_EVENT_LOG_H_
