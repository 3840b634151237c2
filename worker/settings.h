// What the worker program was told: flags, then environment, then configuration file, then
// defaults. Values; the parser is a pure function of what it is given, except that it reads the
// configuration file.

#ifndef TILEWRIGHT_WORKER_SETTINGS_H_
#define TILEWRIGHT_WORKER_SETTINGS_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace tilewright {

struct WorkerSettings {
  std::string coordinator = "127.0.0.1:7878";
  std::string name;  // default: host name and device
  std::string device = "cpu";
  int threads = 0;  // intra-op; default: every core of a CPU worker, 1 of a GPU worker
  uint32_t credit_tiles = 2048;
  uint64_t credit_bytes = uint64_t{256} << 20;
  // How small the first attempt at a tile is: 0 the whole batch, 1 half of it, 2 single tiles, 3
  // sub-tiles. Whoever starts a worker again after memory, a launch timeout or a hang ended it
  // raises it; what a strict job may not be computed with is not used on it whatever this says.
  int first_rung = 0;
  int drain_timeout_seconds = 20;
  std::string cache_folder;
  uint64_t cache_bytes = uint64_t{32} << 30;  // of models, without those in use
  bool insecure = false;
  bool shared_memory = true;  // with a coordinator on this machine
  bool cuda_graphs = true;    // for models that ask for them
  std::string log_level = "info";
  std::string test_fault;  // TILEWRIGHT_TEST_FAULT, for tests alone
};

// Value of an environment variable, or nothing if it is unset or empty.
using EnvironmentOf = std::function<std::optional<std::string>(const std::string& name)>;

// The settings; or text that was asked for with --help or --version. INVALID_ARGUMENT names the
// flag, variable or line that is wrong.
absl::StatusOr<std::variant<WorkerSettings, std::string>> ParseSettings(
    const std::vector<std::string>& arguments, const EnvironmentOf& environment,
    absl::string_view version);

}  // namespace tilewright

#endif  // TILEWRIGHT_WORKER_SETTINGS_H_
