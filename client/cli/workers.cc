// tilewright workers list|drain|resume|clear-blocklist.

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "client/cli/commands.h"
#include "client/cli/documents.h"
#include "client/cli/worker_report.h"

namespace tilewright {
namespace {

ExitCode ListWorkers(const Session& session) {
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.status());
  const auto workers = (*client)->ListWorkers();
  if (!workers.ok()) return session.Fail(workers.status());
  session.Print(WorkersDocument(*workers), WorkersReport(*workers));
  return ExitCode::kOk;
}

struct WorkerFlags {
  std::string worker;
  bool now = false;
};

using WorkerVerb = absl::StatusOr<Worker> (*)(Client&, const WorkerFlags&);

// Adds a subcommand that operates on a worker and prints it as it stands then.
CLI::App* AddVerb(CLI::App* workers, Session& session, const std::shared_ptr<WorkerFlags>& flags,
                  const std::string& name, const std::string& help, WorkerVerb verb) {
  CLI::App* command = workers->add_subcommand(name, help);
  command->add_option("worker", flags->worker, "Its name, see: tilewright workers list")
      ->required();
  command->callback([&session, flags, verb] {
    session.SetAction([&session, flags, verb] {
      const auto client = session.Connect();
      if (!client.ok()) return session.Fail(client.status());
      const auto worker = verb(**client, *flags);
      if (!worker.ok()) return session.Fail(worker.status());
      session.Print(WorkersDocument({*worker}),
                    absl::StrCat(worker->name, " ", StandingText(*worker), "\n"));
      return ExitCode::kOk;
    });
  });
  return command;
}

}  // namespace

void AddWorkers(CLI::App& app, Session& session) {
  CLI::App* workers = app.add_subcommand("workers", "Look at connected workers and steer them");
  const auto flags = std::make_shared<WorkerFlags>();
  AddVerb(workers, session, flags, "drain",
          "Give a worker nothing more; it finishes what it computes and hands back the rest",
          [](Client& client, const WorkerFlags& chosen) {
            return client.DrainWorker(chosen.worker, chosen.now);
          })
      ->add_flag("--now", flags->now, "Hand back what it computes as well");
  AddVerb(
      workers, session, flags, "resume", "Give a drained worker tiles again",
      [](Client& client, const WorkerFlags& chosen) { return client.ResumeWorker(chosen.worker); });
  AddVerb(workers, session, flags, "clear-blocklist",
          "Forget a worker's failures: jobs it was kept from, and its quarantine",
          [](Client& client, const WorkerFlags& chosen) {
            return client.ClearBlocklist(chosen.worker);
          });
  workers->add_subcommand("list", "All connected workers, by name")->callback([&session] {
    session.SetAction([&session] { return ListWorkers(session); });
  });
}

}  // namespace tilewright
