#include "client/cli/session.h"

#include <cstdio>
#include <utility>

#include "client/cli/documents.h"
#include "client/cli/report.h"
#include "proto/base/status_macros.h"

namespace tilewright {

Session::Session(CLI::App& app) {
  app.add_option("--coordinator", coordinator_,
                 "Server to use [TILEWRIGHT_COORDINATOR] (default 127.0.0.1:7878)")
      ->type_name("HOST:PORT");
  app.add_flag("--insecure", insecure_,
               "Connect beyond this machine although nothing is encrypted [TILEWRIGHT_INSECURE]");
  app.add_option(
         "--config", config_,
         "File of NAME = VALUE lines [TILEWRIGHT_CONFIG] (default ~/.config/tilewright/config)")
      ->type_name("PATH");
  app.add_flag("--json", json_, "End stdout with one JSON object on one line");
}

ExitCode Session::Run() {
  auto settings = Settings::Load(config_, ProcessEnvironment());
  if (!settings.ok()) {
    Fail(settings.status());
    return ExitCode::kUsage;
  }
  settings_ = *std::move(settings);
  return action_();
}

absl::StatusOr<std::unique_ptr<Client>> Session::Connect() const {
  ClientOptions options;
  options.coordinator = settings_->Resolve("coordinator", coordinator_, options.coordinator);
  TW_ASSIGN_OR_RETURN(options.insecure, settings_->ResolveSwitch("insecure", insecure_));
  return Client::Connect(std::move(options));
}

ExitCode Session::Fail(const absl::Status& error, const std::string& output) const {
  std::fprintf(stderr, "%s\n", ErrorText(error).c_str());
  if (json_) {
    Job job;
    job.state = JobState::kFailed;
    job.error = error;
    job.output = output;
    std::puts(JobDocument(job, {}).c_str());
  }
  return ExitCodeOf(error);
}

void Session::Print(const std::string& document, const std::string& text) const {
  if (json_) {
    std::puts(document.c_str());
  } else {
    std::fputs(text.c_str(), stdout);
  }
}

}  // namespace tilewright
