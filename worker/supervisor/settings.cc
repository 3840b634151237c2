#include "worker/supervisor/settings.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <filesystem>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace tilewright {
namespace {

constexpr char kFooter[] =
    R"(Flags win over environment variables [in brackets]. Whatever stands after -- goes to every worker as it is.

--devices is auto (every CUDA device, or the CPU if there is none), or a list of cpu, cpu*N (N workers
that share the cores), cuda (every CUDA device) and cuda:0,1 (these).

SIGTERM, SIGINT or SIGHUP: the workers finish what they compute, hand back the rest and leave. A second
one: they stop now.

Examples:
  tilewright-supervisor --coordinator 10.0.0.5:7878 --insecure      every GPU of this machine
  tilewright-supervisor --devices 'cpu*4' --nice 19                 a borrowed machine of four cores
  tilewright-supervisor --devices cuda:0,1 -- --credits 64          two GPUs, with flags for the workers

Exit codes:
  0  told to end, or every worker was ended by somebody
  2  a wrong flag, of the supervisor's or of a worker's)";

// What the supervisor itself says to each worker.
constexpr std::array<absl::string_view, 5> kOwnFlags = {"--name", "--device", "--threads",
                                                        "--first-rung", "--drain-timeout"};

std::string HostName() {
  std::array<char, 256> name = {};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "worker";
}

std::string BesideItself() {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  return (self.parent_path() / "tilewright-worker").string();
}

}  // namespace

absl::StatusOr<std::variant<SupervisorSettings, std::string>> ParseSupervisorSettings(
    const std::vector<std::string>& arguments, absl::string_view version) {
  SupervisorSettings settings;
  SupervisorOptions& options = settings.supervisor;
  RestartOptions& restart = options.fleet.restart;
  double first_pause = absl::ToDoubleSeconds(restart.pause.first);
  double longest_pause = absl::ToDoubleSeconds(restart.pause.longest);
  double healthy = absl::ToDoubleSeconds(restart.healthy);
  int64_t drain = absl::ToInt64Seconds(options.fleet.drain);
  std::string coordinator, cache, level;
  bool insecure = false;

  CLI::App app("Keeps one tilewright-worker running on each device of this machine.",
               "tilewright-supervisor");
  app.set_version_flag("--version", absl::StrCat("tilewright-supervisor ", version));
  const auto add = [&app](const std::string& name, const std::string& variable, auto& target,
                          const std::string& type, const std::string& text) {
    return app.add_option(name, target, text)->type_name(type)->envname("TILEWRIGHT_" + variable);
  };
  add("--devices", "DEVICES", settings.devices, "LIST", "Devices to serve with (default auto)");
  add("--cpu-threads", "CPU_THREADS", settings.cpu_threads, "N",
      "Threads for all CPU workers together (default: the cores this process may use)")
      ->check(CLI::Range(1, 4096));
  add("--name", "SUPERVISOR_NAME", settings.name, "NAME",
      "What the workers' names begin with (default: host name)");
  add("--worker", "WORKER", options.worker, "PATH",
      "The worker program (default: tilewright-worker beside this program)");
  add("--nice", "NICE", options.nice, "N", "Niceness of the workers, for a borrowed machine")
      ->check(CLI::Range(0, 19));
  add("--status-file", "STATUS_FILE", options.status_file, "PATH",
      "Where to keep the standing of all workers as JSON");
  app.add_flag("--cpu-fallback", restart.cpu_fallback,
               absl::StrCat("A GPU that fails ", restart.device_deaths_max,
                            " times in a row is given up, and its worker serves on the CPU"))
      ->envname("TILEWRIGHT_CPU_FALLBACK");
  add("--drain-timeout", "DRAIN_TIMEOUT", drain, "SECONDS",
      "Time that a draining worker has to finish what it computes (default 20)")
      ->check(CLI::Range(0, 86400));
  add("--restart-pause", "RESTART_PAUSE", first_pause, "SECONDS",
      "Pause after a first crash; doubles with each further one (default 1)")
      ->check(CLI::Range(0.001, 3600.0));
  add("--restart-pause-max", "RESTART_PAUSE_MAX", longest_pause, "SECONDS",
      "Longest pause after a crash (default 60)")
      ->check(CLI::Range(0.001, 86400.0));
  add("--healthy-after", "HEALTHY_AFTER", healthy, "SECONDS",
      "A worker that lived this long is healthy: earlier crashes are forgiven, and one that was "
      "started smaller is started again with more (default 600)")
      ->check(CLI::Range(0.001, 604800.0));
  app.add_option("--coordinator", coordinator, "Handed to the workers")->type_name("HOST:PORT");
  app.add_flag("--insecure", insecure, "Handed to the workers");
  app.add_option("--cache-dir", cache, "Handed to the workers")->type_name("DIR");
  add("--log-level", "LOG_LEVEL", level, "LEVEL", "For the supervisor and the workers")
      ->check(CLI::IsMember({"trace", "debug", "info", "warn", "error", "off"}));
  app.footer(kFooter);

  const auto dashes = std::find(arguments.begin(), arguments.end(), "--");
  try {
    std::vector<std::string> reversed(std::make_reverse_iterator(dashes), arguments.rend());
    app.parse(std::move(reversed));
  } catch (const CLI::CallForHelp&) {
    return app.help();
  } catch (const CLI::CallForVersion& call) {
    return absl::StrCat(call.what(), "\n");
  } catch (const CLI::ParseError& error) {
    return absl::InvalidArgumentError(absl::StrCat(error.what(), "; see --help"));
  }

  if (longest_pause < first_pause) {
    return absl::InvalidArgumentError("--restart-pause-max is below --restart-pause");
  }
  restart.pause = {absl::Seconds(first_pause), absl::Seconds(longest_pause)};
  restart.healthy = absl::Seconds(healthy);
  options.fleet.drain = absl::Seconds(drain);
  if (settings.name.empty()) settings.name = HostName();
  if (settings.name.size() > 100) {
    return absl::InvalidArgumentError("--name is longer than 100 bytes");
  }
  if (options.worker.empty()) options.worker = BesideItself();
  if (access(options.worker.c_str(), X_OK) != 0) {
    return absl::InvalidArgumentError(absl::StrCat("there is no worker program ", options.worker,
                                                   "; say where it is with --worker"));
  }
  std::vector<std::string>& flags = options.worker_flags;
  flags = {"--drain-timeout", absl::StrCat(drain)};
  if (!coordinator.empty()) flags.insert(flags.end(), {"--coordinator", coordinator});
  if (insecure) flags.push_back("--insecure");
  if (!cache.empty()) flags.insert(flags.end(), {"--cache-dir", cache});
  if (!level.empty()) {
    settings.log_level = level;
    flags.insert(flags.end(), {"--log-level", level});
  }
  for (auto flag = dashes; flag != arguments.end(); ++flag) {
    if (flag == dashes) continue;
    for (const absl::string_view own : kOwnFlags) {
      if (*flag == own || absl::StartsWith(*flag, absl::StrCat(own, "="))) {
        return absl::InvalidArgumentError(
            absl::StrCat(own, " after -- cannot be: the supervisor says it to each worker itself"));
      }
    }
    flags.push_back(*flag);
  }
  return settings;
}

}  // namespace tilewright
