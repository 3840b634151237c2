// A worker as the protocol wants it, with faults on top. It keeps leases like worker/link's book
// does: results until they are acknowledged, also through broken streams; started leases through
// sessions; nothing of an older coordinator. Not thread-safe.

#ifndef TILEWRIGHT_TESTS_SIMULATION_SIM_WORKER_H_
#define TILEWRIGHT_TESTS_SIMULATION_SIM_WORKER_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/simulation/messages.h"

namespace tilewright::simulation {

class World;

// Set by faults; taken back when the cluster heals.
struct Ailments {
  bool hung = false;          // the device stands still
  double slow = 1;            // factor on its times
  bool wrong_digest = false;  // results name another plan or model
  bool wrong_class = false;
  bool stays_away = false;  // does not come back by itself
  // Once each:
  std::optional<TileFailureCause> fail_next;
  bool damage_next = false;
  bool repeat_next = false;
  bool old_next = false;  // an additional result of an earlier generation
  bool stall_next = false;
  bool canary_next = false;
};

class SimWorker {
 public:
  SimWorker(World& world, const WorkerPlan& plan, size_t number);
  SimWorker(const SimWorker&) = delete;
  SimWorker& operator=(const SimWorker&) = delete;

  const std::string& name() const { return plan_.name; }
  std::string incarnation() const;
  bool alive() const { return alive_; }
  bool in_session() const { return in_session_; }
  bool holds_nothing() const { return leases_.empty(); }
  // Whether it can compute what it is sent: nothing is wrong with it, and nothing but tiles is in
  // the device.
  bool serves() const;
  double slowness() const { return ailments_.slow; }
  Credit credit() const { return {credit_, credit_bytes_}; }
  // The class that it states for tiles of the job.
  std::string ClassOf(const JobSpec& spec) const;
  const WorkerPlan& plan() const { return plan_; }
  Line& line() { return line_; }
  Session* session() { return session_; }
  ResultStream* results() { return results_; }
  Ailments& ailments() { return ailments_; }

  // The process starts, with a new incarnation.
  void Start();
  // The process ends, and with it all that it held.
  void Die();
  // The device moves again, the streams are tried at once.
  void Heal();
  void ChangeCredit(int tiles);
  // Drops a lease that nobody took back.
  void GiveUpOne();
  // Changes what its device does; keeps the account of speed.
  void SetHung(bool hung);
  void SetSlow(double factor);

  // What its streams deliver; `ended` after the last message.
  void OnControl(const Session& session, ControlDown message);
  void OnInputs(const Session& session, const InputTiles& inputs);
  void OnVerdict(const ResultStream& stream, const VerdictSent& verdict);
  void OnSessionEnded(uint64_t id);
  void OnResultsEnded(uint64_t id);

  // Units of work that its device could have done by now while its process lived, and units that
  // died with its processes.
  double capacity_units();
  double destroyed_units() const { return destroyed_units_; }

 private:
  enum class TileState { kAwaited, kReady, kComputing, kAbandoned, kComputed, kSettled };
  struct Tile {
    int64_t index = 0;
    TileState state = TileState::kAwaited;
    ResultSent result;  // of kComputed
  };
  enum class Stage { kQueued, kPreparing, kReady };
  struct Lease {
    GrantSent terms;
    Stage stage = Stage::kQueued;
    bool started = false;
    std::vector<Tile> tiles;  // ascending
    int take_backs = 0;       // to be answered when nothing of it is in the device
    size_t first_open = 0;    // Invariant: tiles before it are neither awaited nor ready
    // Invariant: the number of tiles in that state.
    int64_t awaited = 0, ready = 0, computing = 0, abandoned = 0, computed = 0;
    int64_t inside() const { return computing + abandoned; }  // the device
    bool over() const { return awaited + ready + inside() == 0; }
    bool empty() const { return over() && computed == 0; }
    Tile* Find(int64_t index);
    void Set(Tile& tile, TileState state);
  };
  using Leases = std::map<LeaseKey, Lease>;

  void TryControl();
  void TryResults();
  void Beat(int session_number);
  void Tell(Event event);
  void TellSync();
  void OnGrant(const GrantSent& grant);
  void OnTakeBack(const TakeBack& back);
  void Drop(Lease& lease, Tile& tile);
  // Answers take-backs and forgets the lease if nothing is left of it.
  void Tidy(Leases::iterator lease);
  void MatchInputs();
  int64_t Unverdicted() const;  // tiles that wait for their verdicts

  // The device: one thing at a time.
  void Pump();
  void Occupy(absl::Duration time, std::function<void()> done);
  void Prepare(LeaseKey key);
  void PrepareStep(LeaseKey key, absl::Duration left, uint64_t progress);
  void Compute(Leases::iterator lease, std::vector<int64_t> tiles);
  void Computed(LeaseKey key, const std::vector<int64_t>& tiles);
  void RunCanary();
  ResultSent MakeResult(const Lease& lease, int64_t tile);
  void FailTile(Leases::iterator lease, Tile& tile, TileFailureCause cause,
                const std::string& text);
  void Account();

  World& world_;
  const WorkerPlan plan_;
  Line line_;
  Random random_;
  Ailments ailments_;

  bool alive_ = false;
  int incarnation_ = 0;
  int credit_;
  int64_t credit_bytes_;

  // Of the process.
  Session* session_ = nullptr;  // trying, or open
  ResultStream* results_ = nullptr;
  bool in_session_ = false;
  int sessions_ = 0;
  uint64_t epoch_ = 0;  // highest served
  uint64_t seen_ = 0;   // highest sequence in it
  Leases leases_;
  std::map<LeaseKey, std::vector<int64_t>> early_;  // inputs whose grant has not come
  std::vector<Event> unsent_;
  std::deque<CanaryOrder> canaries_;
  std::set<std::string> prepared_;  // models
  std::set<std::string> proven_;    // job stages with a canary's class
  bool busy_ = false;
  uint64_t ticket_ = 0;          // of the device's work; an older one is void
  std::function<void()> stuck_;  // what a hung device has finished

  // Account of speed.
  Instant counted_;
  double capacity_units_ = 0;
  double destroyed_units_ = 0;
  Instant busy_since_;
  double busy_units_ = 0;  // of the batch in the device
  absl::Duration busy_time_;
};

}  // namespace tilewright::simulation

#endif  // TILEWRIGHT_TESTS_SIMULATION_SIM_WORKER_H_
