// What the program's exit code says. Scripts rely on it: numbers never change their meaning. Pure;
// thread-safe.

#ifndef TILEWRIGHT_CLIENT_CLI_EXIT_CODE_H_
#define TILEWRIGHT_CLIENT_CLI_EXIT_CODE_H_

#include <string>

#include "absl/status/status.h"
#include "tilewright/types.h"

namespace tilewright {

// The sentences of --help stand in kExitCodes, exit_code.cc.
enum class ExitCode {
  kOk = 0,
  kInternal = 1,
  kUsage = 2,
  kInvalid = 3,
  kNotFound = 4,
  kOutputExists = 5,
  kUnavailable = 6,
  kPrecondition = 7,
  kJobFailed = 8,
  kCancelled = 9,
  kExhausted = 10,
  kPermission = 11,
  kHoles = 12,
  kInterrupted = 130,
};

// Of an error that was met before or beside a job; of OK, kOk.
ExitCode ExitCodeOf(const absl::Status& status);

// Of a job: kOk unless it failed, was cancelled, or has holes that its request did not ask for.
// Failures that the user can mend keep their own code (invalid input, no worker, no room, a
// coordinator that shut down); all others, failed tiles and a job that took too long among them,
// are kJobFailed.
ExitCode ExitCodeOf(const Job& job);

// The table for --help, a line each.
std::string ExitCodeHelp();

}  // namespace tilewright

#endif  // TILEWRIGHT_CLIENT_CLI_EXIT_CODE_H_
