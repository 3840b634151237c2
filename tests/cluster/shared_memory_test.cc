// Real processes with and without shared memory: the same picture, the transport that was asked
// for, and nothing left of the memory when either side is killed.

#include <signal.h>

#include <filesystem>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cluster/cluster.h"
#include "tests/cluster/picture.h"

namespace tilewright {
namespace {

constexpr absl::Duration kTimeout = absl::Minutes(2);

bool AwaitThat(const std::function<bool()>& reached) {
  for (const absl::Time deadline = absl::Now() + kTimeout; !reached();) {
    if (absl::Now() > deadline) return false;
    absl::SleepFor(absl::Milliseconds(10));
  }
  return true;
}

// Mappings of shared segments in a process.
int SegmentsIn(const Process& process) {
  int count = 0;
  for (absl::string_view line :
       absl::StrSplit(ReadFile(absl::StrCat("/proc/", process.pid(), "/maps")), '\n')) {
    if (absl::StrContains(line, "memfd:tilewright-segment")) ++count;
  }
  return count;
}

int OpenFilesOf(const Process& process) {
  const std::filesystem::directory_iterator files(absl::StrCat("/proc/", process.pid(), "/fd"));
  return static_cast<int>(std::distance(begin(files), end(files)));
}

std::vector<std::string> NamedSegments() {
  std::vector<std::string> names;
  if (!std::filesystem::exists("/dev/shm")) return names;
  for (const auto& entry : std::filesystem::directory_iterator("/dev/shm")) {
    if (absl::StrContains(entry.path().string(), "segment")) names.push_back(entry.path());
  }
  return names;
}

std::unique_ptr<Cluster> StartCluster(const std::vector<std::string>& flags = {}) {
  ClusterOptions options;
  options.coordinator_flags = flags;
  absl::StatusOr<std::unique_ptr<Cluster>> cluster = Cluster::Start(options);
  EXPECT_TRUE(cluster.ok()) << cluster.status();
  return cluster.ok() ? *std::move(cluster) : nullptr;
}

// A job of tiles that are big enough for shared memory.
std::string Submit(Cluster& cluster, int side, const std::string& output = "out.tif") {
  JobRequest request;
  request.input = cluster.Path("in.tif");
  request.output = cluster.Path(output);
  request.model = "identity";
  request.tile = 256;
  request.overlap = 32;
  EXPECT_TRUE(WritePicture(NoisePicture(side, side, 3, 8, 5), request.input).ok());
  const absl::StatusOr<std::string> job = cluster.Submit(request);
  EXPECT_TRUE(job.ok()) << job.status();
  return job.value_or("");
}

void ExpectPicture(Cluster& cluster, const std::string& job, int side) {
  const absl::StatusOr<v1::Job> ended = cluster.AwaitSuccess(job, kTimeout);
  ASSERT_TRUE(ended.ok()) << ended.status();
  const absl::StatusOr<Picture> output = ReadPicture(cluster.Path("out.tif"));
  ASSERT_TRUE(output.ok()) << output.status();
  EXPECT_EQ(Difference(*output, NoisePicture(side, side, 3, 8, 5)), "equal");
}

struct Case {
  const char* name;
  std::vector<std::string> coordinator, worker;
  v1::Transport transport;
};

class TransportTest : public testing::TestWithParam<Case> {};

INSTANTIATE_TEST_SUITE_P(
    Ends, TransportTest,
    testing::Values(Case{"Shared", {}, {}, v1::TRANSPORT_SEGMENT},
                    Case{"OffAtTheWorker", {}, {"--no-shared-memory"}, v1::TRANSPORT_INLINE},
                    Case{"OffAtTheCoordinator", {"--no-shared-memory"}, {}, v1::TRANSPORT_INLINE}),
    [](const auto& instance) { return instance.param.name; });

TEST_P(TransportTest, TheSamePictureComesOutAndTheWorkerIsListedWithIt) {
  const std::unique_ptr<Cluster> cluster = StartCluster(GetParam().coordinator);
  ASSERT_NE(cluster, nullptr);
  ASSERT_TRUE(cluster->AddWorker("one", WorkerSetup{"", "", GetParam().worker}).ok());
  ExpectPicture(*cluster, Submit(*cluster, 1100), 1100);
  const absl::StatusOr<v1::WorkerInfo> worker = cluster->Worker("one");
  ASSERT_TRUE(worker.ok()) << worker.status();
  EXPECT_EQ(worker->transport(), GetParam().transport);
  const bool shared = GetParam().transport == v1::TRANSPORT_SEGMENT;
  EXPECT_EQ(SegmentsIn(cluster->coordinator()), shared ? 1 : 0);
  EXPECT_EQ(SegmentsIn(cluster->worker("one")), shared ? 1 : 0);
  const CliResult listed = cluster->Cli({"workers", "list"});
  EXPECT_THAT(listed.out, testing::HasSubstr(shared ? "segment" : "inline"));
}

TEST(SharedMemory, OfAKilledWorkerNothingIsLeftAndItsTilesAreDoneByAnother) {
  const std::unique_ptr<Cluster> cluster = StartCluster();
  ASSERT_NE(cluster, nullptr);
  ASSERT_TRUE(cluster->AddWorker("one").ok());
  ASSERT_TRUE(cluster->AwaitSuccess(Submit(*cluster, 300, "warm.tif"), kTimeout).ok());
  const int files_before = OpenFilesOf(cluster->coordinator());
  ASSERT_TRUE(cluster->AddWorker("two", "slow:20").ok());
  EXPECT_EQ(SegmentsIn(cluster->coordinator()), 2);
  const std::string job = Submit(*cluster, 4000);
  ASSERT_TRUE(cluster
                  ->Await(
                      job, [](const v1::Job& now) { return now.tiles_done() > 20; }, kTimeout)
                  .ok());
  cluster->worker("two").Signal(SIGKILL);
  ASSERT_TRUE(cluster->worker("two").Wait(kTimeout).ok());
  EXPECT_TRUE(AwaitThat([&] { return SegmentsIn(cluster->coordinator()) == 1; }));
  ExpectPicture(*cluster, job, 4000);
  EXPECT_TRUE(AwaitThat([&] { return OpenFilesOf(cluster->coordinator()) <= files_before; }))
      << OpenFilesOf(cluster->coordinator()) << " files, once " << files_before;
  EXPECT_THAT(NamedSegments(), testing::IsEmpty());
}

TEST(SharedMemory, OfAKilledCoordinatorNothingIsLeftAndAttemptsToComeBackLeaveNothing) {
  const std::unique_ptr<Cluster> cluster = StartCluster();
  ASSERT_NE(cluster, nullptr);
  ASSERT_TRUE(cluster->AddWorker("one").ok());
  const int files_before = OpenFilesOf(cluster->worker("one"));
  cluster->coordinator().Signal(SIGKILL);
  ASSERT_TRUE(cluster->coordinator().Wait(kTimeout).ok());
  const auto attempts = [&] {
    const std::vector<std::string> parts =
        absl::StrSplit(ReadFile(cluster->Path("worker-one.log")), "cannot reach");
    return parts.size() - 1;
  };
  ASSERT_TRUE(AwaitThat([&] { return attempts() >= 3; }));
  // The offer of the attempt in progress, if any.
  EXPECT_LE(SegmentsIn(cluster->worker("one")), 1);
  EXPECT_LE(OpenFilesOf(cluster->worker("one")), files_before + 1);
  EXPECT_THAT(NamedSegments(), testing::IsEmpty());
}

}  // namespace
}  // namespace tilewright
