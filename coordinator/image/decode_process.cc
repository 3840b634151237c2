#include "coordinator/image/decode_process.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "coordinator/image/child_process.h"
#include "coordinator/image/decoded_copy.h"
#include "coordinator/image/file_error.h"
#include "coordinator/image/image_library.h"
#include "coordinator/image/npy_reader.h"
#include "proto/base/status_macros.h"

namespace tilewright {
namespace {

constexpr size_t kArguments = 6;
// Exit status of a child that failed with a sentence: this and the status code.
constexpr int kExitOfCode = 64;

void Limit(int resource, int64_t value) {
  const rlimit limit = {static_cast<rlim_t>(value), static_cast<rlim_t>(value)};
  setrlimit(static_cast<__rlimit_resource>(resource), &limit);
}

absl::Status CopyFile(const std::string& from, const std::string& to) {
  std::error_code error;
  std::filesystem::copy_file(from, to, error);
  return error ? FileError("writing", to, error.value()) : absl::OkStatus();
}

// How many pages the original has.
absl::StatusOr<int64_t> Decode(absl::Span<char* const> arguments) {
  int64_t file_bytes_max = 0;
  int64_t page = 0;
  ImageLimits limits;
  if (arguments.size() != kArguments || !absl::SimpleAtoi(arguments[2], &limits.side_max) ||
      !absl::SimpleAtoi(arguments[3], &limits.decoded_bytes_max) ||
      !absl::SimpleAtoi(arguments[4], &file_bytes_max) || !absl::SimpleAtoi(arguments[5], &page)) {
    return absl::InternalError("--decode-child is for the coordinator's own use");
  }
  // Before the first byte is looked at.
  Limit(RLIMIT_CORE, 0);
  Limit(RLIMIT_AS, kDecodeMemoryMax);
  Limit(RLIMIT_CPU, absl::ToInt64Seconds(kDecodeTimeMax));
  Limit(RLIMIT_FSIZE, file_bytes_max);
  Limit(RLIMIT_NOFILE, 64);
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  // A full disk or a size limit is an error to report, not a signal to die of.
  signal(SIGXFSZ, SIG_IGN);
  TW_RETURN_IF_ERROR(StartImageLibrary("tilewright-decode"));
  TW_ASSIGN_OR_RETURN(const std::unique_ptr<ImageReader> reader,
                      ImageReader::Open(arguments[0], limits, page));
  TW_RETURN_IF_ERROR(reader->info().format == NpyReader::kFormat
                         ? CopyFile(arguments[0], arguments[1])
                         : WriteDecodedCopy(*reader, arguments[1]));
  return reader->info().pages;
}

// What the child left of its work.
void Clear(const std::string& to) {
  unlink(to.c_str());
  unlink((to + ".partial").c_str());
}

absl::Status Explain(const ChildOutcome& outcome, const std::string& doing) {
  if (outcome.timed_out) {
    return absl::ResourceExhaustedError(absl::StrCat(
        doing, ": it took more than ", absl::FormatDuration(kDecodeTimeMax), ", the limit"));
  }
  if (!outcome.status_known) {
    return absl::InternalError(
        absl::StrCat(doing, ": its process ended and its exit status was lost"));
  }
  if (WIFSIGNALED(outcome.wait_status)) {
    const int number = WTERMSIG(outcome.wait_status);
    return absl::DataLossError(absl::StrCat(
        doing, ": its process died of signal ", number, " (", strsignal(number),
        "), for want of memory (at most ", kDecodeMemoryMax >> 20, " MiB) or of a damaged file",
        outcome.text.empty() ? "" : "; it said: ", outcome.text));
  }
  const int status = WEXITSTATUS(outcome.wait_status);
  if (status == 0) return absl::OkStatus();
  if (status <= kExitOfCode) {
    return absl::DataLossError(absl::StrCat(doing, ": its process ended with status ", status,
                                            outcome.text.empty() ? "" : ": ", outcome.text));
  }
  return absl::Status(static_cast<absl::StatusCode>(status - kExitOfCode), outcome.text);
}

}  // namespace

absl::StatusOr<int64_t> RunDecodeProcess(const DecodeCommand& command) {
  const std::string doing = absl::StrCat("decoding ", command.from);
  TW_ASSIGN_OR_RETURN(const ChildOutcome outcome,
                      RunChild({command.program, "--decode-child", command.from, command.to,
                                absl::StrCat(command.limits.side_max),
                                absl::StrCat(command.limits.decoded_bytes_max),
                                absl::StrCat(command.file_bytes_max), absl::StrCat(command.page)},
                               kDecodeTimeMax, doing));
  absl::Status status = Explain(outcome, doing);
  int64_t pages = 0;
  if (status.ok() && !absl::SimpleAtoi(outcome.output, &pages)) {
    status = absl::InternalError(
        absl::StrCat(doing, ": its process said '", outcome.output, "' and not how many pages"));
  }
  if (status.ok()) return pages;
  Clear(command.to);
  return status;
}

int RunDecodeChild(absl::Span<char* const> arguments) {
  // A decoder whose coordinator is gone has no reader.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const absl::StatusOr<int64_t> pages = Decode(arguments);
  if (pages.ok()) {
    std::printf("%s\n", absl::StrCat(*pages).c_str());
    return 0;
  }
  std::fprintf(stderr, "%s\n", std::string(pages.status().message()).c_str());
  return kExitOfCode + static_cast<int>(pages.status().code());
}

}  // namespace tilewright
