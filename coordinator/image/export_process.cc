#include "coordinator/image/export_process.h"

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
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "coordinator/image/file_error.h"

extern char** environ;

namespace tilewright {
namespace {

// Of the child's stderr; the rest is read and dropped so that the child never blocks on it.
constexpr size_t kErrorTextMax = 1000;

struct Outcome {
  bool timed_out = false;
  bool status_known = false;  // false: someone else waited for the child, or SIGCHLD is ignored
  int wait_status = 0;
  std::string text;  // stderr
};

int Spawn(const ExportCommand& command, int stderr_fd, pid_t* child) {
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

  std::string arguments[] = {command.program, "--export-child", command.kind, command.from,
                             command.to};
  char* argv[] = {arguments[0].data(), arguments[1].data(), arguments[2].data(),
                  arguments[3].data(), arguments[4].data(), nullptr};
  const int error = posix_spawn(child, command.program.c_str(), &files, &attributes, argv, environ);
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

Outcome Wait(pid_t child, int child_fd, int stderr_fd, absl::Duration limit) {
  Outcome outcome;
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

absl::Status Lost(const std::string& doing) {
  return absl::InternalError(
      absl::StrCat(doing, ": the export process ended and its exit status was lost"));
}

}  // namespace

absl::Status RunExportProcess(const ExportCommand& command, absl::Duration limit) {
  const std::string doing = absl::StrCat("exporting ", command.kind, " to ", command.to);
  int pipe_fds[2];
  if (pipe2(pipe_fds, O_CLOEXEC) != 0)
    return FileError("starting the export to", command.to, errno);
  const absl::Cleanup close_read = [&] { close(pipe_fds[0]); };
  pid_t child = -1;
  const int error = Spawn(command, pipe_fds[1], &child);
  close(pipe_fds[1]);
  if (error != 0) {
    return absl::FailedPreconditionError(absl::StrCat(
        doing, ": the program '", command.program, "' cannot be started: ", std::strerror(error)));
  }
  // The header of glibc 2.36 that declares pidfd_open cannot be used from C++.
  const auto child_fd = static_cast<int>(syscall(SYS_pidfd_open, child, 0));
  if (child_fd < 0) {
    const int why = errno;
    if (why == ESRCH) return Lost(doing);
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    return FileError("watching the export to", command.to, why);
  }
  const absl::Cleanup close_child = [&] { close(child_fd); };

  const Outcome outcome = Wait(child, child_fd, pipe_fds[0], limit);
  const std::string text = OneLine(outcome.text);
  const std::string because = text.empty() ? "" : absl::StrCat(" (", text, ")");
  if (outcome.timed_out) {
    return absl::DeadlineExceededError(absl::StrCat(doing, ": the export process was ended after ",
                                                    absl::FormatDuration(limit), because));
  }
  if (!outcome.status_known) return Lost(doing);
  if (WIFSIGNALED(outcome.wait_status)) {
    const int signal_number = WTERMSIG(outcome.wait_status);
    return absl::InternalError(absl::StrCat(doing, ": the export process died of signal ",
                                            signal_number, " (", strsignal(signal_number), ")",
                                            because, "; the finished TIFF was complete"));
  }
  if (WEXITSTATUS(outcome.wait_status) == 0) return absl::OkStatus();
  if (absl::StrContains(text, std::strerror(ENOSPC)) ||
      absl::StrContains(text, std::strerror(EFBIG)) ||
      absl::StrContains(text, std::strerror(EDQUOT))) {
    return absl::ResourceExhaustedError(
        absl::StrCat(doing, ": ", text, "; make room there or choose another output"));
  }
  return absl::InternalError(
      absl::StrCat(doing, ": ", text.empty() ? "the export process gave no reason" : text));
}

}  // namespace tilewright
