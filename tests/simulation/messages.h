// What travels between a simulated worker and a simulated coordinator, and the streams it travels
// on. Value types and handles; not thread-safe.

#ifndef TILEWRIGHT_TESTS_SIMULATION_MESSAGES_H_
#define TILEWRIGHT_TESTS_SIMULATION_MESSAGES_H_

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "coordinator/schedule/decisions.h"
#include "coordinator/schedule/events.h"
#include "tests/simulation/checks.h"
#include "tests/simulation/network.h"
#include "tests/simulation/seed_plan.h"

namespace tilewright::simulation {

class SimCoordinator;
class SimWorker;

// The class that a lying worker states.
inline constexpr char kForeignClass[] = "a-foreign-class";

// Down the control stream.
struct HelloAnswered {
  uint64_t epoch = 0;
};
struct GrantSent {
  Grant grant;
  const JobPlan* job = nullptr;
  uint64_t generation = 0;
  Credit level;  // for the checks: what the coordinator had been told
};
struct SyncAsked {};
using ControlDown = std::variant<HelloAnswered, GrantSent, TakeBack, CanaryOrder, SyncAsked>;

struct InputTiles {
  LeaseKey lease;
  std::vector<int64_t> tiles;
};

struct ResultSent {
  ResultArrived result;
  bool damaged = false;
};
struct VerdictSent {
  LeaseKey lease;
  std::string job;
  int64_t tile = 0;
  VerdictOn verdict;
};

// Between which two processes a stream is.
struct Ends {
  uint64_t id = 0;
  SimWorker* worker = nullptr;
  SimCoordinator* coordinator = nullptr;
  std::string incarnation;
  bool broken = false;
};

// The control stream and the inputs that belong to it.
struct Session : Ends {
  std::shared_ptr<Pipe<Event>> up;
  std::shared_ptr<Pipe<ControlDown>> down;
  std::shared_ptr<Pipe<InputTiles>> inputs;
};

// Results and their verdicts; lives through sessions.
struct ResultStream : Ends {
  std::shared_ptr<Pipe<ResultSent>> up;
  std::shared_ptr<Pipe<VerdictSent>> down;
};

}  // namespace tilewright::simulation

#endif  // TILEWRIGHT_TESTS_SIMULATION_MESSAGES_H_
