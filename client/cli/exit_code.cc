#include "client/cli/exit_code.h"

#include "absl/strings/str_format.h"
#include "tilewright/error.h"

namespace tilewright {
namespace {

struct Meaning {
  ExitCode code;
  const char* text;
};

constexpr Meaning kExitCodes[] = {
    {ExitCode::kOk, "done"},
    {ExitCode::kInternal, "internal error: a bug, or an error of an unknown kind"},
    {ExitCode::kUsage, "the command line, environment or configuration file is wrong"},
    {ExitCode::kInvalid, "the input or the request is invalid"},
    {ExitCode::kNotFound, "input, output folder, job or model not found"},
    {ExitCode::kOutputExists, "the output exists (see --overwrite)"},
    {ExitCode::kUnavailable, "no coordinator answers, or it stopped answering"},
    {ExitCode::kPrecondition, "no worker can do it, or another precondition fails"},
    {ExitCode::kJobFailed,
     "the job failed while it was rendered: a tile failed, or it took too long"},
    {ExitCode::kCancelled, "the job was cancelled, by Ctrl-C or by somebody"},
    {ExitCode::kExhausted, "a limit is reached: disk, memory, size or queue"},
    {ExitCode::kPermission, "a file or folder may not be read or written"},
    {ExitCode::kHoles, "finished with holes: tiles were left out (0 with --on-failed-tile hole)"},
    {ExitCode::kInterrupted, "left by a second Ctrl-C; the job may go on"},
};

}  // namespace

ExitCode ExitCodeOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return ExitCode::kOk;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kOutOfRange:
    case absl::StatusCode::kUnimplemented:
    case absl::StatusCode::kDataLoss:
    case absl::StatusCode::kAborted:
      return ExitCode::kInvalid;
    case absl::StatusCode::kNotFound:
      return ExitCode::kNotFound;
    case absl::StatusCode::kAlreadyExists: {
      const std::string reason = ErrorReason(status);
      const bool output = reason == "OUTPUT_EXISTS" || reason == "OUTPUT_PARTIAL_EXISTS";
      return output ? ExitCode::kOutputExists : ExitCode::kInvalid;
    }
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
      return ExitCode::kUnavailable;
    case absl::StatusCode::kFailedPrecondition:
      return ExitCode::kPrecondition;
    case absl::StatusCode::kCancelled:
      return ExitCode::kCancelled;
    case absl::StatusCode::kResourceExhausted:
      return ExitCode::kExhausted;
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated:
      return ExitCode::kPermission;
    default:
      return ExitCode::kInternal;
  }
}

ExitCode ExitCodeOf(const Job& job) {
  if (job.state == JobState::kCancelled) return ExitCode::kCancelled;
  if (job.state == JobState::kSucceeded && job.hole_count > 0 &&
      job.on_failed_tile != OnFailedTile::kHole) {
    return ExitCode::kHoles;
  }
  if (job.state != JobState::kFailed) return ExitCode::kOk;
  if (absl::IsAborted(job.error)) return ExitCode::kJobFailed;  // of a call: the input changed
  // Of a call: nobody answered in time.
  if (absl::IsDeadlineExceeded(job.error)) return ExitCode::kJobFailed;
  if (ErrorReason(job.error) == "TILE_FAILED") return ExitCode::kJobFailed;
  const ExitCode code = ExitCodeOf(job.error);
  switch (code) {
    case ExitCode::kInvalid:
    case ExitCode::kOutputExists:
    case ExitCode::kPrecondition:
    case ExitCode::kExhausted:
    case ExitCode::kPermission:
    case ExitCode::kUnavailable:
      return code;
    default:
      return ExitCode::kJobFailed;
  }
}

std::string ExitCodeHelp() {
  std::string help = "Exit codes:\n";
  for (const Meaning& meaning : kExitCodes) {
    absl::StrAppendFormat(&help, "  %3d  %s\n", static_cast<int>(meaning.code), meaning.text);
  }
  return help;
}

}  // namespace tilewright
