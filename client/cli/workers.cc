// tilewright workers list.

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/cli/commands.h"
#include "client/cli/documents.h"
#include "client/cli/progress.h"
#include "client/cli/text_table.h"

namespace tilewright {
namespace {

ExitCode ListWorkers(const Session& session) {
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.status());
  const auto workers = (*client)->ListWorkers();
  if (!workers.ok()) return session.Fail(workers.status());
  std::vector<std::vector<std::string>> rows = {{"WORKER", "DEVICE", "ENGINES", "THREADS",
                                                 "MEMORY FREE", "GFLOP/S", "LEASED", "DONE",
                                                 "SEEN"}};
  for (const Worker& worker : *workers) {
    rows.push_back({worker.name, absl::StrCat(worker.device_kind, ", ", worker.device_name),
                    absl::StrJoin(worker.engines, ","), absl::StrCat(worker.threads),
                    BytesText(worker.memory_free_bytes),
                    absl::StrFormat("%.1f", worker.probe_flops / 1e9),
                    absl::StrCat(worker.leased_tiles), absl::StrCat(worker.accepted_tiles),
                    absl::StrFormat("%.1f s ago", absl::ToDoubleSeconds(worker.silent))});
  }
  session.Print(WorkersDocument(*workers),
                workers->empty() ? "no worker is connected\n" : TextTable(rows));
  return ExitCode::kOk;
}

}  // namespace

void AddWorkers(CLI::App& app, Session& session) {
  CLI::App* workers = app.add_subcommand("workers", "Look at connected workers");
  workers->add_subcommand("list", "All connected workers, by name")->callback([&session] {
    session.SetAction([&session] { return ListWorkers(session); });
  });
}

}  // namespace tilewright
