// A worker that the kernel kills because its control group has no memory left: the supervisor tells
// that from somebody's SIGKILL, and begins the next life smaller. Needs a machine on which a test
// may make control groups.

#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "tests/cluster/process.h"

namespace tilewright {
namespace {

namespace fs = std::filesystem;

constexpr absl::Duration kKillPatience = absl::Minutes(2);  // of a busy machine
constexpr char kBytes[] = "30000000";

bool Write(const fs::path& path, const std::string& text) {
  std::ofstream file(path);
  file << text << std::flush;
  return file.good();
}

std::string Read(const fs::path& path) {
  std::ifstream file(path);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

// A control group with little memory; gone with the object.
class LittleMemory {
 public:
  LittleMemory() {
    for (const auto& [root, limit] : {std::pair("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
                                      std::pair("/sys/fs/cgroup", "memory.max")}) {
      folder_ = fs::path(root) / absl::StrCat("tilewright-test-", getpid());
      std::error_code error;
      if (fs::create_directory(folder_, error) && fs::exists(folder_ / limit) &&
          Write(folder_ / limit, kBytes)) {
        made_ = true;
        return;
      }
      rmdir(folder_.c_str());
    }
  }
  ~LittleMemory() { rmdir(folder_.c_str()); }

  bool made() const { return made_; }
  std::string members() const { return folder_ / "cgroup.procs"; }

 private:
  fs::path folder_;
  bool made_ = false;
};

TEST(MemoryKill, BeginsTheNextLifeSmaller) {
  const LittleMemory group;
  if (!group.made()) GTEST_SKIP() << "this test may make no control group with a memory limit";
  std::string folder = absl::StrCat(testing::TempDir(), "/memory-kill-XXXXXX");
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  // Its first life reads a line without end.
  const std::string worker = folder + "/worker";
  ASSERT_TRUE(Write(worker, absl::StrCat("#!/bin/sh\ncase \"$*\" in *--first-rung*) exec sleep "
                                         "1000;; esac\necho $$ > ",
                                         group.members(), " && exec tail /dev/zero\n")));
  ASSERT_EQ(chmod(worker.c_str(), 0700), 0);
  Command command;
  command.argv = {absl::StrCat(TILEWRIGHT_BIN_DIR, "/tilewright-supervisor"),
                  "--worker",
                  worker,
                  "--name",
                  "s",
                  "--devices",
                  "cpu",
                  "--restart-pause",
                  "0.02",
                  "--status-file",
                  folder + "/status"};
  command.out_path = command.err_path = folder + "/log";
  auto supervisor = Process::Start(command);
  ASSERT_TRUE(supervisor.ok()) << supervisor.status();
  const std::string wanted =
      "\"rung\": 1, \"last_end\": \"the kernel killed it because memory ran out (signal 9, Killed)"
      "\"";
  const absl::Time deadline = absl::Now() + kKillPatience;
  while (!absl::StrContains(Read(folder + "/status"), wanted) && absl::Now() < deadline) {
    absl::SleepFor(absl::Milliseconds(10));
  }
  EXPECT_TRUE(absl::StrContains(Read(folder + "/status"), wanted))
      << Read(folder + "/status") << Read(folder + "/log");
  (*supervisor)->Signal(SIGTERM);
  EXPECT_TRUE((*supervisor)->Wait(kKillPatience).ok());
  fs::remove_all(folder);
}

}  // namespace
}  // namespace tilewright
