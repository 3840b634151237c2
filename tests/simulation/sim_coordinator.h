// One coordinator process: the unchanged core in a shell that persists, then sends, and may die
// between any two of these steps. Not thread-safe.

#ifndef TILEWRIGHT_TESTS_SIMULATION_SIM_COORDINATOR_H_
#define TILEWRIGHT_TESTS_SIMULATION_SIM_COORDINATOR_H_

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "coordinator/schedule/scheduler.h"
#include "tests/simulation/messages.h"

namespace tilewright::simulation {

class World;

class SimCoordinator {
 public:
  SimCoordinator(World& world, uint64_t epoch, const Snapshot& snapshot);
  SimCoordinator(const SimCoordinator&) = delete;
  SimCoordinator& operator=(const SimCoordinator&) = delete;

  uint64_t epoch() const { return epoch_; }
  bool alive() const { return alive_; }
  const Scheduler& scheduler() const { return scheduler_; }

  // Users. RESOURCE_EXHAUSTED or INVALID_ARGUMENT as the core's Admit; UNAVAILABLE if it died
  // before it answered.
  absl::Status Submit(const JobPlan& job);
  // The verdict on a result goes to the stream it came by.
  void Handle(const Event& event, ResultStream* answer_to = nullptr);

  // What its streams deliver; `ended` after the last message.
  void OnControl(Session& session, const Event& event);
  void OnResult(ResultStream& stream, const ResultSent& sent);
  void OnSessionEnded(const Session& session);
  // Whether it has met the incarnation, so that it takes results of it.
  bool KnowsWorker(const std::string& worker, const std::string& incarnation) const;

  // Merging is behind: results wait until it is not.
  void HoldResults(bool held);

  // It dies after so many more steps, at the earliest now.
  void DieIn(int steps) { dies_in_ = steps; }
  void LiveOn() { dies_in_.reset(); }
  void Die();

  struct Cost {
    uint64_t events = 0;
    double seconds = 0;  // of the real clock, inside the core
    // Events that granted something, by duration: bucket i holds those up to 2^(i/4) ns.
    std::array<uint64_t, 160> grants{};

    void Add(double event_seconds, bool granted);
    void Add(const Cost& other);
    // Seconds that 99 of 100 events that granted something took at most, rounded up to a bucket.
    double GrantPercentile99() const;
  };
  const Cost& cost() const { return cost_; }

 private:
  bool Persist(const Decisions& decisions, const ResultArrived* result);
  void Send(const Decisions& decisions);
  void SendVerdict(ResultStream& stream, const ResultArrived& result, const VerdictOn& verdict);
  void SendGrant(const Grant& grant);
  // One step of carrying out; false if it died instead.
  bool Step();
  void CheckCore(const Event& event);
  void CheckFootprint();
  void KeepTime();
  // The merging of a stage has come so far that tiles of the next one can be computed.
  void ReleaseTiles(const std::string& stage);
  Session* SessionOf(const std::string& worker);

  World& world_;
  const uint64_t epoch_;
  const std::string actor_;  // for the trace
  Scheduler scheduler_;
  bool alive_ = true;
  bool deposed_ = false;  // answers hellos, and nothing else
  std::optional<int> dies_in_;
  std::map<std::string, Session*> sessions_;         // by worker
  std::map<std::string, std::string> incarnations_;  // by worker, connected or not
  std::set<std::string> releases_;                   // stages that ReleaseTiles is under way for
  std::map<std::string, uint64_t> generations_;      // of the jobs it knows
  std::map<std::string, Credit> levels_;             // as last told
  bool results_held_ = false;
  std::deque<std::pair<ResultStream*, ResultSent>> held_results_;
  Instant wakes_ = Instant::Never();
  uint64_t events_ = 0;
  Cost cost_;
};

}  // namespace tilewright::simulation

#endif  // TILEWRIGHT_TESTS_SIMULATION_SIM_COORDINATOR_H_
