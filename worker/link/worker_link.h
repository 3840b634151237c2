// A worker's connection to its coordinator: it says hello, takes leases and inputs, has them
// computed by one thread, submits results until they are answered, and comes back when a
// connection breaks. Thread-safe.

#ifndef TILEWRIGHT_WORKER_LINK_WORKER_LINK_H_
#define TILEWRIGHT_WORKER_LINK_WORKER_LINK_H_

#include <grpcpp/channel.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "proto/base/instant.h"
#include "proto/wire/segment.h"
#include "tilewright/v1/worker_service.grpc.pb.h"
#include "worker/backoff.h"
#include "worker/executor/executor.h"
#include "worker/link/compute_loop.h"
#include "worker/link/control_call.h"
#include "worker/link/fault_injection.h"
#include "worker/link/input_call.h"
#include "worker/link/lease_book.h"
#include "worker/link/model_cache.h"
#include "worker/link/result_call.h"

namespace tilewright {

struct LinkOptions {
  std::string coordinator;  // HOST:PORT
  bool insecure = false;    // may leave loopback
  std::string worker;       // name
  std::string incarnation;  // fresh per process
  std::string build;        // version, for people
  v1::Capabilities capabilities;
  std::string cache_folder;
  uint64_t cache_bytes = uint64_t{32} << 30;  // of models in it that are not in use
  LeaseBookLimits limits;
  // Offer memory to a coordinator on this machine (proto/wire/segment.h).
  bool shared_memory = true;
  FaultInjection faults;
  BackoffOptions backoff;
  std::function<double()> random = [] { return 1.0; };       // jitter, in [0, 1)
  std::function<uint64_t()> memory_free = [] { return 0; };  // bytes free on the device now
  // Writes what was measured since the last call into the capabilities; false: nothing. Called at
  // every heartbeat, by the link's own thread.
  std::function<bool(v1::Capabilities*)> take_measured = [](v1::Capabilities*) { return false; };
  // How long Drain and Stop may take to finish a batch and hand over results.
  absl::Duration drain_timeout = absl::Seconds(20);
  absl::Duration stop_timeout = absl::Seconds(2);
};

class WorkerLink final : private TileDesk {
 public:
  // `executor` outlives the link. The error is that of the address (proto/wire/channel.h).
  static absl::StatusOr<std::unique_ptr<WorkerLink>> Create(LinkOptions options,
                                                            Executor* executor);
  // Waits for the computing thread, however long its batch takes.
  ~WorkerLink() override;

  // Serves until Stop: then OK. Connection losses are retried for ever; an error is final:
  // FAILED_PRECONDITION, INVALID_ARGUMENT, PERMISSION_DENIED, UNAUTHENTICATED or UNIMPLEMENTED if
  // the coordinator will not have this worker, ABORTED if another process took its name over,
  // DATA_LOSS with its cause (CauseOf) if the device is lost.
  // Returns within `stop_timeout` of the end. Call it once.
  absl::Status Run();
  // Begins nothing new: what is not in the engine goes back to the coordinator at once. Run returns
  // when the running batch was delivered and answered, at the latest after `drain_timeout`.
  void Drain();
  // Makes Run return soon, draining or not: leases are handed back, results of the running batch
  // still delivered.
  void Stop();
  // The computing thread is in a batch. After Run: it did not finish in time.
  bool computing() const { return computing_; }

 private:
  WorkerLink(LinkOptions options, Executor* executor, std::shared_ptr<grpc::Channel> control,
             std::shared_ptr<grpc::Channel> data);

  // TileDesk, called by the computing thread.
  std::optional<Work> Next(bool wait, bool may_start) override;
  void Preparing(LeaseRef lease, const std::string& text) override;
  void Prepared(LeaseRef lease) override;
  void PrepareFailed(LeaseRef lease, v1::FailureCause cause, const absl::Status& why) override;
  void Deliver(std::vector<Delivery> deliveries) override;
  std::shared_ptr<Segment> SharedMemory() override;
  void CanaryDone(v1::CanaryResult result) override;
  void DeviceMoved() override { ++device_progress_; }
  void DeviceLost(const absl::Status& why) override;

  // Next, without telling that a lease starts.
  std::optional<Work> Take(bool wait, bool may_start);

  // Opens streams.
  void OpenControl() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OpenInputs() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OpenResults() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // What they say, on gRPC's threads.
  void OnControl(ControlCall& stream, v1::ControlResponse response);
  void OnControlEnded(std::shared_ptr<ControlCall> stream, const absl::Status& status);
  absl::Status OnInputs(std::vector<IncomingTile> tiles);
  void OnInputsEnded(std::shared_ptr<InputCall> stream, const absl::Status& status);
  void OnVerdicts(const v1::SubmitTilesResponse& response);
  void OnResultsEnded(std::shared_ptr<ResultCall> stream, const absl::Status& status);
  void StreamEnded(std::shared_ptr<void> stream) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  using Events = std::vector<v1::WorkerEvent>;
  void OfferSegment(v1::Hello* hello) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnHello(ControlCall& stream, const v1::HelloReply& reply, Events* answers)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnGrant(v1::Lease lease, Events* answers) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  static void AddRefused(std::vector<RefusedTile> refused, Events* events);
  void AddDropped(Events* events) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Tells what this thread begins, and waits a little until that is on its way: what begins may end
  // the process, and nobody would know which lease it died of.
  void TellBeginning(v1::WorkerEvent event) ABSL_LOCKS_EXCLUDED(mutex_);
  // Sends events now, or keeps the lasting ones among them for the next session.
  void Tell(Events events) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  static Instant Now();
  void Tend();
  void ShutDown();
  void BeatHeart();
  // Something that Run's thread may wait for has come to its end.
  void WakeWhoWaitsToLeave() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const LinkOptions options_;
  const std::shared_ptr<grpc::Channel> control_channel_;
  const std::shared_ptr<grpc::Channel> data_channel_;
  const std::unique_ptr<v1::WorkerService::Stub> control_stub_;
  const std::unique_ptr<v1::WorkerService::Stub> data_stub_;
  ModelCache models_;
  ComputeLoop loop_;
  std::thread compute_thread_;
  std::thread heart_thread_;
  std::atomic<bool> computing_ = false;
  std::atomic<uint64_t> device_progress_ = 0;
  std::atomic<uint64_t> preparing_progress_ = 0;

  absl::Mutex mutex_;
  absl::CondVar changed_;  // for Run
  absl::CondVar work_;     // for the computing thread
  absl::CondVar beat_;     // for the heartbeat
  LeaseBook book_ ABSL_GUARDED_BY(mutex_);
  std::deque<v1::Canary> canaries_ ABSL_GUARDED_BY(mutex_);
  v1::Capabilities capabilities_ ABSL_GUARDED_BY(mutex_);  // as measured last
  bool measured_unsent_ ABSL_GUARDED_BY(mutex_) = false;
  Events unsent_ ABSL_GUARDED_BY(mutex_);  // for the next session; bounded
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  Instant drained_by_ ABSL_GUARDED_BY(mutex_);  // at the latest; of draining_
  absl::Status fatal_ ABSL_GUARDED_BY(mutex_);

  // Streams that are open; null between. A stream that is not one of them has been given up.
  std::shared_ptr<ControlCall> control_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<InputCall> inputs_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<ResultCall> results_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::shared_ptr<void>> ended_ ABSL_GUARDED_BY(mutex_);  // for Run's thread to free
  int streams_ ABSL_GUARDED_BY(mutex_) = 0;          // not yet ended, given-up ones included
  bool in_session_ ABSL_GUARDED_BY(mutex_) = false;  // the hello was answered
  // Offered with the hello, then what streams of the session are opened with: null if the
  // coordinator did not map it. A stream keeps what it was opened with.
  std::shared_ptr<Segment> segment_ ABSL_GUARDED_BY(mutex_);
  Instant session_began_ ABSL_GUARDED_BY(mutex_);
  bool known_ ABSL_GUARDED_BY(mutex_) = false;  // a hello has ever been answered
  absl::Duration heartbeat_ ABSL_GUARDED_BY(mutex_) = absl::Seconds(2);
  Backoff control_backoff_ ABSL_GUARDED_BY(mutex_);
  Backoff results_backoff_ ABSL_GUARDED_BY(mutex_);
  Instant control_at_ ABSL_GUARDED_BY(mutex_);  // next attempt, if there is no stream
  Instant results_at_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_LINK_WORKER_LINK_H_
