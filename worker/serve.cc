// Wiring only.

#include "worker/serve.h"

#include <signal.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <new>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "proto/base/instant.h"
#include "worker/device/device_probe.h"
#include "worker/device/host_memory.h"
#include "worker/device/malloc_tuning.h"
#include "worker/device/process_memory.h"
#include "worker/engine/capabilities.h"
#include "worker/engine/measurements.h"
#include "worker/executor/checking_executor.h"
#include "worker/executor/core_executor.h"
#include "worker/executor/logging_executor.h"
#include "worker/executor/memory_reporter.h"
#include "worker/executor/repeat_guard.h"
#include "worker/executor/timing_executor.h"
#include "worker/executor/watchdog.h"
#include "worker/exit_code.h"
#include "worker/link/worker_link.h"
#include "worker/settings.h"

namespace tilewright {
namespace {

int Exit(WorkerExit code, const std::string& sentence) {
  std::fprintf(stderr, "tilewright-worker: %s\n", sentence.c_str());
  return static_cast<int>(code);
}

int Exit(WorkerExit code, const absl::Status& status) {
  return Exit(code, std::string(status.message()));
}

std::optional<std::string> Variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr || *value == '\0') return std::nullopt;
  return value;
}

WorkerExit ExitOf(const absl::Status& status) {
  if (status.ok()) return WorkerExit::kStopped;
  if (absl::IsDataLoss(status)) {
    return CauseOf(status) == v1::FAILURE_CAUSE_LAUNCH_TIMEOUT ? WorkerExit::kLaunchTimeout
                                                               : WorkerExit::kDeviceLost;
  }
  return WorkerExit::kRefused;
}

// Memory that ran out on a thread that computes no tile ends the process; everything else that is
// thrown where nobody catches it is a bug and leaves its core.
void ExitWhenMemoryRanOut() {
  std::set_terminate([] {
    if (const std::exception_ptr thrown = std::current_exception()) {
      try {
        std::rethrow_exception(thrown);
      } catch (const std::bad_alloc&) {
        std::fputs("tilewright-worker: the process has no memory left\n", stderr);
        std::_Exit(static_cast<int>(WorkerExit::kOutOfMemory));
      } catch (...) {
      }
    }
    std::abort();
  });
}

Instant Now() {
  return Instant::FromStart(absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch()));
}

// Ends the process if the device hangs, until all is served.
void Watch(const Watchdog& watchdog, const absl::Notification& served) {
  while (!served.WaitForNotificationWithTimeout(absl::Seconds(1))) {
    const std::optional<std::string> blown = watchdog.Blown();
    if (!blown.has_value()) continue;
    spdlog::critical("{}", *blown);
    spdlog::shutdown();
    std::_Exit(Exit(WorkerExit::kHang, *blown));
  }
}

// OpenVINO's name of the worker's device: its own after "openvino:", its CPU for the CPU.
std::string OpenVinoDevice(const DeviceName& device) {
  if (device.kind == "openvino") return device.openvino_name;
  return device.kind == "cpu" ? "CPU" : "";
}

// The builtin engine, and those of LibTorch and OpenVINO where the build and the device have them.
std::vector<std::unique_ptr<Engine>> CreateEngines(const WorkerSettings& settings,
                                                   const DeviceName& device,
                                                   const ServeOptions& options, Watchdog* watchdog,
                                                   Measurements* measurements,
                                                   ProcessMemory* memory,
                                                   v1::Capabilities* capabilities) {
  std::vector<std::unique_ptr<Engine>> engines;
  engines.push_back(CreateBuiltinEngine());
  const auto add = [&engines](const char* name, absl::StatusOr<std::unique_ptr<Engine>> engine) {
    if (engine.ok()) {
      engines.push_back(*std::move(engine));
    } else {
      spdlog::warn("without the engine {}: {}", name, std::string(engine.status().message()));
    }
  };
  if (device.kind != "openvino") {
    add("torch",
        CreateTorchEngine({settings.device, settings.threads, measurements, settings.cuda_graphs}));
  }
  if (const std::string name = OpenVinoDevice(device); !name.empty()) {
    add("openvino", CreateOpenVinoEngine({name, settings.threads, measurements, memory}));
  }
  for (auto& engine : engines) {
    if (options.wrap_engine) engine = options.wrap_engine(std::move(engine));
    AddEngine(*engine, capabilities);
    engine = CreateMemoryReporter(std::move(engine), measurements, Now);
    engine = CreateRepeatGuard(std::move(engine));
    engine = CreateWatchedEngine(std::move(engine), watchdog);
  }
  return engines;
}

// What a device without enough memory can fall back to; null where the device is the CPU, and in a
// build without LibTorch.
std::unique_ptr<Engine> CreateCpuEngine(const WorkerSettings& settings) {
  if (settings.device == "cpu") return nullptr;
  auto torch = CreateTorchEngine({"cpu", settings.threads});
  return torch.ok() ? *std::move(torch) : nullptr;
}

int Serve(const WorkerSettings& settings, const ServeOptions& serve, const sigset_t& signals) {
  auto faults = FaultInjection::Parse(settings.test_fault);
  if (!faults.ok()) return Exit(WorkerExit::kUsage, faults.status());
  if (faults->any()) {
    spdlog::warn("TILEWRIGHT_TEST_FAULT={}: this worker makes faults", settings.test_fault);
  }
  const auto device = ParseDevice(settings.device);
  if (!device.ok()) return Exit(WorkerExit::kUsage, device.status());
  auto capabilities = ProbeDevice({settings.device, settings.threads}, RealFiles());
  if (!capabilities.ok()) {
    const bool usage = absl::IsInvalidArgument(capabilities.status());
    return Exit(usage ? WorkerExit::kUsage : WorkerExit::kNoDevice, capabilities.status());
  }
  Watchdog watchdog(serve.watchdog, Now);
  Measurements measurements;
  const std::unique_ptr<ProcessMemory> memory = CreateProcessMemory();
  auto engines = CreateEngines(settings, *device, serve, &watchdog, &measurements, memory.get(),
                               &*capabilities);
  CoreOptions core;
  // The other half is for what a run needs and what others on this device use.
  core.stage_bytes_max = capabilities->memory_total_bytes() / 2;
  core.first_rung = static_cast<Rung>(settings.first_rung);
  std::unique_ptr<Engine> cpu = CreateCpuEngine(settings);
  if (cpu != nullptr) core.cpu_engines.push_back(cpu.get());
  std::unique_ptr<Executor> executor = CreateCoreExecutor(std::move(engines), core);
  executor = CreateWatchedExecutor(std::move(executor), &watchdog);
  executor = CreateCheckingExecutor(std::move(executor));
  executor = CreateTimingExecutor(std::move(executor), &measurements);
  executor = CreateLoggingExecutor(std::move(executor), spdlog::default_logger());

  std::random_device entropy;
  LinkOptions options;
  options.coordinator = settings.coordinator;
  options.insecure = settings.insecure;
  options.shared_memory = settings.shared_memory;
  options.worker = settings.name;
  options.incarnation = absl::StrFormat("%08x%08x", entropy(), entropy());
  options.build = TILEWRIGHT_VERSION;
  options.capabilities = *std::move(capabilities);
  options.cache_folder = settings.cache_folder;
  options.cache_bytes = settings.cache_bytes;
  options.limits.tiles = settings.credit_tiles;
  options.limits.bytes = settings.credit_bytes;
  options.limits.unacknowledged_bytes_max = settings.credit_bytes;
  options.faults = *faults;
  options.drain_timeout = absl::Seconds(settings.drain_timeout_seconds);
  options.take_measured = [&measurements](v1::Capabilities* known) {
    return measurements.TakeChanges(known);
  };
  options.random = [generator = std::mt19937(entropy())]() mutable {
    return std::uniform_real_distribution<double>()(generator);
  };
  if (options.capabilities.device_kind() == "cpu") {
    options.memory_free = [] {
      const auto host = ReadHostMemory(RealFiles());
      return host.ok() ? host->free_bytes : 0;
    };
  } else {
    options.memory_free = [&measurements] { return measurements.memory_free(); };
  }
  auto link = WorkerLink::Create(std::move(options), executor.get());
  if (!link.ok()) return Exit(WorkerExit::kUsage, link.status());

  absl::Notification served;
  std::thread watcher([&] { Watch(watchdog, served); });
  std::atomic<bool> ended = false;
  std::thread stopper([&signals, &link, &ended] {
    int signal = 0;
    sigwait(&signals, &signal);
    if (ended) return;
    spdlog::info("told to end: finishing the running batch");
    (*link)->Drain();
    sigwait(&signals, &signal);
    if (ended) return;
    spdlog::info("told again to end: stopping now");
    (*link)->Stop();
  });
  const absl::Status status = (*link)->Run();
  served.Notify();
  watcher.join();
  if ((*link)->computing()) {
    // The batch was handed back; nobody waits for it.
    spdlog::info("stopped in the middle of a batch");
    spdlog::shutdown();
    std::_Exit(static_cast<int>(ExitOf(status)));
  }
  ended = true;
  pthread_kill(stopper.native_handle(), SIGTERM);
  stopper.join();
  if (!status.ok()) return Exit(ExitOf(status), status);
  spdlog::info("stopped");
  return static_cast<int>(WorkerExit::kStopped);
}

}  // namespace

int RunWorker(int argc, char** argv, const ServeOptions& options) {
  TuneMalloc();
  ExitWhenMemoryRanOut();
  // Before any thread exists, so that all of them leave signals to the one that waits for them.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  const auto parsed = ParseSettings({argv + 1, argv + argc}, Variable, TILEWRIGHT_VERSION);
  if (!parsed.ok()) return Exit(WorkerExit::kUsage, parsed.status());
  if (const auto* text = std::get_if<std::string>(&*parsed)) {
    std::fputs(text->c_str(), stdout);
    return static_cast<int>(WorkerExit::kStopped);
  }
  const WorkerSettings& settings = std::get<WorkerSettings>(*parsed);
  spdlog::set_default_logger(spdlog::stderr_color_mt(settings.name));
  spdlog::set_level(spdlog::level::from_str(settings.log_level));
  return Serve(settings, options, signals);
}

}  // namespace tilewright
