// tilewright models list.

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/commands.h"
#include "client/cli/documents.h"
#include "client/cli/text_table.h"

namespace tilewright {
namespace {

std::string ScaleText(const Model& model) {
  return model.scale_q == 1 ? absl::StrCat("x", model.scale_p)
                            : absl::StrCat("x", model.scale_p, "/", model.scale_q);
}

ExitCode ListModels(const Session& session) {
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.status());
  const auto models = (*client)->ListModels();
  if (!models.ok()) return session.Fail(models.status());
  std::vector<std::vector<std::string>> rows = {{"MODEL", "ENGINE", "SCALE", "HALO", "TILE",
                                                 "OVERLAP", "BESIDE", "EXACTNESS", "WHAT IT DOES"}};
  for (const Model& model : *models) {
    rows.push_back({model.name, model.engine, ScaleText(model), absl::StrCat(model.halo),
                    absl::StrCat(model.default_tile), absl::StrCat(model.default_overlap),
                    model.beside.empty() ? "-" : absl::StrJoin(model.beside, ","), model.exactness,
                    model.description});
  }
  session.Print(ModelsDocument(*models),
                models->empty() ? "the coordinator has no model\n" : TextTable(rows));
  return ExitCode::kOk;
}

}  // namespace

void AddModels(CLI::App& app, Session& session) {
  CLI::App* models = app.add_subcommand("models", "Look at models");
  models->add_subcommand("list", "All models, by name")->callback([&session] {
    session.SetAction([&session] { return ListModels(session); });
  });
}

}  // namespace tilewright
