#include "worker/supervisor/supervisor.h"

#include <spdlog/spdlog.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <type_traits>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "worker/supervisor/child.h"
#include "worker/supervisor/status_file.h"

namespace tilewright {
namespace {

constexpr absl::Duration kLongestSleep = absl::Hours(1);

Instant Now() {
  return Instant::FromStart(absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch()));
}

std::function<double()> Randomness() {
  return [generator = std::mt19937(std::random_device()())]() mutable {
    return std::uniform_real_distribution<double>()(generator);
  };
}

}  // namespace

sigset_t BlockSupervisedSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGCHLD);
  sigaddset(&signals, SIGTERM);
  for (const int signal : {SIGINT, SIGHUP}) {
    struct sigaction inherited = {};
    sigaction(signal, nullptr, &inherited);
    if (inherited.sa_handler != SIG_IGN) sigaddset(&signals, signal);
  }
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  // Were it ignored, the kernel would bury children without telling how they ended.
  signal(SIGCHLD, SIG_DFL);
  return signals;
}

Supervisor::Supervisor(const SupervisorOptions& options, const Places& places,
                       const sigset_t& signals)
    : options_(options), signals_(signals), fleet_(options.fleet, places, Randomness(), Now()) {}

int Supervisor::Run() {
  while (true) {
    Do(fleet_.OnTick(Now()));
    WriteStatus();
    if (fleet_.over()) return fleet_.exit_code();
    const absl::Duration sleep =
        std::clamp(fleet_.next_due() - Now(), absl::ZeroDuration(), kLongestSleep);
    const timespec timeout = absl::ToTimespec(sleep);
    const int signal = sigtimedwait(&signals_, nullptr, &timeout);
    // Several children may share one SIGCHLD, and it may be older than the end of another.
    Reap();
    if (signal == SIGTERM || signal == SIGINT || signal == SIGHUP) Do(fleet_.OnEndRequest(Now()));
  }
}

void Supervisor::Do(const Orders& orders) {
  for (const Order& order : orders) {
    if (const auto* launch = std::get_if<Launch>(&order)) {
      Do(*launch);
    } else if (const auto* send = std::get_if<SendSignal>(&order)) {
      kill(send->process, send->signal);  // not reaped yet, so the id is still its own
    } else {
      const Say& say = std::get<Say>(order);
      spdlog::log(say.warning ? spdlog::level::warn : spdlog::level::info, "{}", say.text);
    }
  }
}

void Supervisor::Do(const Launch& launch) {
  ChildOptions child;
  child.argv = {options_.worker,
                "--name",
                launch.name,
                "--device",
                launch.device,
                "--threads",
                absl::StrCat(launch.threads)};
  if (launch.rung > 0) {
    child.argv.insert(child.argv.end(), {"--first-rung", absl::StrCat(launch.rung)});
  }
  child.argv.insert(child.argv.end(), options_.worker_flags.begin(), options_.worker_flags.end());
  // Libraries that ask nobody take every core otherwise.
  child.environment = {absl::StrCat("OMP_NUM_THREADS=", launch.threads)};
  child.nice = options_.nice;
  const uint64_t kills = KernelMemoryKills();
  const absl::StatusOr<pid_t> process = StartChild(child);
  if (!process.ok()) {
    Do(fleet_.NotStarted(launch.slot, std::string(process.status().message()), Now()));
    return;
  }
  memory_kills_[*process] = kills;
  Do(fleet_.Started(launch.slot, *process, Now()));
}

void Supervisor::Reap() {
  int status = 0;
  for (pid_t process = 0; (process = waitpid(-1, &status, WNOHANG)) > 0;) {
    ProcessEnd end;
    if (WIFEXITED(status)) end.exit_code = WEXITSTATUS(status);
    if (WIFSIGNALED(status)) end.signal = WTERMSIG(status);
    const auto kills = memory_kills_.extract(process);
    end.kernel_was_out_of_memory = !kills.empty() && KernelMemoryKills() > kills.mapped();
    Do(fleet_.OnEnd(process, end, Now()));
  }
}

void Supervisor::WriteStatus() {
  if (options_.status_file.empty()) return;
  const absl::Status written =
      WriteWhole(options_.status_file, StatusJson(fleet_, getpid(), Now(), absl::Now()));
  const std::string error(written.message());
  if (!written.ok() && error != status_error_) spdlog::error("{}", error);
  status_error_ = error;
}

}  // namespace tilewright
