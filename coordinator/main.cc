// tilewright-coordinator: plans, leases, merges. Wiring only.

#include <malloc.h>
#include <signal.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <climits>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <memory>

#include "coordinator/image/decode_process.h"
#include "coordinator/image/image_reader.h"
#include "coordinator/image/output_file.h"
#include "coordinator/service/flags.h"
#include "coordinator/service/server.h"

namespace {

// Tile buffers come and go by the thousand: fresh pages for each would cost more than moving the
// tiles. Each arena keeps the most that was ever taken from it, and by default there would be eight
// for each core; small blocks come from the threads' own caches anyway.
constexpr int kArenas = 1;

void TuneMalloc() {
#if defined(M_MMAP_THRESHOLD) && defined(M_TRIM_THRESHOLD)
  mallopt(M_ARENA_MAX, kArenas);
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, INT_MAX);
#endif
}

int Fail(const absl::Status& status) {
  std::cerr << "tilewright-coordinator: " << status.message() << "\n";
  return static_cast<int>(tilewright::ExitCodeOf(status));
}

}  // namespace

int main(int argc, char** argv) {
  TuneMalloc();
  if (argc > 1 && std::strcmp(argv[1], "--export-child") == 0) {
    return tilewright::RunExportChild(absl::MakeConstSpan(argv + 2, static_cast<size_t>(argc - 2)));
  }
  if (argc > 1 && std::strcmp(argv[1], "--decode-child") == 0) {
    return tilewright::RunDecodeChild(absl::MakeSpan(argv + 2, argc - 2));
  }
  tilewright::Flags flags;
  if (const auto exit = tilewright::ParseFlags(argc, argv, TILEWRIGHT_VERSION, &flags)) {
    return static_cast<int>(*exit);
  }
  spdlog::set_default_logger(spdlog::stderr_logger_mt("coordinator"));
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%e %l %v");
  spdlog::set_level(spdlog::level::from_str(flags.log_level));
  spdlog::flush_on(spdlog::level::info);

  // Threads inherit the mask, so that the signals wait for this one.
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  sigaddset(&stop, SIGINT);
  pthread_sigmask(SIG_BLOCK, &stop, nullptr);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);  // a file size limit is an error of the job that meets it

  const absl::Status images = tilewright::StartImageLibrary(argv[0]);
  if (!images.ok()) return Fail(images);
  flags.server.build = "tilewright-coordinator " TILEWRIGHT_VERSION;
  flags.server.export_program = std::filesystem::read_symlink("/proc/self/exe").string();
  const auto server = tilewright::Server::Start(flags.server);
  if (!server.ok()) return Fail(server.status());
  spdlog::info("serving {} on port {}", flags.server.listen, (*server)->port());

  int signal_number = 0;
  sigwait(&stop, &signal_number);
  spdlog::info("{} received: shutting down", strsignal(signal_number));
  (*server)->Shutdown();
  return static_cast<int>(tilewright::ExitCode::kStopped);
}
