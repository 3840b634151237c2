// Takes accepted tiles to their jobs: one job on one thread at a time, bounded bytes in the queues,
// finishing (which may wait for an export) on threads of its own. A job whose disk is full waits
// with its tiles, and holds up neither threads nor the tiles of others. Thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_SERVICE_MERGE_POOL_H_
#define TILEWRIGHT_COORDINATOR_SERVICE_MERGE_POOL_H_

#include <cstddef>
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
#include "absl/time/time.h"
#include "coordinator/jobs/job_host.h"
#include "coordinator/service/clock.h"
#include "coordinator/service/worker_streams.h"

namespace tilewright {

struct MergePoolOptions {
  int threads = 2;
  // Sources of results are paused above this many queued bytes.
  int64_t queued_bytes_max = int64_t{16} << 20;
  // A job that waits for room on a disk looks for it so often.
  absl::Duration room_retry = absl::Seconds(5);
};

class MergePool {
 public:
  struct Callbacks {
    // A tile could not be merged; the strand drops all further tiles and waits for End. No lock is
    // held.
    std::function<void(const std::string& job, const absl::Status&)> on_error;
    // The strand ended: after JobHost::Finish (with its status) or Abandon (with End's status). The
    // last call.
    std::function<void(const std::string& job, const absl::Status&)> on_ended;
    // HeldBytes() of the strand has changed. No lock is held.
    std::function<void(const std::string& job)> on_merged;
    // Holding() has changed. No lock is held.
    std::function<void()> on_room_changed;
    // The strand waits for room, after each look for it, or does so no longer: WaitsForRoom(strand)
    // and next_retry() have changed. No lock is held.
    std::function<void(const std::string& job)> on_waits_for_room;
  };
  // The queue of one job.
  class Strand;

  // `clock` must outlive the pool.
  MergePool(const MergePoolOptions& options, const Clock& clock, Callbacks callbacks);
  ~MergePool();

  std::shared_ptr<Strand> NewStrand(std::shared_ptr<JobHost> host);
  void Add(const std::shared_ptr<Strand>& strand, int64_t tile, std::vector<std::byte> samples);
  // The tile is left out; in order with Add.
  void AddHole(const std::shared_ptr<Strand>& strand, int64_t tile);
  // Of what is queued and what merging holds, from the next tile on no more than that stays in
  // memory, as far as JobHost::LimitHeld can bring it about.
  void LimitHeld(const std::shared_ptr<Strand>& strand, int64_t bytes_max);
  // Bytes of the strand's queued tiles and of what its host held after the latest of them.
  int64_t HeldBytes(const std::shared_ptr<Strand>& strand) const;
  // Nothing follows. OK: after the queued tiles Finish is called; else queued tiles are dropped and
  // Abandon is called. A second call does nothing, except that an error still stops a strand that
  // has not begun to finish, or finds no room for that.
  void End(const std::shared_ptr<Strand>& strand, const absl::Status& status);

  // Not OK: the strand stands still because a disk is full, in words. Its tiles stay queued, and
  // count towards HeldBytes but not towards the bound of all queues.
  absl::Status WaitsForRoom(const std::shared_ptr<Strand>& strand) const;
  // It looks for room now, if it waits.
  void Retry(const std::shared_ptr<Strand>& strand);
  // Those whose time has come look for room.
  void RetryDue();
  // When RetryDue is due.
  Instant next_retry() const;

  // True: go on reading. False: `source` is resumed when there is room.
  bool HasRoom(const std::shared_ptr<ResultSource>& source);
  // Whether sources of results wait for room.
  bool Holding() const;
  // Ends the threads after the strands that were told to end, but for those that wait for room.
  // Call it from none of them.
  void Stop();

 private:
  struct Item {
    int64_t tile = 0;
    std::vector<std::byte> samples;
    bool hole = false;  // `samples` is empty
  };

  static absl::Status Merge(JobHost& host, Item& item);
  void Push(const std::shared_ptr<Strand>& strand, Item item) ABSL_LOCKS_EXCLUDED(mu_);
  void MergeLoop();
  void FinishLoop();
  // Merges what is queued, as far as there is room; then the strand rests, waits for room, or is
  // ready for a finisher.
  void Drain(const std::shared_ptr<Strand>& strand) ABSL_LOCKS_EXCLUDED(mu_);
  // Merges the batch's items, `bytes` together, until one fails or finds no room: that one and what
  // follows stay in it.
  static absl::Status MergeBatch(Strand& strand, int64_t held_max, int64_t bytes,
                                 std::deque<Item>* batch);
  // What a look for room has found: keeps it, and parks the strand if there is none; what stopped
  // it meanwhile comes first. True if on_waits_for_room is to be told.
  bool FoundRoom(const std::shared_ptr<Strand>& strand, absl::Status* status)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Of a batch of so many bytes, `rest` stays queued.
  static void PutBack(Strand& strand, int64_t bytes, std::deque<Item> rest);
  // Hands a parked strand to the threads again.
  void Unpark(const std::shared_ptr<Strand>& strand) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Ready(const std::shared_ptr<Strand>& strand) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Takes the bytes from the count; sources that may go on are appended.
  void Release(int64_t bytes, std::vector<std::shared_ptr<ResultSource>>* resumed)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool MayMerge() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return stopped_ || !ready_.empty(); }
  bool MayFinish() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return !ending_.empty() || (stopped_ && merging_ == 0);
  }

  const MergePoolOptions options_;
  const Clock& clock_;
  const Callbacks callbacks_;
  mutable absl::Mutex mu_;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  int merging_ ABSL_GUARDED_BY(mu_) = 0;  // merge threads that still run
  // Of all strands but the parked ones, tiles being merged included.
  int64_t queued_bytes_ ABSL_GUARDED_BY(mu_) = 0;
  std::deque<std::shared_ptr<Strand>> ready_ ABSL_GUARDED_BY(mu_);
  std::deque<std::shared_ptr<Strand>> ending_ ABSL_GUARDED_BY(mu_);
  std::vector<std::shared_ptr<Strand>> parked_ ABSL_GUARDED_BY(mu_);
  std::vector<std::shared_ptr<ResultSource>> waiting_ ABSL_GUARDED_BY(mu_);
  std::vector<std::thread> threads_;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_SERVICE_MERGE_POOL_H_
