// tilewright-supervisor: keeps one worker running on each device. Wiring only.

#include <sched.h>
#include <signal.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <variant>

#include "absl/strings/str_cat.h"
#include "worker/device/cuda_driver.h"
#include "worker/exit_code.h"
#include "worker/supervisor/devices.h"
#include "worker/supervisor/settings.h"
#include "worker/supervisor/supervisor.h"

namespace tilewright {
namespace {

int UsageError(const absl::Status& status) {
  std::fprintf(stderr, "tilewright-supervisor: %s\n", std::string(status.message()).c_str());
  return static_cast<int>(WorkerExit::kUsage);
}

// That this process may use; at least 1.
int Cores() {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  if (sched_getaffinity(0, sizeof cores, &cores) != 0) return 1;
  return std::max(1, CPU_COUNT(&cores));
}

}  // namespace
}  // namespace tilewright

int main(int argc, char** argv) {
  using namespace tilewright;
  // Before any thread exists, so that all of them leave signals to the one that waits for them.
  const sigset_t signals = BlockSupervisedSignals();

  const auto parsed = ParseSupervisorSettings({argv + 1, argv + argc}, TILEWRIGHT_VERSION);
  if (!parsed.ok()) return UsageError(parsed.status());
  if (const auto* text = std::get_if<std::string>(&*parsed)) {
    std::fputs(text->c_str(), stdout);
    return 0;
  }
  const SupervisorSettings& settings = std::get<SupervisorSettings>(*parsed);
  spdlog::set_default_logger(spdlog::stderr_color_mt("supervisor"));
  spdlog::set_level(spdlog::level::from_str(settings.log_level));

  const int threads = settings.cpu_threads > 0 ? settings.cpu_threads : Cores();
  auto places = ResolveDevices(settings.devices, threads, CountCudaDevices);
  if (!places.ok()) return UsageError(places.status());
  if (!places->remark.empty()) spdlog::info("{}", places->remark);
  for (WorkerPlace& place : places->workers) {
    place.name = absl::StrCat(settings.name, "-", place.name);
  }
  return Supervisor(settings.supervisor, *places, signals).Run();
}
