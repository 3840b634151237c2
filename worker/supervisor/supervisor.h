// The shell around Fleet: owns the clock, the signals and the child processes. Belongs to the main
// thread, which must have called BlockSupervisedSignals() before any other thread began.

#ifndef TILEWRIGHT_WORKER_SUPERVISOR_SUPERVISOR_H_
#define TILEWRIGHT_WORKER_SUPERVISOR_SUPERVISOR_H_

#include <signal.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "proto/base/instant.h"
#include "worker/supervisor/devices.h"
#include "worker/supervisor/fleet.h"

namespace tilewright {

struct SupervisorOptions {
  std::string worker;                     // path of tilewright-worker
  std::vector<std::string> worker_flags;  // for every worker
  FleetOptions fleet;
  int nice = 0;
  std::string status_file;  // empty: none
};

// Blocks SIGCHLD and what ends the supervisor, and returns them: SIGTERM, and SIGINT and SIGHUP
// unless whoever started this program had it ignore them (nohup, a script's background job).
sigset_t BlockSupervisedSignals();

class Supervisor {
 public:
  // `signals` are those that were blocked.
  Supervisor(const SupervisorOptions& options, const Places& places, const sigset_t& signals);

  // Serves until every worker has ended for good; the program's exit code. The first signal makes
  // the workers drain, the second stops them now.
  int Run();

 private:
  void Do(const Orders& orders);
  void Do(const Launch& launch);
  void Reap();
  void WriteStatus();

  const SupervisorOptions options_;
  const sigset_t signals_;
  Fleet fleet_;
  std::map<int, uint64_t> memory_kills_;  // the kernel's count when each process began
  std::string status_error_;              // said once
};

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_SUPERVISOR_SUPERVISOR_H_
