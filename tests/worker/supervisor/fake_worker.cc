// A worker that does as a test tells it: takes a worker's flags, and
//
//   --journal PATH   appends a line for each thing that happens to it
//   --cpu-lives LIST as --lives, for lives on the CPU if they are to differ
//   --lives LIST     what its lives are like, by number; the last one repeats:
//                      exit:N    ends at once with that code
//                      signal:N  ends at once by that signal
//                      serve     leaves at the first SIGTERM
//                      linger    leaves at the second SIGTERM
//
// Lines: "NAME start rung=R device=D threads=T omp=O nice=N group=own|other ms=M", "NAME drain",
// "NAME stop", "NAME end".

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace {

// One write: lines of several processes do not mix.
void Note(const std::string& journal, const std::string& line) {
  const int file = open(journal.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  const std::string text = line + "\n";
  if (file < 0 || write(file, text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    _exit(99);
  }
  close(file);
}

int Starts(const std::string& journal, const std::string& name) {
  std::ifstream file(journal);
  int starts = 0;
  for (std::string line; std::getline(file, line);) {
    starts += absl::StartsWith(line, name + " start ") ? 1 : 0;
  }
  return starts;
}

}  // namespace

int main(int argc, char** argv) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigprocmask(SIG_BLOCK, &signals, nullptr);

  std::map<std::string, std::string> flags = {{"--first-rung", "0"}};
  for (int i = 1; i + 1 < argc; i += 2) flags[argv[i]] = argv[i + 1];
  const std::string& name = flags["--name"];
  const std::string& journal = flags["--journal"];
  const std::vector<std::string> lives = absl::StrSplit(
      flags["--device"] == "cpu" && flags.contains("--cpu-lives") ? flags["--cpu-lives"]
                                                                  : flags["--lives"],
      ',');
  const size_t life = std::min<size_t>(Starts(journal, name), lives.size() - 1);
  const char* omp = std::getenv("OMP_NUM_THREADS");
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now().time_since_epoch());
  Note(journal,
       absl::StrCat(name, " start rung=", flags["--first-rung"], " device=", flags["--device"],
                    " threads=", flags["--threads"], " omp=", omp ? omp : "",
                    " nice=", getpriority(PRIO_PROCESS, 0),
                    " group=", getpgrp() == getpid() ? "own" : "other", " ms=", ms.count()));

  const std::vector<std::string> told = absl::StrSplit(lives[life], ':');
  int number = 0;
  if (told.size() == 2 && absl::SimpleAtoi(told[1], &number)) {
    if (told[0] == "exit") _exit(number);
    signal(number, SIG_DFL);
    raise(number);
    _exit(98);
  }
  int got = 0;
  sigwait(&signals, &got);
  Note(journal, name + " drain");
  if (told[0] == "linger") {
    sigwait(&signals, &got);
    Note(journal, name + " stop");
  }
  Note(journal, name + " end");
  return 0;
}
