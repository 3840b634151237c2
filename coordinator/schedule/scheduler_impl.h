// The state of the scheduling core and its steps, by family of events. Only the scheduler_*.cc
// files include it. Not thread-safe; pure.

#ifndef TILEWRIGHT_COORDINATOR_SCHEDULE_SCHEDULER_IMPL_H_
#define TILEWRIGHT_COORDINATOR_SCHEDULE_SCHEDULER_IMPL_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "coordinator/schedule/deadlines.h"
#include "coordinator/schedule/job.h"
#include "coordinator/schedule/job_order.h"
#include "coordinator/schedule/lease.h"
#include "coordinator/schedule/ready_index.h"
#include "coordinator/schedule/scheduler.h"
#include "coordinator/schedule/stage.h"
#include "coordinator/schedule/tenant.h"
#include "coordinator/schedule/worker.h"

namespace tilewright {

class Scheduler::Impl {
 public:
  using Job = schedule::Job;
  using Lease = schedule::Lease;
  using LeaseState = schedule::LeaseState;
  using Stage = schedule::Stage;
  using StageWorker = schedule::StageWorker;
  using Tenant = schedule::Tenant;
  using Worker = schedule::Worker;
  using WorkerState = schedule::WorkerState;

  Impl(const SchedulerOptions& options, uint64_t epoch) : options_(options), epoch_(epoch) {}
  // scheduler_restore.cc: once, before the first event.
  void Restore(const Snapshot& snapshot, Instant now);

  // scheduler.cc
  Decisions Handle(const Event& event, Instant now);
  Instant next_deadline() const { return next_deadline_; }
  std::optional<JobView> ViewJob(const std::string& name) const;
  void Forget(const std::string& name);
  std::vector<WorkerView> ViewWorkers() const;
  std::optional<WorkerView> ViewWorker(const std::string& name) const;
  std::vector<MatchView> Match(const JobSpec& spec) const;
  // scheduler_operations.cc
  absl::Status Admit(const JobSubmitted& job, absl::Duration* retry_after) const;
  absl::Status AdmitPriority(const std::string& job, int priority) const;
  Footprint footprint() const {
    return {jobs_.size(), workers_.size(), leases_.size(), deadlines_.armed()};
  }
  // scheduler_invariants.cc
  absl::Status CheckInvariants() const;

 private:
  // ---- scheduler.cc: lookups, timers, notices
  void FireDue();
  void Fire(schedule::Timer timer);
  void On(const Tick&) {}
  Job* FindJob(const std::string& name) const;
  Job* FindJob(uint64_t id) const;
  // The active stages of the job of that name, or with a stage of that name, in order.
  std::vector<Job*> ActiveStages(const std::string& name) const;
  Worker* FindWorker(const std::string& name) const;
  // Without the jobs it is blocklisted for.
  WorkerView ViewOf(const Worker& worker) const;
  // A lease, granted or adopted, that `worker` has not ended; null otherwise.
  Lease* FindLease(const LeaseKey& key, const std::string& worker) const;
  Lease* FindLease(uint64_t sequence) const;
  LeaseKey KeyOf(const Lease& lease) const {
    return lease.earlier.value_or(LeaseKey{epoch_, lease.sequence});
  }
  // "3", or "1/3" of an earlier coordinator.
  std::string NameOf(const LeaseKey& lease) const;
  std::string NameOf(const Lease& lease) const { return NameOf(KeyOf(lease)); }
  // Adds a record on the job.
  void Keep(const Job& job, Record record);
  // Adds a notice within the job's limit per kind; a null job is none.
  void Tell(Job* job, std::string kind, std::optional<int64_t> tile, const std::string& worker,
            std::string text);

  // ---- scheduler_restore.cc: what an earlier coordinator left
  void RestoreJob(const RestoredJob& from);
  // What its submission says that an earlier job has done; nothing if that is none of its own.
  void ContinueJob(Job& job);
  // `from`: RestoredJob or ContinuedTiles.
  template <typename Done>
  void BeginWith(Job& job, const Done& from);
  // Says what was taken over, and ends what only lacked the record of its end.
  void TellRestored();
  // While true nothing is granted: the workers of the earlier coordinator first say what they hold.
  bool WaitsForWorkers() const { return !awaited_.empty(); }
  void EndWait();
  // Goes on with a lease of an earlier coordinator if its job and one of its tiles are still to be
  // had. False: the worker had better drop it.
  bool Adopt(Worker& worker, const HeldLease& held);
  // Tells the worker to drop a lease that is not known here. Until it has, it holds its tiles, and
  // what it runs of it keeps it from new work.
  void Discard(Worker& worker, const HeldLease& held);
  void RecordJoined(Worker& worker);
  void RecordGone(Worker& worker);

  // ---- scheduler_jobs.cc: the life of jobs
  void On(const JobSubmitted& event);
  // Enters it, and looks for candidates.
  void Submit(const JobSpec& spec);
  void On(const JobStopped& event);
  // Enters the job, submitted `age` ago, among the active ones; nothing is ready yet.
  Job& OpenJob(const JobSpec& spec, absl::Duration age);
  // Unless the status is OK, the other stages of its job end with it.
  void EndJob(Job& job, EndReason reason, const absl::Status& status);
  void EndStage(Job& job, EndReason reason, const absl::Status& status);
  // Ends it if nothing is left to do.
  void EndIfDone(Job& job);
  // Estimate; absent while unknown, or while only the user can make it go on.
  std::optional<absl::Duration> Remaining(const Job& job) const;
  // Keeps the index of jobs with ready tiles; after every change of a tile's state.
  void UpdateReady(Job& job);
  Stage& StageFor(const JobSpec& spec);
  Tenant& TenantFor(const std::string& name);
  // Forgets tenants without a job that would be no worse off as new ones.
  void ForgetTenants();
  void ForgetStages();
  // Puts the worker in or out of the job's candidates, and draws the consequences.
  void RefreshCandidate(Job& job, Worker& worker);
  void CandidatesChanged(Job& job);
  // Whether some connected worker can compute the job, now or once its class is known.
  bool HasHope(const Job& job) const;
  // Says why nobody can take its tiles, unless that was said last.
  void TellWaiting(Job& job);
  void OnWorkerGrace(Job& job);
  // "w1 does not run …; w2 has …": of at most 8 connected workers.
  std::string WhyNobody(const Job& job) const;
  // Why this connected worker gets nothing of the job; empty if it may.
  std::string WhyNot(const Job& job, const Worker& worker) const;

  // ---- scheduler_operations.cc: what users do to jobs
  void On(const JobPaused& event);
  void On(const JobResumed& event);
  void On(const JobPriority& event);
  void On(const FailedTilesRetried& event);
  void On(const HolesAccepted& event);
  void RetryFailed(Job& stage);
  void OnMaxDuration(Job& job);
  // The tile is poison and waits for a decision.
  void ParkTile(Job& job, int64_t tile);
  // The tile is left out; the job ends if that was all.
  void LeaveOut(Job& job, int64_t tile);
  // Takes back what is still open of a tile that nobody wants any more.
  void TakeBackAttempts(Job& job, int64_t tile, const std::string& text);
  const TenantQuota& QuotaOf(const std::string& tenant) const;
  // Until the tenant's open work is done, if it had all of its workers for itself.
  std::optional<absl::Duration> Remaining(const Tenant& tenant) const;

  // ---- scheduler_standing.cc: whether a worker is to be trusted with work
  void On(const WorkerDrained& event);
  void On(const WorkerResumed& event);
  void On(const BlocklistCleared& event);
  // Says so once, when a draining worker holds nothing any more.
  void TellDrained(Worker& worker);
  // Nothing is held against anybody in this job any more: charges and blocklist.
  void ForgiveWorkers(Job& job);
  // Why this worker is no candidate for the job, for its offer or its standing; a predicate that
  // follows its name ("is drained"). Empty if it is one.
  std::string WhyNotCandidate(const Job& job, const Worker& worker) const;
  // The part of it that concerns every job.
  std::string WhyPutAside(const Worker& worker) const;
  // Whether the worker's numeric class does not stand in the way, as far as is known.
  bool Helps(const Job& job, const Worker& worker) const;
  // Whether another candidate in good standing, with nothing overdue, helps the job.
  bool HasGoodOther(const Job& job, const Worker& worker) const;
  // Whether some active job has nobody else in good standing: then it is not put aside.
  bool IsNeeded(const Worker& worker) const;
  // A lapse or a charged failure, before it is counted: what lies before a long good run is
  // forgotten.
  void NoteTrouble(Worker& worker);
  void Forgive(Worker& worker);
  // After it was counted; `job` is whose failure it was, null for a lapse.
  void ReviewStanding(Worker& worker, Job* job);
  void MaybeBlocklist(Job& job, Worker& worker);
  void Quarantine(Worker& worker, schedule::QuarantineCause cause, bool refuse_results);
  // The worker is on probation from now on: a candidate again, for one tile at a time.
  void OnQuarantineOver(Worker& worker);
  // It computed a tile in time.
  void GoodTile(Worker& worker);
  void LiftQuarantine(Worker& worker);
  // If no connected worker can compute the job, readmits the best of those put aside for their
  // conduct.
  void KeepSomebody(Job& job);
  // Takes back what the worker has not begun, or, `at_once`, everything; of `only`, or of all jobs.
  void TakeBackUnbegun(Worker& worker, bool at_once, const Job* only = nullptr);
  // After its standing changed.
  void RefreshWorker(Worker& worker);
  // A notice to every active job that the worker is a candidate of, or to none.
  void TellItsJobs(const Worker& worker, const std::string& kind, const std::string& text);
  // Connected eligible workers, those put aside for their conduct included, up to the number that
  // matters for poison: otherwise a bad worker could, by getting others blocklisted, judge alone.
  int64_t PoisonJury(const Job& job) const;

  // ---- scheduler_stages.cc: jobs of several stages
  void On(const TilesReady& event);
  schedule::JobGroup& GroupFor(const JobSpec& spec);
  // Whether what a stage behind it has to do comes first.
  bool HeldUp(const Job& job) const;
  // Keeps Job::full; after every change of a tile's state.
  void UpdateFull(Job& job);

  // ---- scheduler_pressure.cc: what the memory of the coordinator allows
  void On(const JobBudget& event);
  void On(const ResultsHeld& event);
  // One past the last tile that the job's wavefront lets begin.
  int64_t WavefrontEnd(Job& job) const;
  // The tile is about to be accepted, left out or parked: others may become grantable.
  void TileCloses(Job& job, int64_t tile);
  // Whether a running lease waited for results to be taken in, so that its silence says nothing.
  bool WasHeld(const Lease& lease) const { return results_held_ || lease.clock < results_freed_; }

  // ---- scheduler_classes.cc: numeric classes
  void On(const CanaryMeasured& event);
  // By its own canary or that of another worker with its environment key; empty: unknown.
  const std::string& ClassOf(const Stage& stage, const Worker& worker) const;
  bool CanaryFailed(const Stage& stage, const Worker& worker) const;
  // Whether the job's promise lets the worker compute it. A presumed promise does not stand in the
  // way: it turns.
  bool MayGrant(const Job& job, const Worker& worker) const;
  void WantCanaries(Job& job);
  // Sends the next canary that is waited for, if the worker is free. True if it must be left alone
  // for canaries.
  bool OccupiedByCanary(Worker& worker);
  void OnCanaryTimeout(Worker& worker);
  // Nobody else is left: what failed a while ago is asked once more.
  void RetryCanaries(Job& job);
  // Its running canary may still be answered, though nobody waits any more.
  void KeepLateCanary(Worker& worker);
  // The incarnation ended: the canaries that it never answered may have ended it.
  static void CountCanaryDeaths(Worker& worker);
  // Its next lives may try again.
  static void ForgiveCanaryDeaths(schedule::StageWorker& at);
  void ForgetCanary(Worker& worker);
  // Chooses the class of a job with proof as soon as every candidate has answered or the time is
  // over.
  void MaybeChooseClass(Job& job);
  // At the first grant of a job without proof.
  void PresumePromise(Job& job);
  void RecordClass(const Job& job);
  void TurnTolerant(Job& job, std::optional<int64_t> tile, const std::string& worker,
                    const std::string& why);
  // Whether its promise is presumed and may be given up.
  static bool MayTurnTolerant(const Job& job) {
    return job.promise == Promise::kStrict && !job.spec.prove_class;
  }
  void WatchClassHolders(Job& job);
  // The sentence on a foreign class, or empty if the result may be accepted. Sets `numeric_class`
  // for the report.
  std::string ClassMismatch(const Job& job, const ResultArrived& event, const Worker* worker,
                            std::string* numeric_class) const;

  // ---- scheduler_workers.cc: streams, silence, what a worker holds
  void On(const WorkerJoined& event);
  void On(const WorkerHeard& event);
  void On(const WorkerSynced& event);
  void On(const StreamClosed& event);
  void OnSilence(Worker& worker);
  void OnForget(Worker& worker);
  void Heard(Worker& worker);
  // `why` follows "is gone: ".
  void Disconnect(Worker& worker, const std::string& why);
  // The same without what it means to jobs.
  void CloseStream(Worker& worker, const std::string& why);
  // Its process is gone for good: what ran crashed, everything returns.
  void EndIncarnation(Worker& worker);
  void SetSpeed(Stage& stage, Worker& worker, StageWorker& at, bool connected);
  void SyncLease(Lease& lease, const HeldLease& held);
  void ApplyCredits(Worker& worker);

  // ---- scheduler_leases.cc: the life of leases
  void On(const LeaseDropped& event);
  // Enters a lease into all books: granted now, or found after a restart; null: of an ended job.
  Lease& Enter(Worker& worker, Job* job, std::vector<int64_t> tiles,
               std::vector<schedule::TileMark> marks);
  void Grant(Worker& worker, Job& job, std::vector<int64_t> tiles);
  // What one more tile of the job costs.
  schedule::TileCharge ChargeOf(const Job& job, const Worker& worker) const;
  // The job did not get these tiles of the lease.
  void GiveBack(const Lease& lease, int64_t tiles);
  // Takes the whole lease back: its tiles are ready again, the worker is told. `text` is what the
  // worker reads.
  void TakeBackLease(Lease& lease, const std::string& text);
  // The same of some of its wanted tiles; they need not be the last ones.
  void TakeBackTiles(Lease& lease, const std::vector<int64_t>& tiles, const std::string& text);
  // After a lease stopped being live: its wanted tiles without another live attempt become ready.
  // Returns them.
  std::vector<int64_t> OfferTiles(Lease& lease);
  bool HasLiveAttempt(const Job& job, int64_t tile) const;
  // Closes one tile of a lease; the last one ends the lease, which is then gone. A wanted tile that
  // is not accepted becomes ready.
  void SettleTile(Lease& lease, int64_t position);
  void EndLease(Lease& lease);

  // ---- scheduler_clocks.cc: the clocks of leases
  void On(const LeaseStarted& event);
  void On(const LeasePreparing& event);
  void Start(Lease& lease, Instant started);
  // What the work clock gives the next tile of a lease of a job that goes on.
  absl::Duration WorkBudgetOf(const Lease& lease) const;
  void RestartClock(Lease& lease);
  absl::Duration StartBudgetOf(const Lease& lease) const;
  void OnLeaseDeadline(Lease& lease);
  void Lapse(Lease& lease);
  void PreparationStalled(Lease& lease);
  // The tiles that the lease held up are rather tried by another worker next.
  void PreferOthers(Lease& lease);
  // Nothing stays queued behind an attempt that may never end.
  void ReturnQueued(Worker& worker);
  // The first lease that has not ended starts to be waited for.
  void ArmHead(Worker& worker);
  // Asks for a sync if the worker does not settle by itself what it was told to drop, or what
  // lapsed.
  void WaitForReturn(Lease& lease);

  // ---- scheduler_results.cc
  void On(const ResultArrived& event);
  VerdictOn Judge(const ResultArrived& event, Job* job, const Worker* worker,
                  std::string* numeric_class) const;
  void Accept(Job& job, const ResultArrived& event, Worker* worker, const Lease* lease,
              const std::string& numeric_class);
  // Whether a constant result waits for a second one; and what follows if it does: the tile is to
  // be computed elsewhere, or, if it was doubted before and came out constant but different, both
  // workers gave a bad result.
  bool IsDoubtful(const Job& job, const ResultArrived& event) const;
  void Doubt(Job& job, const ResultArrived& event);
  // An accepted result settles the doubt about an earlier one.
  void SettleDoubt(Job& job, const schedule::DoubtedResult& doubted, const ResultArrived& event);
  // The tile at `position` of the lease settled: what it says of the worker's speed.
  void Measure(Lease& lease, int64_t position);

  // ---- scheduler_failures.cc
  void On(const TileFailed& event);
  void OutOfMemory(Job& job, Worker& worker, int64_t tile, const TileFailed& event);
  // A tile has ended the process of the only worker: what starts smaller afterwards can prove
  // nothing, so the job no longer asks for it.
  void AllowSmaller(Job& job, const Worker& worker, int64_t tile);
  // The worker dropped the lease though nobody asked for it: a refusal of its first tile.
  void GiveUp(Lease& lease);
  // Counts it; ReviewStanding draws the consequences once the tile was judged as well.
  void ChargeWorker(Job* job, Worker& worker, bool bad_result = false);
  // One more charged failure; ends the job if the tile is poison. `what` is a noun phrase: "a model
  // error: …".
  void ChargeTile(Job& job, Worker& worker, int64_t tile, const std::string& what);
  // The tile is to blame: what its failures charged to workers in this job counts no more.
  void Acquit(Job& job, const schedule::TileTrouble& trouble);
  // The worker's process died over this lease; `alone`: with no other open tile anywhere.
  void Crash(Lease& lease, bool alone);

  // ---- scheduler_dispatch.cc: who gets what
  void Dispatch();
  // The part of Dispatch in which work is given out.
  void DispatchAwake();
  void Touch(Worker& worker);
  void UpdateIdle(Worker& worker);
  static bool HasOverdue(const Worker& worker);
  // Tiles of the job that still fit into the worker's level.
  static int64_t FreeCreditOf(const Worker& worker, const Job& job);
  int LiveLeases(const Worker& worker) const;
  // After a worker left: leases granted in advance make room for its tiles, which come earlier in
  // the picture. Only leases granted before this event.
  void YieldToReturned();
  // One lease for a worker without, or behind the only one it has. False if there is nothing for
  // it.
  bool GiveLease(Worker& worker, bool prefetch);
  enum class Given {
    kLease,
    kNothing,  // of this job; the next one may have something
    kWait,     // nothing of any job: a later one must not overtake
  };
  Given GiveLeaseOf(Job& job, Worker& worker, bool prefetch);
  // Those who may take tiles of the job, as far as they are known.
  struct Pool {
    double tiles_per_second = 0;  // of the measured ones together
    int64_t measured = 0;
    int64_t workers = 0;
  };
  Pool PoolOf(const Job& job) const;
  // The part that a worker with this speed has in the speed of the pool.
  double PartOf(const Job& job, std::optional<absl::Duration> tile_seconds) const;
  // Of the job's tiles, by all that is decided at a grant.
  void GrantTiles(Job& job, Worker& worker, std::vector<int64_t> tiles);
  std::vector<int64_t> TakeTiles(Job& job, const Worker& worker, int64_t count);
  // Not what it tries already; not what it failed while another usable worker failed it less often
  // and does not try it now.
  bool MayTake(const Job& job, const Worker& worker, int64_t tile) const;
  int64_t IdleSlots(const Job& job) const;
  // Whether the worker takes tiles of the job now or once it is free.
  bool Usable(const Job& job, const Worker& worker) const;

  // ---- scheduler_end_game.cc: when a job ends, and who helps
  // Seconds per tile: measured, else by its probe and what others measured, else as the others on
  // the average, else by its probe and the FLOPs of a tile; nullopt if those are not known.
  std::optional<absl::Duration> TileEstimate(const Stage& stage, const Worker& worker) const;
  // Until a lease that waits for nothing reports Started.
  absl::Duration StartEstimate(const Stage& stage, const Worker& worker, const Stage* loaded) const;
  // Until the lease is through once those before it are. `loaded` is the stage before it, then its.
  absl::Duration TimeOf(const Lease& lease, const Stage** loaded) const;
  // Until the worker has done what it holds and has begun with this stage.
  absl::Duration FreeIn(const Worker& worker, const Stage& stage) const;
  absl::Duration FinishIn(const Lease& lease) const;
  // Keeps the order of leases by expected finish of jobs that are tracked.
  void TrackFinishes(Worker& worker);
  void Track(Job& job);
  // Keeps the index of jobs with nothing ready.
  void UpdateEnding(Job& job);
  // Whether the worker had better leave the job's ready tiles to faster ones; if so it is asked
  // again later.
  bool LeavesToFaster(Job& job, Worker& worker);
  // The same of tiles that run, `latest` first: an attempt of a slow one would keep faster ones
  // from it.
  bool LeavesHelpToFaster(Job& job, const Worker& worker,
                          const std::vector<std::pair<absl::Duration, Lease*>>& latest);
  // Whether the faster workers would be through with so many tiles before this one, which takes
  // `own`, is through with one.
  bool FasterFinish(const Job& job, const Worker& worker, int64_t tiles, absl::Duration own) const;
  // An idle worker takes unstarted tiles over from another, or copies one that runs.
  bool HelpToEnd(Worker& worker);
  bool HelpJob(Job& job, Worker& worker);
  std::vector<Lease*> LatestLeases(Job& job);
  bool TakeOver(Job& job, Worker& worker, Lease& from, absl::Duration finish);
  // `more`: also of tiles that have no copy yet.
  bool Copy(Job& job, Worker& worker, Lease& of, absl::Duration finish, bool more);
  // Whether the tile may have one more copy, which takes `own`: one that nobody copies yet if
  // `more`, else one that is much faster than all attempts.
  bool CopyBeatsOthers(const Job& job, int64_t tile, const Lease& of, absl::Duration own,
                       bool more) const;
  void AskAgain(Job& job, absl::Duration in);
  void OnEndGame(Job& job);
  // Some of the fastest idle workers are to be looked at.
  void WakeFastest(Job& job);
  // How long the lease waited for its start, before it starts: with or without another model.
  void MeasureStart(Lease& lease);
  void SetResting(Worker& worker, bool resting);
  // The lease is no longer live, so it copies nothing.
  void EndCopy(Lease& lease);

  const SchedulerOptions options_;
  const uint64_t epoch_;
  Instant now_;
  Instant next_deadline_ = Instant::Never();
  Decisions out_;  // of the event in hand

  uint64_t last_sequence_ = 0;
  // Numbers of canaries are of this epoch: a worker may still answer one of the coordinator before.
  uint64_t last_canary_ = (epoch_ - 1) << 32;
  uint64_t last_job_ = 0;
  uint64_t last_worker_ = 0;
  uint64_t last_tenant_ = 0;

  // What is walked through is ordered, so that the same events give the same decisions in every
  // process.
  absl::flat_hash_map<std::string, std::unique_ptr<Job>> jobs_;
  // By name. Invariant: those with a stage in jobs_.
  absl::flat_hash_map<std::string, std::unique_ptr<schedule::JobGroup>> groups_;
  absl::btree_map<uint64_t, Job*> active_jobs_;  // Invariant: the jobs not in kEnded, by id.
  schedule::ReadyIndex ready_;                   // Invariant: the servable jobs.
  std::map<std::string, std::unique_ptr<Tenant>> tenants_;
  absl::flat_hash_map<std::string, std::unique_ptr<Worker>> workers_;
  absl::btree_map<uint64_t, Worker*> worker_by_id_;  // Invariant: the workers of `workers_`.
  // Invariant: workers with `idle` set, by their idle_rank: where nothing is measured yet, those
  // with the fastest probe are served first.
  absl::btree_map<std::pair<double, uint64_t>, Worker*> idle_;
  absl::btree_map<uint64_t, Worker*> put_aside_;  // Invariant: workers with quarantined().
  absl::btree_map<uint64_t, std::unique_ptr<Lease>>
      leases_;                                 // by sequence; all that have not ended
  absl::btree_map<LeaseKey, Lease*> adopted_;  // Invariant: those of `leases_` with `earlier` set
  std::map<schedule::StageKey, std::unique_ptr<Stage>> stages_;
  std::vector<Worker*> awake_;  // to be looked at before the event ends
  bool yield_ = false;  // a worker left: what was granted in advance makes room for its tiles
  bool results_held_ = false;  // back-pressure
  Instant results_freed_;      // when it ended last
  // Invariant: active, not paused, nothing ready, something leased.
  absl::btree_map<uint64_t, Job*> ending_jobs_;
  uint64_t granted_before_ = 0;  // sequence of the last lease granted before this event
  int64_t resting_ = 0;          // Invariant: workers with `resting` set.
  bool wake_idle_ = false;       // tiles became ready: idle workers are to be looked at
  schedule::Deadlines deadlines_;
  bool restarted_ = false;  // workers may hold leases of an earlier coordinator
  // Recorded as connected by an earlier coordinator, and have not said yet what they hold.
  // Invariant: empty if and only if kRestartGrace is not armed.
  std::set<std::string> awaited_;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_SCHEDULE_SCHEDULER_IMPL_H_
