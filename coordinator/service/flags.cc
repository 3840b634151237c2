#include "coordinator/service/flags.h"

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "coordinator/service/quota_flag.h"
#include "proto/base/status_macros.h"
#include "proto/base/switch_word.h"
#include "proto/wire/status_details.h"

namespace tilewright {
namespace {

constexpr double kSecondsMax = 1e9;

constexpr char kFooter[] =
    R"(Every flag can also be given as environment variable (--worker-grace as
TILEWRIGHT_COORDINATOR_WORKER_GRACE; several roots separated by ':', several
quotas by blanks) and as line NAME = VALUE of the file that --config names.
Flags win over the environment, the environment wins over the file.

Exit codes:
  0  stopped by SIGTERM or SIGINT
  1  internal error
  2  the command line or the configuration file is wrong
  3  --models, --state-dir, --scratch, --root or --port-file cannot be used
  4  the address cannot be listened on, or needs --insecure

Example:
  tilewright-coordinator --models deploy/models &
  tilewright-worker --coordinator 127.0.0.1:7878 --name one --device cpu &
  tilewright --coordinator 127.0.0.1:7878 render -i in.png -o out.tif -n lanczos4x)";

struct FlagText {
  const char* name;
  const char* value;
  const char* text;
};

constexpr FlagText kFlags[] = {
    {"listen", "HOST:PORT", "Address to serve on; port 0 is any free one. Default 127.0.0.1:7878"},
    {"port-file", "PATH", "File that the port is written to once it serves"},
    {"state-dir", "DIR",
     "Folder of its own: epoch, uploads, downloads; one coordinator at a time. Default "
     "$XDG_STATE_HOME/tilewright or ~/.local/state/tilewright"},
    {"models", "DIR", "Model repository, <model>/<version>/manifest.textproto. Required"},
    {"worker-grace", "SECONDS",
     "How long a job without any worker that can run it waits before it fails. Default 60"},
    {"checkpoint-interval", "SECONDS",
     "How often what a job has done is made durable beside its output, so that render --continue "
     "goes on from there if this process dies; 0 is never. Default 30"},
    {"log-level", "LEVEL", "debug, info, warn or error. Default info"},
    {"max-upload-bytes", "BYTES", "Largest input that clients may upload. Default 16 GiB"},
    {"max-image-side", "PIXELS", "Longest side of an input image. Default 1000000"},
    {"max-decoded-bytes", "BYTES", "Largest input image, decoded. Default 1 TiB"},
    {"memory", "BYTES",
     "Memory for the results and unfinished outputs of all jobs; what exceeds it waits beside the "
     "output or, without checkpoints, in --scratch. Default 256 MiB"},
    {"scratch", "DIR", "Folder on a fast disk of this machine. Default is --state-dir"},
};

using Values = std::map<std::string, std::string>;

bool IsSetting(const std::string& name) {
  if (name == "root" || name == "quota" || name == "insecure" || name == "no-shared-memory") {
    return true;
  }
  for (const FlagText& flag : kFlags) {
    if (name == flag.name) return true;
  }
  return false;
}

absl::StatusOr<Values> ReadConfig(const std::string& path) {
  Values values;
  if (path.empty()) return values;
  std::ifstream file(path);
  if (!file) {
    return absl::InvalidArgumentError(
        absl::StrCat("the configuration file '", path, "' cannot be read"));
  }
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    const absl::string_view text = absl::StripAsciiWhitespace(line);
    if (text.empty() || text.front() == '#') continue;
    const std::vector<absl::string_view> parts = absl::StrSplit(text, absl::MaxSplits('=', 1));
    const std::string name(absl::StripAsciiWhitespace(parts[0]));
    if (parts.size() != 2 || !IsSetting(name)) {
      return absl::InvalidArgumentError(absl::StrCat(
          path, ":", number, ": '", text, "' is no setting; write NAME = VALUE as in --help"));
    }
    values[name] = std::string(absl::StripAsciiWhitespace(parts[1]));
  }
  return values;
}

void ReadEnvironment(const std::string& name, Values* values) {
  const std::string variable = absl::StrCat(
      "TILEWRIGHT_COORDINATOR_", absl::AsciiStrToUpper(absl::StrReplaceAll(name, {{"-", "_"}})));
  const char* value = std::getenv(variable.c_str());
  if (value != nullptr && *value != '\0') (*values)[name] = value;
}

// Replaces `*number` if the setting was given. INVALID_ARGUMENT for what is no number of at
// least 1.
absl::Status ReadPositive(const Values& values, const std::string& name, int64_t* number) {
  const auto found = values.find(name);
  if (found == values.end()) return absl::OkStatus();
  if (absl::SimpleAtoi(found->second, number) && *number >= 1) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("--", name, " '", found->second, "' is no whole number of at least 1"));
}

// Replaces `*duration` if the setting was given. INVALID_ARGUMENT for what is no duration.
absl::Status ReadSeconds(const Values& values, const std::string& name, absl::Duration* duration) {
  const auto found = values.find(name);
  if (found == values.end()) return absl::OkStatus();
  double seconds = 0;
  if (!absl::SimpleAtod(found->second, &seconds) || !(seconds >= 0) || !(seconds <= kSecondsMax)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--", name, " '", found->second, "' is no number of seconds"));
  }
  *duration = absl::Seconds(seconds);
  return absl::OkStatus();
}

std::string DefaultStateDir() {
  const char* state = std::getenv("XDG_STATE_HOME");
  if (state != nullptr && *state != '\0') return absl::StrCat(state, "/tilewright");
  const char* home = std::getenv("HOME");
  return absl::StrCat(home != nullptr ? home : "", "/.local/state/tilewright");
}

absl::Status Fill(const Values& values, Flags* flags) {
  const auto text = [&values](const char* name, std::string fallback) {
    const auto found = values.find(name);
    return found == values.end() ? std::move(fallback) : found->second;
  };
  ServerOptions& server = flags->server;
  server.listen = text("listen", server.listen);
  server.port_file = text("port-file", "");
  server.state_dir = text("state-dir", DefaultStateDir());
  server.models = text("models", "");
  if (server.models.empty()) {
    return absl::InvalidArgumentError(
        "--models DIR is required; the source tree has deploy/models");
  }
  TW_RETURN_IF_ERROR(ReadSeconds(values, "worker-grace", &server.worker_grace));
  TW_RETURN_IF_ERROR(ReadSeconds(values, "checkpoint-interval", &server.checkpoint_interval));
  TW_RETURN_IF_ERROR(ReadPositive(values, "max-upload-bytes", &server.upload_bytes_max));
  TW_RETURN_IF_ERROR(ReadPositive(values, "max-image-side", &server.image_limits.side_max));
  TW_RETURN_IF_ERROR(
      ReadPositive(values, "max-decoded-bytes", &server.image_limits.decoded_bytes_max));
  TW_RETURN_IF_ERROR(ReadPositive(values, "memory", &server.memory_bytes));
  server.scratch = text("scratch", "");
  flags->log_level = text("log-level", flags->log_level);
  for (const char* level : {"debug", "info", "warn", "error"}) {
    if (flags->log_level == level) return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("--log-level '", flags->log_level, "' is none of debug, info, warn, error"));
}

}  // namespace

ExitCode ExitCodeOf(const absl::Status& status) {
  const std::string reason = ReasonOf(status);
  if (reason == "CANNOT_LISTEN" || reason == "INSECURE_ADDRESS" || reason == "BAD_ADDRESS") {
    return ExitCode::kCannotListen;
  }
  return absl::IsInternal(status) ? ExitCode::kInternal : ExitCode::kBadFolder;
}

std::optional<ExitCode> ParseFlags(int argc, char** argv, const std::string& version,
                                   Flags* flags) {
  CLI::App app(
      "Plans images into tiles, leases them to workers over gRPC, and merges what comes back into "
      "one output file.",
      "tilewright-coordinator");
  app.set_version_flag("--version", absl::StrCat("tilewright-coordinator ", version));
  app.footer(kFooter);
  std::map<std::string, std::string> given;
  for (const FlagText& flag : kFlags) {
    app.add_option(absl::StrCat("--", flag.name), given[flag.name], flag.text)
        ->option_text(flag.value);
  }
  std::vector<std::string> roots;
  app.add_option("--root", roots,
                 "Folder that jobs may read and write, with all below it; repeat it for several. "
                 "Default / on loopback, nothing elsewhere")
      ->option_text("DIR ...");
  std::vector<std::string> quotas;
  app.add_option("--quota", quotas,
                 "What a tenant may have: share=WEIGHT of the workers (default 1), jobs=COUNT that "
                 "have not ended (1000), bytes=BYTES of outputs not yet computed (no limit), "
                 "priority=HIGHEST (5). TENANT * is every tenant without a quota of its own; "
                 "unauthenticated users are tenant 'default'. Repeat it for several")
      ->option_text("TENANT:KEY=VALUE,... ...");
  bool insecure = false;
  app.add_flag("--insecure", insecure,
               "Serve an address off loopback although connections are neither encrypted nor "
               "authenticated");
  bool no_shared_memory = false;
  app.add_flag("--no-shared-memory", no_shared_memory,
               "Exchange tiles with workers of this machine through sockets, as with others");
  std::string config;
  app.add_option("--config", config, "File of NAME = VALUE lines")->option_text("PATH");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? ExitCode::kStopped : ExitCode::kUsage;
  }

  const auto wrong = [](const absl::Status& status) {
    std::cerr << "tilewright-coordinator: " << status.message() << "\n";
    return ExitCode::kUsage;
  };
  absl::StatusOr<Values> values = ReadConfig(config);
  if (!values.ok()) return wrong(values.status());
  for (const FlagText& flag : kFlags) {
    ReadEnvironment(flag.name, &*values);
    if (app.count(absl::StrCat("--", flag.name)) > 0) (*values)[flag.name] = given[flag.name];
  }
  ReadEnvironment("root", &*values);
  ReadEnvironment("quota", &*values);
  ReadEnvironment("insecure", &*values);
  if (roots.empty() && values->contains("root")) {
    roots = absl::StrSplit((*values)["root"], ':', absl::SkipEmpty());
  }
  flags->server.roots = roots;
  if (quotas.empty() && values->contains("quota")) {
    quotas = absl::StrSplit((*values)["quota"], ' ', absl::SkipEmpty());
  }
  for (const std::string& quota : quotas) {
    const absl::Status read =
        ParseQuota(quota, &flags->server.quotas, &flags->server.default_quota);
    if (!read.ok()) return wrong(read);
  }
  ReadEnvironment("no-shared-memory", &*values);
  for (auto [name, given_flag] :
       {std::pair("insecure", &insecure), std::pair("no-shared-memory", &no_shared_memory)}) {
    if (*given_flag || !values->contains(name)) continue;
    const std::optional<bool> value = ParseSwitch(values->at(name));
    if (!value) {
      return wrong(absl::InvalidArgumentError(
          absl::StrCat("setting '", name, "' is '", values->at(name), "': say true or false")));
    }
    *given_flag = *value;
  }
  flags->server.insecure = insecure;
  flags->server.shared_memory = !no_shared_memory;
  const absl::Status filled = Fill(*values, flags);
  if (!filled.ok()) return wrong(filled);
  return std::nullopt;
}

}  // namespace tilewright
