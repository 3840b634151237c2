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

// Of what the child writes to either; the rest is read and dropped so that it never blocks on it.
constexpr size_t kTextMax = 1000;

// Where a child writes to; both ends are closed with it.
struct Pipe {
  Pipe() = default;
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    if (read_end >= 0) close(read_end);
    CloseWriteEnd();
  }
  // False: errno says why.
  bool Open() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return false;
    read_end = ends[0];
    write_end = ends[1];
    return true;
  }
  void CloseWriteEnd() {
    if (write_end >= 0) close(write_end);
    write_end = -1;
  }
  int read_end = -1;
  int write_end = -1;
};

int Spawn(std::vector<std::string> arguments, int stdout_fd, int stderr_fd, pid_t* child) {
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&files, stdout_fd, STDOUT_FILENO);
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
  text->append(buffer, std::min(static_cast<size_t>(n), kTextMax - text->size()));
  return n > 0;
}

// What it wrote last; a grandchild that still holds the pipe is not waited for.
void DrainRest(int fd, std::string* text) {
  fcntl(fd, F_SETFL, O_NONBLOCK);
  pollfd rest = {fd, POLLIN, 0};
  while (poll(&rest, 1, 0) > 0 && Drain(fd, text)) {
  }
}

ChildOutcome Wait(pid_t child, int child_fd, int stdout_fd, int stderr_fd, absl::Duration limit) {
  ChildOutcome outcome;
  const absl::Time deadline = absl::Now() + limit;
  pollfd fds[] = {{child_fd, POLLIN, 0}, {stderr_fd, POLLIN, 0}, {stdout_fd, POLLIN, 0}};
  while (true) {
    const absl::Duration left = deadline - absl::Now();
    if (left <= absl::ZeroDuration()) {
      outcome.timed_out = true;
      kill(child, SIGKILL);
      break;
    }
    const int64_t wait_ms = std::min<int64_t>(absl::ToInt64Milliseconds(left) + 1, 60'000);
    if (poll(fds, 3, static_cast<int>(wait_ms)) < 0) continue;  // interrupted
    if (fds[1].revents != 0 && !Drain(stderr_fd, &outcome.text)) fds[1].fd = -1;
    if (fds[2].revents != 0 && !Drain(stdout_fd, &outcome.output)) fds[2].fd = -1;
    if (fds[0].revents != 0) break;
  }
  pid_t waited;
  do {
    waited = waitpid(child, &outcome.wait_status, 0);
  } while (waited < 0 && errno == EINTR);
  outcome.status_known = waited == child;
  if (fds[1].fd >= 0) DrainRest(stderr_fd, &outcome.text);
  if (fds[2].fd >= 0) DrainRest(stdout_fd, &outcome.output);
  return outcome;
}

std::string OneLine(absl::string_view text) {
  return absl::StrReplaceAll(absl::StripAsciiWhitespace(text), {{"\n", "; "}});
}

}  // namespace

absl::StatusOr<ChildOutcome> RunChild(const std::vector<std::string>& arguments,
                                      absl::Duration limit, const std::string& doing) {
  Pipe output;
  Pipe errors;
  if (!output.Open() || !errors.Open()) return FileError(doing, "", errno);
  pid_t child = -1;
  const int error = Spawn(arguments, output.write_end, errors.write_end, &child);
  output.CloseWriteEnd();
  errors.CloseWriteEnd();
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
  ChildOutcome outcome = Wait(child, child_fd, output.read_end, errors.read_end, limit);
  outcome.text = OneLine(outcome.text);
  outcome.output = OneLine(outcome.output);
  return outcome;
}

}  // namespace tilewright
