// A simulated cluster: one coordinator after the other, workers, users, faults, a clock. A run is
// its plan: the same plan happens the same way every time. Not thread-safe.

#ifndef TILEWRIGHT_TESTS_SIMULATION_WORLD_H_
#define TILEWRIGHT_TESTS_SIMULATION_WORLD_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "tests/simulation/checks.h"
#include "tests/simulation/fairness.h"
#include "tests/simulation/messages.h"
#include "tests/simulation/progress.h"
#include "tests/simulation/queue.h"
#include "tests/simulation/random.h"
#include "tests/simulation/seed_plan.h"
#include "tests/simulation/sim_coordinator.h"
#include "tests/simulation/sim_worker.h"
#include "tests/simulation/store.h"
#include "tests/simulation/trace.h"

namespace tilewright::simulation {

// A connection over which nothing passes for so long is closed by both ends.
inline constexpr absl::Duration kKeepalive = absl::Seconds(15);

// What a run was like.
struct Outcome {
  std::string trouble;  // empty: all was well
  int64_t jobs_succeeded = 0;
  int64_t tiles_merged = 0;
  int64_t tiles_granted = 0;
  double units_granted = 0;
  int64_t faults = 0;
  int64_t bad_results = 0;
  int64_t refusals = 0;   // submissions beyond a quota
  double over_bound = 0;  // Progress::OverBound
  double unfairness = 0;  // Fairness::worst
  int64_t contests = 0;   // Fairness::judged
  int coordinators = 0;
  uint64_t steps = 0;
  absl::Duration time;         // simulated, until the last job ended
  double capacity_units = 0;   // what the live devices could have done in that time
  double destroyed_units = 0;  // done, and lost with its process
  std::map<std::string, double> units_at_first_end;  // merged of each job when the first one ended
  SimCoordinator::Cost core_cost;                    // of all coordinators
};

class World {
 public:
  // `trace`: one line an event; null for none.
  World(const SeedPlan& plan, std::ostream* trace);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // A phase with faults, then a healed one in which every job must end, then quiet in which nobody
  // may still hold anything.
  Outcome Run();

  // ---- For its parts.
  const SeedPlan& plan() const { return plan_; }
  Queue& queue() { return queue_; }
  Instant now() const { return queue_.now(); }
  Trace& trace() { return trace_; }
  Checks& checks() { return checks_; }
  Store& store() { return store_; }
  const SimWorker& worker(size_t number) const { return *workers_[number]; }
  const SimWorker* FindWorker(const std::string& name) const;
  const SimCoordinator* current() const { return current_; }
  // Weight of the tenant among the others.
  double ShareOf(const std::string& tenant) const;
  // Of the greatest tile with its result: a worker that holds less could never do it.
  int64_t TileBytesMax() const;
  // Whether a coordinator could grant something now.
  bool serving() const { return current_ != nullptr && now() >= serves_from_; }
  uint64_t check_every() const { return check_every_; }
  // Leases that the core may keep at once.
  size_t leases_max() const { return leases_max_; }
  const JobPlan* FindJob(const std::string& name) const;
  // What a submission of that job holds.
  JobSubmitted SubmissionOf(const JobSpec& job) const;
  // The stages of a job of several: behind this one, and before it; null if there is none.
  const JobSpec* NextStage(const JobSpec& stage) const;
  const JobSpec* StageBefore(const JobSpec& stage) const;

  // Null if nobody answers.
  Session* Connect(SimWorker& worker);
  ResultStream* ConnectResults(SimWorker& worker);
  // A prefix of what is under way still arrives, then both ends learn of it, each in its time.
  void Break(Session& session, bool worker_dies);
  void Break(ResultStream& stream, bool worker_dies);
  // The worker's process dies, and another one starts after `pause` (unless it stays away).
  void Crash(SimWorker& worker, absl::Duration pause);
  void CoordinatorDied(SimCoordinator& coordinator);
  // A result was merged; the record says that its job ended.
  void Merged(const ResultArrived& result);
  void Ended(const Record& record);
  void Granted(const SimCoordinator& by, const Grant& grant);
  // All grants of an event are told.
  void Served(const SimCoordinator& by);
  // Something else than service changed who is next.
  void TurnsBroken();
  // The answer to a submission: it must agree with the quota.
  void Admitted(const JobSubmitted& job, const absl::Status& answer, absl::Duration retry_after);
  void Noticed(const Notice& notice);

 private:
  size_t LeasesMax() const;
  SimCoordinator* Reachable(SimWorker& worker);
  void StartCoordinator();
  void Submit(size_t job);
  void CheckInputs(const Grant& grant);
  // Users look after jobs that wait for them: decisions on failed tiles.
  void LookAfterJobs();
  void NextFault();
  void InjectFault(Fault fault);
  void InjectWorkerFault(Fault fault, SimWorker& worker);
  void InjectNetworkFault(Fault fault, SimWorker& worker);
  void InjectUserFault(Fault fault);
  void Heal();
  absl::Duration Bound() const;
  void RunUntilEnded();
  void CheckQuiet();
  // Somebody who still holds a lease; empty if nobody does.
  std::string WhoHolds() const;
  SimWorker& AnyWorker() { return *workers_[static_cast<size_t>(chance_.Below(size()))]; }
  int64_t size() const { return static_cast<int64_t>(workers_.size()); }
  bool AllEnded() const;

  const SeedPlan plan_;
  Queue queue_;
  Trace trace_;
  Checks checks_;
  Store store_;
  Random chance_;
  std::map<std::string, const JobPlan*> jobs_;
  std::vector<std::unique_ptr<SimWorker>> workers_;
  std::vector<std::unique_ptr<SimCoordinator>> coordinators_;  // all there ever were
  SimCoordinator* current_ = nullptr;                          // null while there is none
  SimCoordinator* rival_ = nullptr;                            // given up for dead, but alive
  std::deque<Session> sessions_;                               // all there ever were
  std::deque<ResultStream> results_;
  uint64_t streams_ = 0;
  uint64_t check_every_ = 1;
  size_t leases_max_ = 0;
  std::optional<Progress> progress_;          // absent in great runs
  std::optional<Fairness> fairness_;          // absent in great runs
  std::map<std::string, Instant> submitted_;  // by job: when it was admitted first
  Instant serves_from_ = Instant();           // of the present coordinator, at the latest
  std::map<std::string, double> units_merged_;
  // Jobs bound to a class whose holders have too little memory: they wait, as they must, until a
  // user gives them up.
  std::set<std::string> hopeless_;
  bool healed_ = false;
  Instant healed_at_;
  int budget_ = 0;
  Outcome outcome_;
};

}  // namespace tilewright::simulation

#endif  // TILEWRIGHT_TESTS_SIMULATION_WORLD_H_
