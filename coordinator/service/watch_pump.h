// Tells watchers how their jobs stand: at once when a state changes, else at most every 200 ms,
// until the job has ended. Thread-safe; one thread of its own.

#ifndef TILEWRIGHT_COORDINATOR_SERVICE_WATCH_PUMP_H_
#define TILEWRIGHT_COORDINATOR_SERVICE_WATCH_PUMP_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "coordinator/jobs/job_record.h"
#include "tilewright/v1/render_service.pb.h"

namespace tilewright {

// Who is told. Called from the pump's thread, with no lock held; must not block.
class Watcher {
 public:
  virtual ~Watcher() = default;
  // False while an earlier update is on its way: the next one is skipped, not queued.
  virtual bool ready() const = 0;
  // `last`: the job has ended; nothing follows.
  virtual void Update(const v1::Job& job, bool last) = 0;
  // Nothing follows: the coordinator stops.
  virtual void Abandon(const absl::Status& status) = 0;
};

class WatchPump {
 public:
  static constexpr absl::Duration kInterval = absl::Milliseconds(200);
  static constexpr int kWatchersMax = 1000;

  explicit WatchPump(std::function<v1::Job(const JobRecord&)> snapshot);
  ~WatchPump();

  // RESOURCE_EXHAUSTED over the limit.
  absl::Status Add(std::shared_ptr<JobRecord> job, std::shared_ptr<Watcher> watcher);
  void Remove(const Watcher* watcher);
  // A state changed: look now.
  void Wake();
  // Abandons all watchers and ends the thread.
  void Stop();

 private:
  struct Watch {
    std::shared_ptr<JobRecord> job;
    std::shared_ptr<Watcher> watcher;
    v1::Job::State state = v1::Job::STATE_UNSPECIFIED;  // last told
    int64_t version = -1;                               // last told
    uint64_t tiles_done = 0;                            // last told
    uint64_t attempts = 0;                              // last told
    absl::Time told = absl::InfinitePast();
    bool ended = false;
  };

  void Work();
  // Tells the watcher if there is something new.
  void Look(Watch& watch);

  const std::function<v1::Job(const JobRecord&)> snapshot_;
  absl::Mutex mu_;
  absl::CondVar wake_;
  bool woken_ ABSL_GUARDED_BY(mu_) = false;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<std::shared_ptr<Watch>> watches_ ABSL_GUARDED_BY(mu_);
  std::thread thread_;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_SERVICE_WATCH_PUMP_H_
