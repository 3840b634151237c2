// The shell around the scheduling core: it owns the clock, the lock and the workers' streams, tells
// the scheduler what happened and carries out what it decides. Free of gRPC calls; thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_SERVICE_DISPATCHER_H_
#define TILEWRIGHT_COORDINATOR_SERVICE_DISPATCHER_H_

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "coordinator/jobs/job_host.h"
#include "coordinator/jobs/state_store.h"
#include "coordinator/merge/memory_budget.h"
#include "coordinator/merge/stage_chain.h"
#include "coordinator/schedule/scheduler.h"
#include "coordinator/service/canary_excerpts.h"
#include "coordinator/service/clock.h"
#include "coordinator/service/input_pump.h"
#include "coordinator/service/merge_pool.h"
#include "coordinator/service/worker_streams.h"
#include "proto/wire/segment.h"
#include "proto/wire/tile_frames.h"
#include "proto/wire/version.h"
#include "tilewright/v1/pool_service.pb.h"
#include "tilewright/v1/worker_service.pb.h"

namespace tilewright {

struct DispatcherOptions {
  SchedulerOptions schedule;
  uint64_t epoch = 1;  // durable
  absl::Duration heartbeat = absl::Seconds(2);
  std::string build;    // for HelloReply
  std::string host_id;  // for HelloReply
  // Map what workers of this machine offer (proto/wire/segment.h).
  bool shared_memory = true;
  // Names remembered, connected or not; a worker over it is refused.
  int workers_max = 10'000;
  // Deadlines are kept by a thread. Tests that hold the clock say false and call Tick.
  bool keep_time = true;
  InputPumpOptions inputs;
  MergePoolOptions merges;
  // Bytes of results and unfinished outputs of all jobs.
  int64_t memory_bytes = int64_t{256} << 20;
};

class Dispatcher {
 public:
  // `store` keeps the records of all decisions; without one they last as long as the process. Jobs
  // of an earlier coordinator are not taken up again: the store must be empty.
  Dispatcher(const DispatcherOptions& options, const Clock& clock,
             std::unique_ptr<StateStore> store = nullptr);
  // Shuts down.
  ~Dispatcher();
  Dispatcher(const Dispatcher&) = delete;
  Dispatcher& operator=(const Dispatcher&) = delete;

  // Jobs. UNAVAILABLE while shutting down, and after the store has failed: then all jobs end with
  // that status, all streams are closed, and nothing that rests on a lost record leaves.
  // RESOURCE_EXHAUSTED (QUOTA_EXCEEDED, with RetryAfterOf) if the quota of the job's tenant has no
  // room, or (MEMORY_TOO_SMALL) if JobHost::memory() does not fit; INVALID_ARGUMENT for a priority
  // that is none. A job that does not fit beside those that run waits for them.
  absl::Status Submit(const JobSpec& job, std::shared_ptr<JobHost> host) ABSL_LOCKS_EXCLUDED(mu_);
  // The same of a job of several stages, in order: the first has the job's name, the others say
  // whose they are. Only the last publishes anything; it is told of the end of all.
  struct Stage {
    JobSpec spec;
    std::shared_ptr<JobHost> host;
  };
  absl::Status Submit(std::vector<Stage> stages) ABSL_LOCKS_EXCLUDED(mu_);
  // What Submit would say of it now; `memory` has the floors of all its stages.
  absl::Status Check(const JobSubmitted& job, const JobMemory& memory) const
      ABSL_LOCKS_EXCLUDED(mu_);
  // Tiles of a later stage, by number, can be computed, or are left out since what they read was.
  void ReleaseTiles(const std::string& stage, const StageChain::Complete& complete)
      ABSL_LOCKS_EXCLUDED(mu_);
  // Ends the job with that status (CANCELLED: the user's wish) unless its output is being published
  // already; JobHost::OnEnded follows on another thread. Nothing happens to a job that is not
  // running.
  void Stop(const std::string& job, const absl::Status& why) ABSL_LOCKS_EXCLUDED(mu_);
  // Operations on a running job. FAILED_PRECONDITION (JOB_ENDED) if it has ended or all its tiles
  // are computed, unless the same was done before to make the job go on (resume, retry, accept
  // holes). Doing one twice is doing it once.
  absl::Status Pause(const std::string& job) ABSL_LOCKS_EXCLUDED(mu_);
  // A job that waits for room on a disk looks for it at once, whatever else becomes of it.
  absl::Status Resume(const std::string& job) ABSL_LOCKS_EXCLUDED(mu_);
  // Besides: INVALID_ARGUMENT (BAD_PRIORITY) outside kPriorityMin to kPriorityMax,
  // RESOURCE_EXHAUSTED (QUOTA_EXCEEDED) above what the tenant may have.
  absl::Status SetPriority(const std::string& job, int priority) ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status RetryFailedTiles(const std::string& job) ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status AcceptHoles(const std::string& job) ABSL_LOCKS_EXCLUDED(mu_);
  // All stages together. nullopt once it has ended.
  std::optional<JobView> ViewJob(const std::string& job) const ABSL_LOCKS_EXCLUDED(mu_);
  // Each of them, in order. Empty once it has ended.
  std::vector<JobView> ViewStages(const std::string& job) const ABSL_LOCKS_EXCLUDED(mu_);
  std::vector<MatchView> Match(const JobSpec& job) const ABSL_LOCKS_EXCLUDED(mu_);

  // Control streams. Hello answers HelloReply on the stream before anything else;
  // FAILED_PRECONDITION (PROTOCOL_MISMATCH) for another major, naming both; INVALID_ARGUMENT for a
  // nameless worker.
  absl::Status Hello(const v1::Hello& hello, std::shared_ptr<ControlSink> control)
      ABSL_LOCKS_EXCLUDED(mu_);
  // Events after the hello, in order. Ignored from a stream that is not the worker's latest.
  void Heard(const std::string& worker, const ControlSink* control,
             const v1::ControlRequest& request) ABSL_LOCKS_EXCLUDED(mu_);
  void ControlClosed(const std::string& worker, const ControlSink* control)
      ABSL_LOCKS_EXCLUDED(mu_);

  // Data streams. FAILED_PRECONDITION (UNKNOWN_WORKER) for a worker whose present incarnation never
  // said hello.
  absl::Status CheckWorker(const std::string& worker, const std::string& incarnation) const
      ABSL_LOCKS_EXCLUDED(mu_);
  // What the worker's data streams may send through besides; null: nothing.
  std::shared_ptr<Segment> SegmentOf(const std::string& worker,
                                     const std::string& incarnation) const ABSL_LOCKS_EXCLUDED(mu_);
  // Inputs go to this stream from now on, those of all leases held without a verdict first.
  absl::StatusOr<std::shared_ptr<InputPump::Feed>> AttachInputs(const std::string& worker,
                                                                const std::string& incarnation,
                                                                std::shared_ptr<InputSink> inputs)
      ABSL_LOCKS_EXCLUDED(mu_);
  void DetachInputs(const std::string& worker, const InputSink* inputs) ABSL_LOCKS_EXCLUDED(mu_);
  // Payload bytes have left a stream of inputs.
  void InputsSent(const std::shared_ptr<InputPump::Feed>& feed) { pump_.Sent(feed); }
  // Judges results in order and passes accepted ones on; one verdict each. The worker was checked.
  // UNAVAILABLE, and no verdict on any of them, if the store failed.
  absl::StatusOr<std::vector<v1::TileVerdict>> Results(const std::string& worker,
                                                       const std::string& incarnation,
                                                       std::vector<IncomingTile> tiles)
      ABSL_LOCKS_EXCLUDED(mu_);
  // True: read further results. False: `source` is resumed when merging has caught up.
  bool HasRoom(const std::shared_ptr<ResultSource>& source) { return merges_.HasRoom(source); }

  // Connected workers by name.
  std::vector<v1::WorkerInfo> ListWorkers() const ABSL_LOCKS_EXCLUDED(mu_);
  // Operations on a worker that is connected, or away and remembered (Scheduler::ViewWorker): they
  // hold when it comes back. The worker as it stands after that; NOT_FOUND (UNKNOWN_WORKER) for any
  // other name. Doing one twice is doing it once.
  absl::StatusOr<v1::WorkerInfo> Drain(const std::string& worker, bool at_once)
      ABSL_LOCKS_EXCLUDED(mu_);
  absl::StatusOr<v1::WorkerInfo> ResumeWorker(const std::string& worker) ABSL_LOCKS_EXCLUDED(mu_);
  absl::StatusOr<v1::WorkerInfo> ClearBlocklist(const std::string& worker) ABSL_LOCKS_EXCLUDED(mu_);

  // Time passed.
  void Tick() ABSL_LOCKS_EXCLUDED(mu_);
  // When Tick is due at the latest.
  Instant next_deadline() const ABSL_LOCKS_EXCLUDED(mu_);

  // Ends all jobs with UNAVAILABLE, waits until they have removed what they created, and closes all
  // streams.
  void Shutdown() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  // A lease in a worker's hands: what has to be sent again if the stream of inputs breaks.
  struct HeldTiles {
    std::string job;
    std::vector<int64_t> tiles;  // in the order of the lease; settled ones are -1
    size_t open = 0;             // Invariant: the number of tiles that are not -1
    size_t next = 0;             // where the next verdict is likely to be
    int take_backs = 0;          // of some of them, sent on this stream and not answered yet
  };
  // A worker by name: its latest incarnation, connected or not.
  struct Peer {
    std::string incarnation;
    std::string build;
    v1::Capabilities capabilities;
    std::shared_ptr<ControlSink> control;  // nullptr: down
    std::shared_ptr<InputSink> inputs;     // nullptr: down
    std::shared_ptr<InputPump::Feed> feed;
    std::shared_ptr<Segment> segment;  // of the control stream; null: payloads are inline
    std::string segment_refused;       // why the latest offer was not taken, once it was logged
    std::map<LeaseKey, HeldTiles> held;
  };
  // Operations that were done, by Event::index().
  using Operations = std::bitset<std::variant_size_v<Event>>;
  struct RunningJob {
    std::string job;  // its name; jobs_ is by the name of the stage
    std::shared_ptr<JobHost> host;
    std::shared_ptr<MergePool::Strand> strand;
    Operations operations;
    MemoryLimits limits;          // in force
    bool waits_for_room = false;  // on a disk: nothing more is leased
    bool ended = false;           // no scheduling any more; the strand finishes or abandons
    absl::Status why_stop;        // not OK: said by Stop, and better than the scheduler's words
  };

  // What was decided about one result; nothing of it has left yet.
  struct Judged {
    VerdictOn verdict;
    std::string stage;                          // name of the stage
    std::unique_ptr<Decisions> decisions;       // null: nothing to carry out, which is the rule
    std::shared_ptr<MergePool::Strand> strand;  // of an accepted tile: where it goes
    int64_t tile = 0;
    std::vector<std::byte> samples;
  };

  absl::Status CheckLocked(const JobSubmitted& job, const JobMemory& memory) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Handle(const Event& event, Instant now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // False: the store failed, and nothing that rests on the records may be carried out.
  bool Persist(absl::Span<const Record> records) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Only after their records were persisted.
  void CarryOut(const Decisions& decisions) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void SendGrant(const Grant& grant) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void SendTakeBack(const TakeBack& take_back) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void SendCanary(const CanaryOrder& order) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void LeaveOut(const Hole& hole) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Hands the event over if the job still takes operations.
  absl::Status Operate(const std::string& job, const Event& event) ABSL_LOCKS_EXCLUDED(mu_);
  absl::StatusOr<v1::WorkerInfo> OperateWorker(const std::string& worker, const Event& event)
      ABSL_LOCKS_EXCLUDED(mu_);
  void StopStages(const std::string& job, const absl::Status& why)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // What ended, a job or a stage of one, and the operations on it.
  void Remember(const std::string& ended, const Operations& operations)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::vector<JobView> StageViewsOf(const std::string& job) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::optional<JobView> ViewOf(const std::string& job) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  v1::WorkerInfo InfoOf(const WorkerView& view, Instant now) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Report(const Notice& notice) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void EndJob(const std::string& job, const absl::Status& status)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The names of a job's stages, in order.
  std::vector<std::string> StagesOf(const std::string& job) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Of the stage that a worker names; the job's if it names one that is not there.
  std::string StageNamed(const v1::TileIdentity& tile) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void HandleWorkerEvent(const std::string& worker, Peer& peer, const v1::WorkerEvent& event,
                         Instant now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // What the shell can see of a result: who sent it, and, if it is meant for the running job's plan
  // (nullptr: none runs), checksum, shape and bytes. The error's reason goes into the verdict.
  absl::Status CheckResult(const std::string& worker, const std::string& incarnation,
                           const IncomingTile& tile, const RunningJob* job) const;
  // Appends to `records` what must be persisted before anything of it leaves.
  Judged Judge(const std::string& worker, const std::string& incarnation, IncomingTile& tile,
               Instant now, std::vector<Record>* records) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Drops from `peer.held` what the worker, which has seen it granted, no longer holds.
  void ForgetLost(Peer& peer, const WorkerSynced& synced) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Settle(Peer& peer, LeaseKey lease, int64_t tile) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  ControlSink* ControlOf(const std::string& worker) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // A job's strand ended.
  void StrandEnded(const std::string& job, const absl::Status& status) ABSL_LOCKS_EXCLUDED(mu_);
  // Results wait for merging, or do so no longer.
  void RoomChanged() ABSL_LOCKS_EXCLUDED(mu_);
  // Merging of the job waits for room on a disk, or does so no longer.
  void DiskRoomChanged(const std::string& job) ABSL_LOCKS_EXCLUDED(mu_);
  // For Resume: lets a job that waits for room look for it. True if that is all that can be done
  // for it, since it has no more tiles to compute.
  bool LookForRoom(const std::string& job) ABSL_LOCKS_EXCLUDED(mu_);
  // Tiles of the job were merged.
  void Merged(const std::string& job) ABSL_LOCKS_EXCLUDED(mu_);
  // What the job holds may have changed: counts it, and applies what follows.
  void CountHeld(const std::string& job) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Tells scheduler and merging what has changed of the job's limits.
  void ApplyLimits(const std::string& job) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The same of all jobs: one came or went.
  void ApplyAllLimits() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void KeepTime() ABSL_LOCKS_EXCLUDED(mu_);
  bool NoJobs() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return jobs_.empty(); }

  const DispatcherOptions options_;
  const Clock& clock_;
  mutable absl::Mutex mu_;
  absl::CondVar time_changed_;
  Scheduler scheduler_ ABSL_GUARDED_BY(mu_);
  MemoryBudget budget_ ABSL_GUARDED_BY(mu_);
  CanaryExcerpts excerpts_ ABSL_GUARDED_BY(mu_);  // as little durable as the scheduler's classes
  const std::unique_ptr<StateStore> store_ ABSL_PT_GUARDED_BY(mu_);
  absl::Status broken_
      ABSL_GUARDED_BY(mu_);  // not OK: the store failed, the scheduler is not asked
  absl::flat_hash_map<std::string, Peer> peers_ ABSL_GUARDED_BY(mu_);       // by name
  absl::flat_hash_map<std::string, RunningJob> jobs_ ABSL_GUARDED_BY(mu_);  // by name of the stage
  // Names of stages by that of their job, of jobs of several. Invariant: one of them is in jobs_.
  absl::flat_hash_map<std::string, std::vector<std::string>> stages_ ABSL_GUARDED_BY(mu_);
  // The latest jobs that ended: their late results are duplicates, not strangers.
  std::deque<std::string> ended_order_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<std::string, Operations> ended_ ABSL_GUARDED_BY(mu_);
  Instant time_keeper_wakes_ ABSL_GUARDED_BY(mu_) = Instant::Never();
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  // Their threads call back into this object: they come last and stop first.
  InputPump pump_;
  MergePool merges_;
  std::thread time_keeper_;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_SERVICE_DISPATCHER_H_
