// tilewright-testnets: writes the networks that tests and benchmarks run.

#include <CLI/CLI.hpp>
#include <iostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "worker/engine/testnets.h"
#ifdef TILEWRIGHT_OPENVINO
#include "worker/engine/openvino_testnets.h"
#endif

int main(int argc, char** argv) {
  CLI::App app(
      "Writes networks with known weights as a model repository, for tests and benchmarks.\n"
      "Exit codes: 0 written, 1 something could not be written, 2 wrong usage.");
  app.set_version_flag("--version", TILEWRIGHT_VERSION);
  std::string out;
  std::string lanczos;
  std::vector<int> reaches = {16, 18};
  app.add_option("--out", out, "Folder of the repository; made if it is not there");
  app.add_option("--reach", reaches, "Radius of a reach network, input pixels; repeatable")
      ->capture_default_str();
  app.add_option("--lanczos4x", lanczos,
                 "Write the network of the model lanczos4x-torch to this file");
#ifdef TILEWRIGHT_OPENVINO
  bool openvino = false;
  app.add_flag("--openvino", openvino, "Write the networks of the openvino engine too");
#endif
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (out.empty() && lanczos.empty()) {
    std::cerr << "tilewright-testnets: say --out FOLDER or --lanczos4x FILE; --help tells more\n";
    return 2;
  }
  absl::Status status;
  if (!out.empty()) status = tilewright::WriteTestnets(out, reaches);
#ifdef TILEWRIGHT_OPENVINO
  if (status.ok() && openvino && !out.empty()) {
    status = tilewright::WriteOpenVinoTestnets(out, reaches);
  }
#endif
  if (status.ok() && !lanczos.empty()) status = tilewright::WriteLanczos4x(lanczos);
  if (status.ok()) return 0;
  std::cerr << "tilewright-testnets: " << status.message() << "\n";
  return 1;
}
