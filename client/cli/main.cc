// tilewright: render giant images on a cluster. Wiring only.

#include <CLI/CLI.hpp>
#include <iostream>

#include "client/cli/commands.h"
#include "client/cli/exit_code.h"
#include "client/cli/session.h"

int main(int argc, char** argv) {
  using namespace tilewright;
  CLI::App app(
      "Renders images that are too big for one device, on the workers of a Tilewright coordinator.",
      "tilewright");
  app.set_version_flag("--version", "tilewright " TILEWRIGHT_VERSION);
  app.fallthrough();  // global options may stand behind the subcommand
  Session session(app);
  AddRender(app, session);
  AddSequence(app, session);
  AddJobs(app, session);
  AddWorkers(app, session);
  AddModels(app, session);
  app.footer(
      "Flags win over environment variables [in brackets], those over the configuration file.\n\n" +
      ExitCodeHelp());
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : static_cast<int>(ExitCode::kUsage);
  }
  if (!session.has_action()) {
    // Not require_subcommand: its message hides a misspelt name.
    const CLI::App* chosen = app.get_subcommands().empty() ? &app : app.get_subcommands().front();
    std::cerr << "A subcommand is required.\n\n" << chosen->help();
    return static_cast<int>(ExitCode::kUsage);
  }
  return static_cast<int>(session.Run());
}
