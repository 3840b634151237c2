// What the supervisor program was told. Values; the parser is a function of its arguments and of
// the environment variables that --help names.

#ifndef TILEWRIGHT_WORKER_SUPERVISOR_SETTINGS_H_
#define TILEWRIGHT_WORKER_SUPERVISOR_SETTINGS_H_

#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "worker/supervisor/supervisor.h"

namespace tilewright {

struct SupervisorSettings {
  std::string devices = "auto";
  int cpu_threads = 0;  // for all CPU workers together; 0: the cores this process may use
  std::string name;     // the workers' names begin with it; default: host name
  std::string log_level = "info";
  SupervisorOptions supervisor;
};

// The settings; or text that was asked for with --help or --version. INVALID_ARGUMENT names the
// flag that is wrong.
absl::StatusOr<std::variant<SupervisorSettings, std::string>> ParseSupervisorSettings(
    const std::vector<std::string>& arguments, absl::string_view version);

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_SUPERVISOR_SETTINGS_H_
