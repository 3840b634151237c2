// Disks that fill up under a running coordinator: the job waits with all it has, the others go on,
// and with room again it ends with the pixels of an undisturbed run.

#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/wire/status_details.h"
#include "tests/cluster/cluster.h"
#include "tests/cluster/exit_status.h"
#include "tests/cluster/picture.h"
#include "tests/cluster/with_cluster.h"

namespace tilewright {
namespace {

using ::testing::HasSubstr;

constexpr absl::Duration kPatience = absl::Minutes(4);

class RoomTest : public WithCluster, public testing::Test {
 protected:
  void Start(const std::vector<std::string>& coordinator_flags = {}) {
    ASSERT_NO_FATAL_FAILURE(StartCluster({"w"}, {.coordinator_flags = coordinator_flags}));
    // 5.8 MB that nothing compresses.
    ASSERT_TRUE(WritePicture(NoisePicture(1600, 1200, 3, 8, 1), cluster_->Path("in.png")).ok());
  }

  // The name of a job that renders `input` in tiles of 256.
  std::string Submit(const std::string& input, const std::string& output,
                     const std::vector<std::string>& flags = {},
                     const std::string& model = "gaussian-blur") {
    std::vector<std::string> arguments = {
        "render", "-i",  cluster_->Path(input), "-o", output,      "-n",    model,
        "-t",     "256", "--overlap",           "16", "--no-wait", "--json"};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    const CliResult result = cluster_->Cli(arguments);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return result.json.has_value() ? result.json->fields().at("job").string_value() : "";
  }
  v1::Job Success(const std::string& job) {
    const absl::StatusOr<v1::Job> done = cluster_->AwaitSuccess(job, kPatience);
    EXPECT_TRUE(done.ok()) << done.status();
    return done.value_or(v1::Job());
  }
  std::string UndisturbedHash(const std::string& input) {
    return Success(Submit(input, cluster_->Path("undisturbed.tif"))).pixel_hash();
  }
  // Once it waits for room and none of its tiles is with a worker.
  v1::Job Waiting(const std::string& job) {
    const absl::StatusOr<v1::Job> waiting = cluster_->Await(
        job, [](const v1::Job& now) { return !now.waits_for_room().empty(); }, kPatience);
    EXPECT_TRUE(waiting.ok()) << waiting.status();
    return waiting.value_or(v1::Job());
  }
  // Bounds the files that the coordinator may write, from now on.
  void LimitFiles(rlim_t bytes) {
    rlimit limit;
    ASSERT_EQ(prlimit(cluster_->coordinator().pid(), RLIMIT_FSIZE, nullptr, &limit), 0);
    limit.rlim_cur = bytes;
    ASSERT_EQ(prlimit(cluster_->coordinator().pid(), RLIMIT_FSIZE, &limit, nullptr), 0);
  }
  void ExpectUndisturbed(const v1::Job& job, const std::string& hash) {
    EXPECT_EQ(job.pixel_hash(), hash);
    EXPECT_EQ(job.attempts(), job.plan().tiles()) << "computed twice:\n" << EventsOf(job);
    EXPECT_TRUE(FindEvent(job, "waits_for_room").has_value()) << EventsOf(job);
    EXPECT_TRUE(FindEvent(job, "has_room").has_value()) << EventsOf(job);
    EXPECT_EQ(job.waits_for_room(), "");
    EXPECT_TRUE(cluster_->coordinator().Running());
    EXPECT_TRUE(cluster_->worker("w").Running());
  }
};

TEST_F(RoomTest, AFileSizeLimitPausesTheJobUntilItIsRaised) {
  Start();
  if (HasFatalFailure()) return;
  const std::string hash = UndisturbedHash("in.png");
  LimitFiles(300'000);
  const std::string output = cluster_->Path("out.tif");
  const std::string name = Submit("in.png", output);
  const v1::Job waiting = Waiting(name);
  EXPECT_THAT(waiting.waits_for_room(),
              HasSubstr("/out.tif.partial: File too large; raise the file size limit or choose "
                        "another file system; "));
  EXPECT_LT(waiting.tiles_done(), waiting.plan().tiles());
  EXPECT_THAT(waiting.waits_for_room(), HasSubstr(" bytes are free there. "));
  EXPECT_THAT(cluster_->Cli({"jobs", "list"}).out, HasSubstr("waits for room on the disk"));
  EXPECT_THAT(cluster_->Cli({"jobs", "show", name}).out, HasSubstr("File too large"));

  // Somebody whose output fits is not held up.
  ASSERT_TRUE(WritePicture(NoisePicture(300, 200, 3, 8, 2), cluster_->Path("small.png")).ok());
  Success(Submit("small.png", cluster_->Path("small.tif")));
  EXPECT_EQ(cluster_->Cli({"jobs", "resume", name}).exit_code, 0);
  EXPECT_NE(Waiting(name).waits_for_room(), "");
  EXPECT_EQ(std::filesystem::exists(output), false);

  LimitFiles(RLIM_INFINITY);
  EXPECT_EQ(cluster_->Cli({"jobs", "resume", name}).exit_code, 0);
  ExpectUndisturbed(Success(name), hash);
  EXPECT_FALSE(std::filesystem::exists(output + ".partial"));
}

TEST_F(RoomTest, AJobThatWaitsForRoomIsCancelledAtOnceAndLeavesNothing) {
  Start();
  if (HasFatalFailure()) return;
  LimitFiles(300'000);
  const std::string output = cluster_->Path("out.tif");
  const std::string name = Submit("in.png", output, {"--keep-partial"});
  Waiting(name);
  EXPECT_TRUE(std::filesystem::exists(output + ".partial"));
  EXPECT_EQ(cluster_->Cli({"jobs", "cancel", name}).exit_code, 0);
  EXPECT_EQ(cluster_->Cli({"jobs", "watch", name, "--progress", "none"}).exit_code, kCancelled);
  const absl::StatusOr<v1::Job> job = cluster_->Get(name);
  ASSERT_TRUE(job.ok()) << job.status();
  const std::optional<v1::Event> event = FindEvent(*job, "partial_not_kept");
  ASSERT_TRUE(event.has_value()) << EventsOf(*job);
  EXPECT_THAT(event->text(), HasSubstr("out.tif.partial: File too large"));
  EXPECT_FALSE(FindEvent(*job, "has_room").has_value());
  EXPECT_EQ(job->partial_output(), "");
  EXPECT_FALSE(std::filesystem::exists(output + ".partial"));
  EXPECT_FALSE(std::filesystem::exists(cluster_->Path("out.partial.tif")));
}

TEST_F(RoomTest, AFullDiskPausesTheJobWhichGoesOnByItself) {
  Start();
  if (HasFatalFailure()) return;
  const std::string disk = cluster_->Path("disk");
  ASSERT_EQ(mkdir(disk.c_str(), 0755), 0);
  if (mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=2m") != 0) {
    GTEST_SKIP() << "no right to mount a small disk; the file size limit above stands in for it";
  }
  const absl::Cleanup unmount = [&] { umount2(disk.c_str(), MNT_DETACH); };
  const std::string hash = UndisturbedHash("in.png");
  const std::string name = Submit("in.png", disk + "/out.tif");
  EXPECT_THAT(Waiting(name).waits_for_room(), HasSubstr("No space left on device"));
  ASSERT_EQ(mount("tmpfs", disk.c_str(), "tmpfs", MS_REMOUNT, "size=64m"), 0);
  ExpectUndisturbed(Success(name), hash);
}

TEST_F(RoomTest, AnExportThatFindsNoRoomPausesTheJobToo) {
  Start();
  if (HasFatalFailure()) return;
  // Black and white at random: the TIFF packs a pixel into a few bits, a JPEG file does not.
  Picture dots = NoisePicture(1600, 1200, 3, 8, 3);
  for (size_t i = 0; i < dots.samples.size(); ++i) {
    const bool white = (dots.samples[i / 3 * 3] & std::byte{0x80}) != std::byte{0};
    if (i % 3 == 0) dots.samples[i] = white ? std::byte{255} : std::byte{0};
    dots.samples[i] = dots.samples[i / 3 * 3];
  }
  ASSERT_TRUE(WritePicture(dots, cluster_->Path("dots.png")).ok());
  const std::vector<std::string> plain = {"--jpeg-quality", "100"};
  const v1::Job tiff = Success(Submit("dots.png", cluster_->Path("dots.tif"), plain, "identity"));
  Success(Submit("dots.png", cluster_->Path("undisturbed.jpg"), plain, "identity"));
  const auto canvas = std::filesystem::file_size(cluster_->Path("dots.tif"));
  ASSERT_GT(std::filesystem::file_size(cluster_->Path("undisturbed.jpg")), canvas + canvas / 2);
  LimitFiles(canvas + canvas / 4);
  const std::string name = Submit("dots.png", cluster_->Path("out.jpg"), plain, "identity");
  const v1::Job waiting = Waiting(name);
  EXPECT_EQ(waiting.state(), v1::Job::STATE_MERGING);
  EXPECT_THAT(waiting.waits_for_room(), HasSubstr("exporting jpg to "));
  LimitFiles(RLIM_INFINITY);
  EXPECT_EQ(cluster_->Cli({"jobs", "resume", name}).exit_code, 0);
  ExpectUndisturbed(Success(name), tiff.pixel_hash());
  EXPECT_EQ(ReadFile(cluster_->Path("out.jpg")), ReadFile(cluster_->Path("undisturbed.jpg")));
}

TEST_F(RoomTest, AScratchFileThatCannotGrowPausesTheJob) {
  Start({"--memory", "10500000"});
  if (HasFatalFailure()) return;
  // A gradient: its output is small, what waits for neighbours is not. A row of its blocks alone
  // does not fit into the memory.
  Picture wide{6000, 1300, 3, 8, std::vector<std::byte>(6000 * 1300 * 3)};
  for (size_t i = 0; i < wide.samples.size(); ++i) {
    wide.samples[i] = static_cast<std::byte>(i / 3 % 6000 / 32 + i / 18'000 / 32);
  }
  ASSERT_TRUE(WritePicture(wide, cluster_->Path("wide.png")).ok());
  const std::string hash = UndisturbedHash("wide.png");
  LimitFiles(500'000);
  const std::string name = Submit("wide.png", cluster_->Path("out.tif"));
  EXPECT_THAT(Waiting(name).waits_for_room(), HasSubstr("writing the scratch file in "));
  LimitFiles(RLIM_INFINITY);
  ExpectUndisturbed(Success(name), hash);
}

TEST_F(RoomTest, AFolderThatCannotBeWrittenIsRefusedAtSubmit) {
  Start();
  if (HasFatalFailure()) return;
  JobRequest request;
  request.input = cluster_->Path("in.png");
  request.output = "/sys/out.tif";  // where even root makes no file
  request.model = "identity";
  const absl::Status refused = cluster_->Submit(request).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kPermissionDenied) << refused;
  EXPECT_EQ(ReasonOf(refused), "OUTPUT_NOT_WRITABLE") << refused;
  EXPECT_THAT(std::string(refused.message()), HasSubstr("creating /sys/out.tif.partial: "));
  // It can still render.
  Success(Submit("in.png", cluster_->Path("out.tif")));
}

}  // namespace
}  // namespace tilewright
