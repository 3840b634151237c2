#include "tests/cluster/networks.h"

#include <stdlib.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "proto/base/status_macros.h"
#include "tests/cluster/process.h"

namespace tilewright {

absl::StatusOr<std::unique_ptr<Networks>> Networks::Write() {
  std::string pattern = absl::StrCat(testing::TempDir(), "/tilewright-nets-XXXXXX");
  if (mkdtemp(pattern.data()) == nullptr)
    return absl::InternalError(absl::StrCat("cannot make ", pattern));
  auto networks = std::unique_ptr<Networks>(new Networks(pattern));
  Command write;
  write.argv = {absl::StrCat(TILEWRIGHT_BIN_DIR, "/tilewright-testnets"), "--out", pattern};
  write.out_path = write.err_path = pattern + ".log";
  TW_ASSIGN_OR_RETURN(std::unique_ptr<Process> writer, Process::Start(write));
  TW_ASSIGN_OR_RETURN(const int ended, writer->Wait(absl::Minutes(3)));
  if (ended == 0) return networks;
  return absl::InternalError(
      absl::StrCat("tilewright-testnets ended with ", ended, ": ", ReadFile(write.err_path)));
}

Networks::~Networks() {
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
  std::filesystem::remove(folder_ + ".log", ignored);
}

void NetworksTest::SetUp() {
  auto networks = Networks::Write();
  ASSERT_TRUE(networks.ok()) << networks.status();
  networks_ = *std::move(networks);
  ClusterOptions options;
  options.models = networks_->folder();
  StartCluster(workers_, options);
}

// Before the networks that its processes read.
void NetworksTest::TearDown() { cluster_.reset(); }

}  // namespace tilewright
