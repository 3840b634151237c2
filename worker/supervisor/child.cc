#include "worker/supervisor/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

extern char** environ;

namespace tilewright {
namespace {

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// In the child: nothing but system calls. Returns only if something failed.
void BecomeWorker(pid_t parent, int nice_by, char* const* argv, char* const* environment) {
  // The order is asked for first and the parent looked at second: it cannot die unnoticed between.
  if (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0) return;
  if (getppid() != parent) _exit(0);
  setpgid(0, 0);
  errno = 0;
  if (nice_by > 0 && nice(nice_by) == -1 && errno != 0) return;
  const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (null < 0 || dup2(null, STDIN_FILENO) < 0) return;
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  execve(argv[0], argv, environment);
}

}  // namespace

absl::StatusOr<pid_t> StartChild(const ChildOptions& options) {
  // All that allocates happens before the fork.
  std::vector<std::string> arguments = options.argv;
  std::vector<std::string> environment = options.environment;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const absl::string_view name = absl::string_view(*entry).substr(0, strcspn(*entry, "="));
    const bool replaced = std::any_of(
        options.environment.begin(), options.environment.end(),
        [&](const std::string& own) { return absl::StartsWith(own, absl::StrCat(name, "=")); });
    if (!replaced) environment.emplace_back(*entry);
  }
  const std::vector<char*> argv = Pointers(arguments);
  const std::vector<char*> envp = Pointers(environment);
  std::array<int, 2> failure = {};  // closed by a successful exec, else it brings errno
  if (pipe2(failure.data(), O_CLOEXEC) != 0) {
    return absl::UnavailableError(absl::StrCat("no pipe: ", strerror(errno)));
  }
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child == 0) {
    BecomeWorker(parent, options.nice, argv.data(), envp.data());
    const int error = errno;
    const ssize_t written = write(failure[1], &error, sizeof error);
    _exit(written == sizeof error ? 127 : 126);
  }
  const int fork_error = errno;
  close(failure[1]);
  if (child < 0) {
    close(failure[0]);
    return absl::UnavailableError(absl::StrCat("no process: ", strerror(fork_error)));
  }
  int error = 0;
  ssize_t got = 0;
  do {
    got = read(failure[0], &error, sizeof error);
  } while (got < 0 && errno == EINTR);
  close(failure[0]);
  if (got != sizeof error) return child;
  waitpid(child, nullptr, 0);
  return absl::UnavailableError(absl::StrCat(options.argv[0], ": ", strerror(error)));
}

uint64_t KernelMemoryKills() {
  std::ifstream counters("/proc/vmstat");
  std::string name;
  for (uint64_t value = 0; counters >> name >> value;) {
    if (name == "oom_kill") return value;
  }
  return 0;
}

}  // namespace tilewright
