// Reads the inputs of leased tiles and pushes them to workers, in the order of the leases: a few
// threads, one worker on one thread at a time, paused while a worker's stream holds enough.
// Thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_SERVICE_INPUT_PUMP_H_
#define TILEWRIGHT_COORDINATOR_SERVICE_INPUT_PUMP_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "coordinator/jobs/job_host.h"
#include "coordinator/service/worker_streams.h"

namespace tilewright {

struct InputPumpOptions {
  int threads = 2;
  // A worker's stream that holds this many payload bytes is given no more.
  int64_t pending_bytes_max = int64_t{8} << 20;
  // All streams together; each thread may exceed it by a bundle, and a stream that holds nothing is
  // given a bundle all the same, or workers that do not read would hold up the others.
  int64_t all_pending_bytes_max = int64_t{32} << 20;
};

class InputPump {
 public:
  // The inputs one worker waits for; at most as many as its credit level, which bounds the queue.
  class Feed;

  // `on_error` is told which job cannot be read, with no lock held.
  InputPump(const InputPumpOptions& options,
            std::function<void(const std::string& job, const absl::Status&)> on_error);
  ~InputPump();

  std::shared_ptr<Feed> NewFeed();
  // From now on tiles go there; nullptr: nowhere, they wait.
  void Attach(const std::shared_ptr<Feed>& feed, std::shared_ptr<InputSink> sink);
  void Add(const std::shared_ptr<Feed>& feed, const std::shared_ptr<JobHost>& host, LeaseKey lease,
           const std::vector<int64_t>& tiles);
  // Tiles of the lease (all if empty) are not wanted any more; one that is being read may still be
  // sent.
  void Remove(const std::shared_ptr<Feed>& feed, LeaseKey lease, const std::vector<int64_t>& tiles);
  void RemoveAll(const std::shared_ptr<Feed>& feed);
  // Bytes have left the feed's sink.
  void Sent(const std::shared_ptr<Feed>& feed);
  // Ends the threads. Call it from none of them.
  void Stop();

 private:
  struct Item {
    std::shared_ptr<JobHost> host;
    LeaseKey lease;
    int64_t tile = 0;
  };

  void Work();
  // Takes the bytes that the feed's stream holds into the count; feeds that waited for room may go
  // on.
  void Count(const std::shared_ptr<Feed>& feed) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Queues the feed for a thread if it has something to do and none has it.
  void Ready(const std::shared_ptr<Feed>& feed) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Reads and sends a bundle of the feed's items.
  void Serve(const std::shared_ptr<Feed>& feed) ABSL_LOCKS_EXCLUDED(mu_);
  bool HasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return stopped_ || !ready_.empty(); }

  const InputPumpOptions options_;
  const std::function<void(const std::string& job, const absl::Status&)> on_error_;
  absl::Mutex mu_;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  std::deque<std::shared_ptr<Feed>> ready_ ABSL_GUARDED_BY(mu_);
  // Feeds that have something to do and wait for room among all streams, the longest first.
  std::deque<std::shared_ptr<Feed>> waiting_ ABSL_GUARDED_BY(mu_);
  int64_t pending_bytes_ ABSL_GUARDED_BY(mu_) = 0;  // Invariant: the sum of Feed::counted
  std::vector<std::thread> threads_;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_SERVICE_INPUT_PUMP_H_
