#include "coordinator/image/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "coordinator/image/file_error.h"

extern char** environ;

namespace tilewright {
namespace {

// Of the child's stderr; the rest is read and dropped so that the child never blocks on it.
constexpr size_t kErrorTextMax = 1000;

int Spawn(std::vector<std::string> arguments, int stderr_fd, pid_t* child) {
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&files, stderr_fd, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&files, stderr_fd, STDERR_FILENO);

  // The coordinator's own signal set-up is not the child's.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);

  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  const int error = posix_spawn(child, argv[0], &files, &attributes, argv.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  return error;
}

// Appends what can be read now; false at the end of the stream.
bool Drain(int fd, std::string* text) {
  char buffer[4096];
  const ssize_t n = read(fd, buffer, sizeof(buffer));
  if (n < 0) return errno == EINTR || errno == EAGAIN;
  text->append(buffer, std::min(static_cast<size_t>(n), kErrorTextMax - text->size()));
  return n > 0;
}

ChildOutcome Wait(pid_t child, int child_fd, int stderr_fd, absl::Duration limit) {
  ChildOutcome outcome;
  const absl::Time deadline = absl::Now() + limit;
  pollfd fds[] = {{child_fd, POLLIN, 0}, {stderr_fd, POLLIN, 0}};
  while (true) {
    const absl::Duration left = deadline - absl::Now();
    if (left <= absl::ZeroDuration()) {
      outcome.timed_out = true;
      kill(child, SIGKILL);
      break;
    }
    const int64_t wait_ms = std::min<int64_t>(absl::ToInt64Milliseconds(left) + 1, 60'000);
    if (poll(fds, 2, static_cast<int>(wait_ms)) < 0) continue;  // interrupted
    if (fds[1].revents != 0 && !Drain(stderr_fd, &outcome.text)) fds[1].fd = -1;
    if (fds[0].revents != 0) break;
  }
  pid_t waited;
  do {
    waited = waitpid(child, &outcome.wait_status, 0);
  } while (waited < 0 && errno == EINTR);
  outcome.status_known = waited == child;
  // What it wrote last; a grandchild that still holds the pipe is not waited for.
  fcntl(stderr_fd, F_SETFL, O_NONBLOCK);
  pollfd rest = {stderr_fd, POLLIN, 0};
  while (fds[1].fd >= 0 && poll(&rest, 1, 0) > 0 && Drain(stderr_fd, &outcome.text)) {
  }
  return outcome;
}

std::string OneLine(absl::string_view text) {
  return absl::StrReplaceAll(absl::StripAsciiWhitespace(text), {{"\n", "; "}});
}

}  // namespace

absl::StatusOr<ChildOutcome> RunChild(const std::vector<std::string>& arguments,
                                      absl::Duration limit, const std::string& doing) {
  int pipe_fds[2];
  if (pipe2(pipe_fds, O_CLOEXEC) != 0) return FileError(doing, "", errno);
  const absl::Cleanup close_read = [&] { close(pipe_fds[0]); };
  pid_t child = -1;
  const int error = Spawn(arguments, pipe_fds[1], &child);
  close(pipe_fds[1]);
  if (error != 0) {
    return absl::FailedPreconditionError(absl::StrCat(
        doing, ": the program '", arguments[0], "' cannot be started: ", std::strerror(error)));
  }
  // The header of glibc 2.36 that declares pidfd_open cannot be used from C++.
  const auto child_fd = static_cast<int>(syscall(SYS_pidfd_open, child, 0));
  if (child_fd < 0) {
    const int why = errno;
    if (why == ESRCH) return ChildOutcome();
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    return FileError(absl::StrCat(doing, ": watching"), arguments[0], why);
  }
  const absl::Cleanup close_child = [&] { close(child_fd); };
  ChildOutcome outcome = Wait(child, child_fd, pipe_fds[0], limit);
  outcome.text = OneLine(outcome.text);
  return outcome;
}

}  // namespace tilewright
