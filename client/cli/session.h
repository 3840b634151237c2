// What all subcommands share: global options, settings, the connection, and how results and errors
// are printed. Thread-compatible.

#ifndef TILEWRIGHT_CLIENT_CLI_SESSION_H_
#define TILEWRIGHT_CLIENT_CLI_SESSION_H_

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/cli/exit_code.h"
#include "client/cli/settings.h"
#include "tilewright/client.h"

namespace tilewright {

class Session {
 public:
  // Adds --coordinator, --insecure, --config and --json. `app` must outlive the session.
  explicit Session(CLI::App& app);

  // Chosen by a subcommand while the command line is parsed, run by Run.
  void SetAction(std::function<ExitCode()> action) { action_ = std::move(action); }

  bool has_action() const { return action_ != nullptr; }

  // Loads the settings and runs the action, which must have been set.
  ExitCode Run();

  bool json() const { return json_; }
  const Settings& settings() const { return *settings_; }

  // To the coordinator that the settings name.
  absl::StatusOr<std::unique_ptr<Client>> Connect() const;

  // Prints the error to stderr and, with --json, a job document that carries it to stdout.
  ExitCode Fail(const absl::Status& error, const std::string& output = "") const;

  // Prints one document with --json, else the text.
  void Print(const std::string& document, const std::string& text) const;

 private:
  std::optional<std::string> coordinator_;
  std::optional<std::string> config_;
  bool insecure_ = false;
  bool json_ = false;
  std::optional<Settings> settings_;
  std::function<ExitCode()> action_;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_CLIENT_CLI_SESSION_H_
