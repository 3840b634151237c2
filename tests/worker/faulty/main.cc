// tilewright-faulty-worker: the worker with engines that fail as TILEWRIGHT_TEST_ENGINE says
// (faulty_engine.h), for tests alone. TILEWRIGHT_TEST_WATCHDOG_MS is
// the watchdog's patience.

#include <cstdio>
#include <cstdlib>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/time/time.h"
#include "tests/worker/faulty/faulty_engine.h"
#include "worker/serve.h"

namespace {

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace tilewright;
  const auto faults = EngineFaults::Parse(Variable("TILEWRIGHT_TEST_ENGINE"));
  if (!faults.ok()) {
    std::fprintf(stderr, "%s\n", std::string(faults.status().message()).c_str());
    return 2;
  }
  ServeOptions options;
  int patience_ms = 0;
  if (absl::SimpleAtoi(Variable("TILEWRIGHT_TEST_WATCHDOG_MS"), &patience_ms)) {
    const absl::Duration patience = absl::Milliseconds(patience_ms);
    options.watchdog = {.deadlines = 0, .least = patience, .loading = patience};
  }
  options.wrap_engine = [&faults](std::unique_ptr<Engine> engine) {
    return CreateFaultyEngine(*faults, std::move(engine));
  };
  return RunWorker(argc, argv, options);
}
