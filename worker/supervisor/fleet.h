// The workers of one machine as a state machine: which run, which wait for their next start, what
// becomes of them when the supervisor is told to end. Pure: no process, clock or random number of
// its own; the shell that owns it (supervisor.h) does what it orders. Not thread-safe.

#ifndef TILEWRIGHT_WORKER_SUPERVISOR_FLEET_H_
#define TILEWRIGHT_WORKER_SUPERVISOR_FLEET_H_

#include <cstddef>
#include <functional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/string_view.h"
#include "proto/base/instant.h"
#include "worker/supervisor/death.h"
#include "worker/supervisor/devices.h"
#include "worker/supervisor/restart_policy.h"

namespace tilewright {

struct FleetOptions {
  RestartOptions restart;
  absl::Duration drain = absl::Seconds(20);  // that a worker has to leave by itself
  absl::Duration grace = absl::Seconds(10);  // beyond it, and again before it is killed
};

//             due                 died, comes again
//   kWaiting ------> kRunning ------------------------> kWaiting
//                    kRunning  died, not again -------> kEnded
//                    kRunning  told to drain ---------> kDraining
//                   kDraining  told to stop, or late -> kStopping (killed if late again)
//       kDraining, kStopping   died -----------------> kEnded, or kWaiting if it was drained to
//                                                       begin again with more
//   kWaiting  told to drain or stop -----------------> kEnded
enum class SlotState { kWaiting, kRunning, kDraining, kStopping, kEnded };
absl::string_view ToString(SlotState state);

// One worker that there is to be.
struct Slot {
  Slot(WorkerPlace asked, RestartPolicy restart)
      : place(std::move(asked)), policy(std::move(restart)) {}

  WorkerPlace place;  // as it was asked for
  RestartPolicy policy;
  SlotState state = SlotState::kWaiting;
  int process = 0;  // id; of kRunning, kDraining and kStopping, else 0
  Instant since;    // of the state
  Instant due;      // the next step by itself: the start of kWaiting, the signal of the others
  Instant began;    // of the running life
  bool comes_again = false;  // of kDraining and kStopping: drained to begin again with more
  int starts = 0;
  std::string last_end;  // why the last life ended; empty before the first end
  bool usage = false;    // of kEnded: its flags are wrong

  // As the next life is, or the present one was, started: on the CPU if the GPU was given up.
  std::string Name() const;
  std::string Device() const { return policy.on_cpu() ? "cpu" : place.device; }
};

// What the shell is to do, in order.
struct Launch {  // answer with Started or NotStarted
  size_t slot = 0;
  std::string name;
  std::string device;
  int threads = 1;
  int rung = 0;
};
struct SendSignal {
  int process = 0;
  int signal = 0;
};
struct Say {
  bool warning = false;
  std::string text;
};
using Order = std::variant<Launch, SendSignal, Say>;
using Orders = std::vector<Order>;

class Fleet {
 public:
  // All workers are due at once. `random` gives numbers in [0, 1).
  Fleet(const FleetOptions& options, const Places& places, const std::function<double()>& random,
        Instant now);

  // What is due at `now`.
  Orders OnTick(Instant now);
  // The answers to a Launch.
  Orders Started(size_t slot, int process, Instant now);
  Orders NotStarted(size_t slot, const std::string& why, Instant now);
  // A process that is no worker's is ignored.
  Orders OnEnd(int process, const ProcessEnd& end, Instant now);
  // The supervisor was told to end: at first all workers drain, at any later call they stop now.
  Orders OnEndRequest(Instant now);

  // When OnTick has to be called next; Never if nothing is due by itself.
  Instant next_due() const;
  // Every slot is kEnded.
  bool over() const;
  // Once over: 0, or 2 if a worker ended because its flags are wrong.
  int exit_code() const;
  bool ending() const { return ending_; }
  const std::vector<Slot>& slots() const { return slots_; }

 private:
  void Enter(Slot& slot, SlotState state, Instant now, Instant due);
  Orders Lost(Slot& slot, const Death& death, absl::Duration lived, Instant now);

  const FleetOptions options_;
  const int fallback_threads_;
  std::vector<Slot> slots_;
  bool ending_ = false;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_SUPERVISOR_FLEET_H_
