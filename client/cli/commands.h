// The subcommands. Each adds its options to `app` and, when chosen, its action to `session`; both
// must outlive the parsing and the run.

#ifndef TILEWRIGHT_CLIENT_CLI_COMMANDS_H_
#define TILEWRIGHT_CLIENT_CLI_COMMANDS_H_

#include <CLI/CLI.hpp>

#include "client/cli/session.h"

namespace tilewright {

void AddRender(CLI::App& app, Session& session);    // tilewright render
void AddSequence(CLI::App& app, Session& session);  // tilewright sequence
void AddJobs(CLI::App& app, Session& session);      // tilewright jobs list|show|watch|cancel|…
void AddWorkers(CLI::App& app, Session& session);   // tilewright workers list|drain|…
void AddModels(CLI::App& app, Session& session);    // tilewright models list

}  // namespace tilewright

#endif  // TILEWRIGHT_CLIENT_CLI_COMMANDS_H_
