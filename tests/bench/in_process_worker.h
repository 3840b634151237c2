// A worker without a process or a stream: what the dispatcher sends it is in its hands at once, and
// it returns the part of each input that its tile contributes, as the model "identity" does. So
// what is measured is the coordinator. Thread-safe; a thread of its own works.

#ifndef TILEWRIGHT_TESTS_BENCH_IN_PROCESS_WORKER_H_
#define TILEWRIGHT_TESTS_BENCH_IN_PROCESS_WORKER_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "coordinator/service/dispatcher.h"
#include "coordinator/service/worker_streams.h"

namespace tilewright {

class InProcessWorker : public ControlSink,
                        public InputSink,
                        public ResultSource,
                        public std::enable_shared_from_this<InProcessWorker> {
 public:
  // Says hello, and works until Stop. `dispatcher` must outlive it.
  static absl::StatusOr<std::shared_ptr<InProcessWorker>> Join(Dispatcher& dispatcher,
                                                               const std::string& name);
  ~InProcessWorker() override = default;

  // Ends the thread. Call it once, after the last job.
  void Stop() ABSL_LOCKS_EXCLUDED(mu_);

  void Send(std::vector<v1::CoordinatorEvent> events) override;
  void Send(std::vector<OutgoingTile> tiles) override ABSL_LOCKS_EXCLUDED(mu_);
  int64_t pending_bytes() const override ABSL_LOCKS_EXCLUDED(mu_);
  void Resume() override ABSL_LOCKS_EXCLUDED(mu_);
  // Says so on stderr unless it was stopped.
  void Close(const absl::Status& status) override ABSL_LOCKS_EXCLUDED(mu_);

 private:
  InProcessWorker(Dispatcher& dispatcher, std::string name)
      : dispatcher_(dispatcher), name_(std::move(name)) {}

  void Work() ABSL_LOCKS_EXCLUDED(mu_);
  // Tells the dispatcher one event.
  void Say(const v1::WorkerEvent& event);
  bool HasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return stopped_ || (!tiles_.empty() && !held_up_);
  }

  Dispatcher& dispatcher_;
  const std::string name_;
  std::shared_ptr<InputPump::Feed> feed_;  // set before the thread starts

  mutable absl::Mutex mu_;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  bool held_up_ ABSL_GUARDED_BY(mu_) = false;  // until Resume: merging has to catch up
  std::deque<OutgoingTile> tiles_ ABSL_GUARDED_BY(mu_);
  int64_t pending_bytes_ ABSL_GUARDED_BY(mu_) = 0;  // Invariant: of the payloads of tiles_
  std::thread thread_;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_TESTS_BENCH_IN_PROCESS_WORKER_H_
