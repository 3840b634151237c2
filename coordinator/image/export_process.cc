#include "coordinator/image/export_process.h"

#include <sys/wait.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "coordinator/image/child_process.h"
#include "coordinator/image/file_error.h"
#include "proto/base/status_macros.h"

namespace tilewright {

absl::Status RunExportProcess(const ExportCommand& command, absl::Duration limit) {
  const absl::string_view kind = OutputKindName(command.request.kind);
  const std::string doing = absl::StrCat("exporting ", kind, " to ", command.to);
  std::vector<std::string> arguments{command.program, "--export-child", command.from, command.to};
  for (std::string& word : ExportWords(command.request)) arguments.push_back(std::move(word));
  TW_ASSIGN_OR_RETURN(const ChildOutcome outcome, RunChild(arguments, limit, doing));
  const std::string& text = outcome.text;
  const std::string because = text.empty() ? "" : absl::StrCat(" (", text, ")");
  if (outcome.timed_out) {
    return absl::DeadlineExceededError(absl::StrCat(doing, ": the export process was ended after ",
                                                    absl::FormatDuration(limit), because));
  }
  if (!outcome.status_known) {
    return absl::InternalError(
        absl::StrCat(doing, ": the export process ended and its exit status was lost"));
  }
  if (WIFSIGNALED(outcome.wait_status)) {
    const int signal_number = WTERMSIG(outcome.wait_status);
    return absl::InternalError(absl::StrCat(doing, ": the export process died of signal ",
                                            signal_number, " (", strsignal(signal_number), ")",
                                            because, "; the finished TIFF was complete"));
  }
  if (WEXITSTATUS(outcome.wait_status) == 0) return absl::OkStatus();
  for (const int full : {ENOSPC, EDQUOT, EFBIG}) {
    if (!absl::StrContains(text, std::strerror(full))) continue;
    return FileError(absl::StrCat("exporting ", kind, " to"), command.to, full);
  }
  return absl::InternalError(
      absl::StrCat(doing, ": ", text.empty() ? "the export process gave no reason" : text));
}

}  // namespace tilewright
