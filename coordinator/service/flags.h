// The command line of tilewright-coordinator: flags over environment over configuration file.
// Thread-safe: a function.

#ifndef TILEWRIGHT_COORDINATOR_SERVICE_FLAGS_H_
#define TILEWRIGHT_COORDINATOR_SERVICE_FLAGS_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "coordinator/service/server.h"

namespace tilewright {

// Exit codes; scripts rely on them.
enum class ExitCode {
  kStopped = 0,       // by SIGTERM or SIGINT; also after --help and --version
  kInternal = 1,      // a bug, or a library that does not start
  kUsage = 2,         // the command line or the configuration file is wrong
  kBadFolder = 3,     // --models, --state-dir, --scratch, --root or --port-file cannot be used
  kCannotListen = 4,  // the address is taken, not this machine's, or needs --insecure
};
ExitCode ExitCodeOf(const absl::Status& status);

struct Flags {
  ServerOptions server;
  std::string log_level = "info";
};

// Prints and returns the exit code where the command line asks for that (--help, --version) or is
// wrong; else fills `flags`.
std::optional<ExitCode> ParseFlags(int argc, char** argv, const std::string& version, Flags* flags);

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_SERVICE_FLAGS_H_
