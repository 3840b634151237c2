#include "client/cli/progress_reporter.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <chrono>

#include "absl/strings/str_cat.h"
#include "client/cli/documents.h"
#include "client/cli/progress.h"
#include "client/cli/report.h"

namespace tilewright {
namespace {

constexpr absl::Duration kLongestSilence = absl::Seconds(10);

int TerminalColumns() {
  winsize size = {};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

}  // namespace

absl::StatusOr<ProgressMode> ParseProgressMode(const std::string& text) {
  if (text == "auto") return isatty(STDERR_FILENO) ? ProgressMode::kBar : ProgressMode::kPlain;
  if (text == "bar") return ProgressMode::kBar;
  if (text == "plain") return ProgressMode::kPlain;
  if (text == "json") return ProgressMode::kJson;
  if (text == "none") return ProgressMode::kNone;
  return absl::InvalidArgumentError(
      absl::StrCat("setting 'progress' is '", text, "': say auto, bar, plain, json or none"));
}

bool LinePace::Due(const Job& job, Instant now) {
  const int tenth = ProgressOf(job).percent / 10;
  const std::string state = StateText(job);
  if (state_ == state && tenth == tenth_ && now - last_ < kLongestSilence) return false;
  state_ = state;
  tenth_ = tenth;
  last_ = now;
  return true;
}

void ProgressReporter::Update(const Job& job) {
  if (mode_ == ProgressMode::kNone) return;
  if (mode_ == ProgressMode::kJson) {
    std::puts(ProgressDocument(job).c_str());
    std::fflush(stdout);
    return;
  }
  ShowEvents(job);
  ShowDecision(job);
  if (mode_ == ProgressMode::kBar) {
    std::fprintf(stderr, "\r\x1b[2K%s", ProgressBar(job, TerminalColumns() - 1).c_str());
    bar_shown_ = true;
    return;
  }
  const Instant now =
      Instant::FromStart(absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch()));
  if (pace_.Due(job, now)) std::fprintf(stderr, "%s\n", ProgressLine(job).c_str());
}

void ProgressReporter::ShowDecision(const Job& job) {
  const std::string decision = DecisionText(job);
  if (decision != decision_ && !decision.empty()) {
    ClearBar();
    std::fputs(decision.c_str(), stderr);
  }
  decision_ = decision;
}

void ProgressReporter::ClearBar() {
  if (bar_shown_) std::fputs("\r\x1b[2K", stderr);
  bar_shown_ = false;
}

void ProgressReporter::ShowEvents(const Job& job) {
  const std::vector<Event> news = EventsAfter(job.events, last_event_);
  if (news.empty()) return;
  ClearBar();
  for (const Event& event : news) std::fprintf(stderr, "%s\n", EventText(event).c_str());
  last_event_ = news.back();
}

}  // namespace tilewright
