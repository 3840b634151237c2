#include "worker/settings.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <fstream>
#include <map>
#include <thread>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "proto/base/status_macros.h"
#include "proto/base/switch_word.h"
#include "worker/link/model_cache.h"

namespace tilewright {
namespace {

constexpr char kFooter[] =
    R"(Flags win over environment variables [in brackets], those over the configuration file.

Examples:
  tilewright-worker --device cuda:0                              one GPU of this machine
  tilewright-worker --name left --threads 1                      a second worker needs another name
  tilewright-worker --coordinator 10.0.0.5:7878 --insecure       over a network that you trust

Exit codes:
  0  stopped by SIGTERM or SIGINT: the first one lets it finish the running batch and hands back
     the rest, the second one stops it now
  1  internal error
  2  a wrong flag, environment variable or configuration line
  3  the device is not there
  4  the coordinator does not take this worker: another protocol version, a name taken over
  5  the device is lost: start the worker again
  6  the driver ended a kernel that ran too long: start again with --first-rung one higher
  7  the device made no progress any more: as 6
  8  memory ran out where no tile could be handed back: as 6)";

// Texts as given, by setting; empty where not given.
struct Sources {
  std::map<std::string, std::string> flags;
  std::map<std::string, std::string> file;
  EnvironmentOf environment;

  std::string VariableOf(const std::string& name) const {
    return absl::StrCat("TILEWRIGHT_",
                        absl::AsciiStrToUpper(absl::StrReplaceAll(name, {{"-", "_"}})));
  }
  std::optional<std::string> Find(const std::string& name) const {
    if (const auto it = flags.find(name); it != flags.end()) return it->second;
    if (auto value = environment(VariableOf(name))) return value;
    if (const auto it = file.find(name); it != file.end()) return it->second;
    return std::nullopt;
  }
};

absl::Status Wrong(const std::string& name, const std::string& value, absl::string_view want) {
  return absl::InvalidArgumentError(
      absl::StrCat("--", name, " is '", value, "': it must be ", want));
}

template <typename Number>
absl::Status Set(const Sources& sources, const std::string& name, Number least, Number most,
                 Number* target) {
  const std::optional<std::string> text = sources.Find(name);
  if (!text) return absl::OkStatus();
  if (!absl::SimpleAtoi(*text, target) || *target < least || *target > most) {
    return Wrong(name, *text, absl::StrCat("a whole number from ", least, " to ", most));
  }
  return absl::OkStatus();
}

absl::Status Set(const Sources& sources, const std::string& name, bool* target) {
  const std::string text = sources.Find(name).value_or("false");
  const std::optional<bool> value = ParseSwitch(text);
  if (!value) return Wrong(name, text, "true or false");
  *target = *value;
  return absl::OkStatus();
}

absl::StatusOr<std::map<std::string, std::string>> ReadFile(const std::string& path, bool required,
                                                            const std::vector<std::string>& names) {
  std::map<std::string, std::string> values;
  std::ifstream file(path);
  if (!file) {
    if (!required) return values;
    return absl::InvalidArgumentError(
        absl::StrCat("the configuration file '", path, "' cannot be read"));
  }
  int number = 0;
  for (std::string text; std::getline(file, text);) {
    ++number;
    const absl::string_view line = absl::StripAsciiWhitespace(text);
    if (line.empty() || line.front() == '#') continue;
    const std::vector<absl::string_view> parts = absl::StrSplit(line, absl::MaxSplits('=', 1));
    const std::string name(absl::StripAsciiWhitespace(parts[0]));
    if (parts.size() != 2 || std::find(names.begin(), names.end(), name) == names.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ":", number, ": '", line,
                       "' is no setting; write NAME = VALUE with the name of a flag"));
    }
    values[name] = std::string(absl::StripAsciiWhitespace(parts[1]));
  }
  return values;
}

std::string HostName() {
  std::array<char, 256> name = {};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "worker";
}

}  // namespace

absl::StatusOr<std::variant<WorkerSettings, std::string>> ParseSettings(
    const std::vector<std::string>& arguments, const EnvironmentOf& environment,
    absl::string_view version) {
  const std::vector<std::array<const char*, 3>> options = {
      {"coordinator", "HOST:PORT", "Coordinator to serve (default 127.0.0.1:7878)"},
      {"name", "NAME", "Name of this worker, one connection each (default: host name and device)"},
      {"device", "cpu|cuda:K|openvino:NAME",
       "Device it owns; NAME as OpenVINO calls it, GPU or NPU (default cpu)"},
      {"threads", "N", "Threads that compute (default: all cores for cpu, 1 for cuda)"},
      {"credits", "N", "Tiles held at once, computing ones included (default 2048)"},
      {"credit-bytes", "BYTES", "Bytes of tiles held at once (default 268435456)"},
      {"first-rung", "0-3",
       "Begin smaller: 1 half batches, 2 single tiles, 3 sub-tiles (default 0)"},
      {"drain-timeout", "SECONDS",
       "Time to finish the running batch after a first SIGTERM (default 20)"},
      {"cache-dir", "DIR", "Where fetched models are kept (default ~/.cache/tilewright)"},
      {"cache-bytes", "BYTES",
       "Bytes of them; beyond that the least recently used go, those in use never (default "
       "34359738368)"},
      {"log-level", "LEVEL", "trace, debug, info, warn, error or off (default info)"}};
  Sources sources;
  sources.environment = environment;
  std::vector<std::string> names = {"insecure", "no-shared-memory", "no-cuda-graphs"};
  CLI::App app("Computes tiles on one device for a Tilewright coordinator.", "tilewright-worker");
  app.set_version_flag("--version", absl::StrCat("tilewright-worker ", version));
  std::map<std::string, std::optional<std::string>> flags;
  for (const auto& [name, type, text] : options) {
    names.push_back(name);
    app.add_option(absl::StrCat("--", name), flags[name],
                   absl::StrCat(text, " [", sources.VariableOf(name), "]"))
        ->type_name(type);
  }
  bool insecure = false;
  app.add_flag("--insecure", insecure,
               "Connect beyond this machine although nothing is encrypted [TILEWRIGHT_INSECURE]");
  bool no_shared_memory = false;
  app.add_flag("--no-shared-memory", no_shared_memory,
               "Exchange tiles with a coordinator on this machine through sockets, as with others "
               "[TILEWRIGHT_NO_SHARED_MEMORY]");
  bool no_cuda_graphs = false;
  app.add_flag("--no-cuda-graphs", no_cuda_graphs,
               "Run networks call by call even where their models ask for CUDA graphs "
               "[TILEWRIGHT_NO_CUDA_GRAPHS]");
  std::optional<std::string> config;
  app.add_option("--config", config,
                 "File of NAME = VALUE lines [TILEWRIGHT_WORKER_CONFIG] (default "
                 "~/.config/tilewright/worker)")
      ->type_name("PATH");
  app.footer(kFooter);
  try {
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());  // as CLI11 wants it
    app.parse(std::move(reversed));
  } catch (const CLI::CallForHelp&) {
    return app.help();
  } catch (const CLI::CallForVersion& call) {
    return absl::StrCat(call.what(), "\n");
  } catch (const CLI::ParseError& error) {
    return absl::InvalidArgumentError(absl::StrCat(error.what(), "; see --help"));
  }
  for (auto& [name, value] : flags) {
    if (value) sources.flags[name] = *std::move(value);
  }
  if (insecure) sources.flags["insecure"] = "true";
  if (no_shared_memory) sources.flags["no-shared-memory"] = "true";
  if (no_cuda_graphs) sources.flags["no-cuda-graphs"] = "true";

  std::optional<std::string> path = config ? config : environment("TILEWRIGHT_WORKER_CONFIG");
  const bool required = path.has_value();
  if (!path) {
    if (const auto folder = environment("XDG_CONFIG_HOME")) {
      path = absl::StrCat(*folder, "/tilewright/worker");
    } else if (const auto home = environment("HOME")) {
      path = absl::StrCat(*home, "/.config/tilewright/worker");
    }
  }
  if (path) {
    TW_ASSIGN_OR_RETURN(sources.file, ReadFile(*path, required, names));
  }

  WorkerSettings settings;
  settings.coordinator = sources.Find("coordinator").value_or(settings.coordinator);
  settings.device = sources.Find("device").value_or(settings.device);
  const bool cpu = settings.device == "cpu";
  settings.threads = cpu ? std::max(1, static_cast<int>(std::thread::hardware_concurrency())) : 1;
  TW_RETURN_IF_ERROR(Set(sources, "threads", 1, 1024, &settings.threads));
  TW_RETURN_IF_ERROR(Set(sources, "credits", 1u, 65536u, &settings.credit_tiles));
  TW_RETURN_IF_ERROR(
      Set(sources, "credit-bytes", uint64_t{1} << 20, uint64_t{1} << 40, &settings.credit_bytes));
  TW_RETURN_IF_ERROR(
      Set(sources, "cache-bytes", uint64_t{0}, uint64_t{1} << 50, &settings.cache_bytes));
  TW_RETURN_IF_ERROR(Set(sources, "drain-timeout", 0, 86400, &settings.drain_timeout_seconds));
  TW_RETURN_IF_ERROR(Set(sources, "first-rung", 0, 3, &settings.first_rung));
  settings.name = sources.Find("name").value_or(
      absl::StrCat(HostName(), "-", absl::StrReplaceAll(settings.device, {{":", ""}})));
  if (settings.name.empty() || settings.name.size() > 128) {
    return Wrong("name", settings.name, "1 to 128 bytes long");
  }
  settings.cache_folder = sources.Find("cache-dir").value_or(DefaultCacheFolder());
  settings.log_level = sources.Find("log-level").value_or(settings.log_level);
  const std::array<const char*, 6> levels = {"trace", "debug", "info", "warn", "error", "off"};
  if (std::find(levels.begin(), levels.end(), settings.log_level) == levels.end()) {
    return Wrong("log-level", settings.log_level, "trace, debug, info, warn, error or off");
  }
  TW_RETURN_IF_ERROR(Set(sources, "insecure", &settings.insecure));
  TW_RETURN_IF_ERROR(Set(sources, "no-shared-memory", &no_shared_memory));
  settings.shared_memory = !no_shared_memory;
  TW_RETURN_IF_ERROR(Set(sources, "no-cuda-graphs", &no_cuda_graphs));
  settings.cuda_graphs = !no_cuda_graphs;
  settings.test_fault = environment("TILEWRIGHT_TEST_FAULT").value_or("");
  return settings;
}

}  // namespace tilewright
