// Shows a job's progress while it runs: a bar on a terminal, lines in a log, or JSON.
// Thread-compatible.

#ifndef TILEWRIGHT_CLIENT_CLI_PROGRESS_REPORTER_H_
#define TILEWRIGHT_CLIENT_CLI_PROGRESS_REPORTER_H_

#include <cstdio>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "proto/base/instant.h"
#include "tilewright/types.h"

namespace tilewright {

enum class ProgressMode { kBar, kPlain, kJson, kNone };

// Of "auto", "bar", "plain", "json", "none"; auto is a bar if stderr is a terminal, else plain
// lines.
absl::StatusOr<ProgressMode> ParseProgressMode(const std::string& text);

// Decides which updates become a line of a log: the first, each change of state (paused or waiting
// included), each further 10 %, and one after 10 s.
class LinePace {
 public:
  bool Due(const Job& job, Instant now);

 private:
  std::optional<std::string> state_;  // StateText
  int tenth_ = 0;
  Instant last_;
};

// Bar and lines go to stderr, JSON lines to stdout. Events are shown as they come, and
// what to type when the job waits for a decision.
class ProgressReporter {
 public:
  explicit ProgressReporter(ProgressMode mode) : mode_(mode) {}
  ~ProgressReporter() { ClearBar(); }
  ProgressReporter(const ProgressReporter&) = delete;
  ProgressReporter& operator=(const ProgressReporter&) = delete;

  void Update(const Job& job);

  // Removes the bar, so that something else can be printed.
  void ClearBar();

 private:
  void ShowEvents(const Job& job);
  // Once for each set of failed tiles.
  void ShowDecision(const Job& job);

  const ProgressMode mode_;
  LinePace pace_;
  std::optional<Event> last_event_;
  std::string decision_;  // shown last
  bool bar_shown_ = false;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_CLIENT_CLI_PROGRESS_REPORTER_H_
