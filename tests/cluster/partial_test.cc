// What a job leaves that does not succeed, if it was asked to: pixels of finished tiles are final,
// the others zero, and a list names the missing tiles.

#include <signal.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/util/json_util.h"
#include "grpcpp/client_context.h"
#include "gtest/gtest.h"
#include "proto/wire/file_uri.h"
#include "tests/cluster/cluster.h"
#include "tests/cluster/exit_status.h"
#include "tests/cluster/picture.h"
#include "tests/cluster/scripted_worker.h"
#include "tests/cluster/with_cluster.h"

namespace tilewright {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;

constexpr absl::Duration kPatience = absl::Minutes(4);
constexpr int kWidth = 1300;
constexpr int kHeight = 900;

class PartialTest : public WithCluster, public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(StartCluster());
    source_ = NoisePicture(kWidth, kHeight, 3, 8, 1);
    ASSERT_TRUE(WritePicture(source_, cluster_->Path("in.png")).ok());
  }

  std::vector<std::string> Arguments(const std::string& output, const std::string& model,
                                     const std::vector<std::string>& flags) {
    std::vector<std::string> arguments = {"render",
                                          "-i",
                                          cluster_->Path("in.png"),
                                          "-o",
                                          cluster_->Path(output),
                                          "-n",
                                          model,
                                          "-t",
                                          "256",
                                          "--overlap",
                                          "32",
                                          "--json",
                                          "--keep-partial"};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    return arguments;
  }

  // The file that the list describes must be `whole`, but zero where a tile is missing.
  void ExpectWholeButForMissing(const v1::Job& job, const Picture& whole) {
    google::protobuf::Struct list;
    const std::string text = ReadFile(job.partial_output() + ".missing.json");
    ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(text, &list).ok()) << text;
    EXPECT_EQ(list.fields().at("job").string_value(), job.name());
    EXPECT_EQ(list.fields().at("tiles").number_value(), static_cast<double>(job.plan().tiles()));
    const auto& missing = list.fields().at("missing").list_value();
    EXPECT_EQ(static_cast<uint64_t>(missing.values_size()), job.missing_tile_count());
    EXPECT_EQ(list.fields().at("missing_count").number_value(), missing.values_size());
    Picture expected = whole;
    for (const auto& value : missing.values()) {
      const auto number = [&value](const char* key) {
        return static_cast<int>(value.struct_value().fields().at(key).number_value());
      };
      missing_.insert(number("tile"));
      for (int y = number("y"); y < number("y") + number("height"); ++y) {
        std::memset(&expected.samples[static_cast<size_t>((y * kWidth + number("x")) * 3)], 0,
                    static_cast<size_t>(number("width") * 3));
      }
    }
    const absl::StatusOr<Picture> got = ReadPicture(job.partial_output());
    ASSERT_TRUE(got.ok()) << got.status();
    EXPECT_EQ(Difference(*got, expected), "equal");
    EXPECT_NE(Difference(*got, whole), "equal") << "nothing is missing";
    const Picture nothing{kWidth, kHeight, 3, 8, std::vector<std::byte>(whole.samples.size())};
    EXPECT_NE(Difference(*got, nothing), "equal") << "everything is missing";
  }

  Picture source_;
  std::set<int> missing_;  // tiles, as the list has them
};

TEST_F(PartialTest, ACancelledJobLeavesWhatWasFinished) {
  absl::StatusOr<std::unique_ptr<ScriptedWorker>> worker =
      ScriptedWorker::Join(cluster_->Connect(), {});
  ASSERT_TRUE(worker.ok()) << worker.status();
  const CliResult submitted = cluster_->Cli(Arguments("out.tif", "identity", {"--no-wait"}));
  ASSERT_EQ(submitted.exit_code, 0) << submitted.err;
  const std::string name = submitted.json->fields().at("job").string_value();
  std::set<int> done;
  while (done.size() < 11) {
    const absl::StatusOr<ScriptedTile> tile = (*worker)->AwaitTile(kPatience);
    ASSERT_TRUE(tile.ok()) << tile.status();
    ASSERT_TRUE((*worker)->SayStarted(tile->header.lease()).ok());
    const auto verdict = (*worker)->SubmitOnFreshStream((*worker)->IdentityResult(*tile));
    ASSERT_TRUE(verdict.ok()) << verdict.status();
    ASSERT_EQ(verdict->verdict(), v1::TileVerdict::VERDICT_ACCEPTED) << verdict->text();
    done.insert(static_cast<int>(tile->header.tile().index()));
  }
  // Results that are still queued now are dropped, and are missing.
  EXPECT_EQ(cluster_->Cli({"jobs", "cancel", name}).exit_code, 0);
  const auto ended = [](const v1::Job& job) { return job.state() == v1::Job::STATE_CANCELLED; };
  const absl::StatusOr<v1::Job> job = cluster_->Await(name, ended, kPatience);
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_THAT(job->partial_output(), EndsWith("/out.partial.tif")) << EventsOf(*job);
  EXPECT_TRUE(FindEvent(*job, "partial_kept").has_value());
  ExpectWholeButForMissing(*job, source_);
  for (int tile = 0; tile < static_cast<int>(job->plan().tiles()); ++tile) {
    if (!done.contains(tile)) {
      EXPECT_TRUE(missing_.contains(tile)) << "tile " << tile;
    }
  }
  EXPECT_FALSE(std::filesystem::exists(cluster_->Path("out.tif")));
  EXPECT_FALSE(std::filesystem::exists(cluster_->Path("out.tif.partial")));

  // What was kept is not overwritten by the next one.
  const CliResult again = cluster_->Cli(Arguments("out.tif", "identity", {"--no-wait"}));
  EXPECT_THAT(again.err, HasSubstr("[OUTPUT_EXISTS]"));
}

TEST_F(PartialTest, AFailedJobLeavesATiffWhateverItsFormat) {
  ASSERT_TRUE(cluster_->AddWorker("good").ok());
  const CliResult whole = cluster_->Cli(Arguments("whole.tif", "gaussian-blur", {}));
  ASSERT_EQ(whole.exit_code, 0) << whole.err;
  EXPECT_FALSE(std::filesystem::exists(cluster_->Path("whole.partial.tif"))) << "it succeeded";
  cluster_->worker("good").Signal(SIGTERM);
  ASSERT_TRUE(cluster_->AwaitWorker("good", false, kPatience).ok());

  WorkerSetup bad;
  bad.engine_fault = "nan:12+";
  ASSERT_TRUE(cluster_->AddWorker("bad", bad).ok());
  const CliResult failed =
      cluster_->Cli(Arguments("out.png", "gaussian-blur", {"--progress", "none"}), kPatience);
  EXPECT_EQ(failed.exit_code, kJobFailed) << failed.err;
  ASSERT_TRUE(failed.json.has_value()) << failed.out;
  const std::string name = failed.json->fields().at("job").string_value();
  const absl::StatusOr<v1::Job> job = cluster_->Get(name);
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->state(), v1::Job::STATE_FAILED);
  EXPECT_THAT(job->partial_output(), EndsWith("/out.partial.tif")) << EventsOf(*job);
  EXPECT_THAT(cluster_->Cli({"jobs", "show", name}).out,
              HasSubstr(absl::StrCat("left     ", job->partial_output(), " on the coord")));
  const absl::StatusOr<Picture> expected = ReadPicture(cluster_->Path("whole.tif"));
  ASSERT_TRUE(expected.ok()) << expected.status();
  ExpectWholeButForMissing(*job, *expected);
  EXPECT_FALSE(std::filesystem::exists(cluster_->Path("out.png")));
}

TEST_F(PartialTest, AStoppedCoordinatorLeavesItToo) {
  absl::StatusOr<std::unique_ptr<ScriptedWorker>> worker =
      ScriptedWorker::Join(cluster_->Connect(), {});
  ASSERT_TRUE(worker.ok()) << worker.status();
  ASSERT_EQ(cluster_->Cli(Arguments("out.tif", "identity", {"--no-wait"})).exit_code, 0);
  const absl::StatusOr<ScriptedTile> tile = (*worker)->AwaitTile(kPatience);
  ASSERT_TRUE(tile.ok()) << tile.status();
  cluster_->coordinator().Signal(SIGTERM);
  const absl::StatusOr<int> exit = cluster_->coordinator().Wait(kPatience);
  ASSERT_TRUE(exit.ok()) << exit.status();
  EXPECT_EQ(*exit, 0);
  const absl::StatusOr<Picture> got = ReadPicture(cluster_->Path("out.partial.tif"));
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(got->width, kWidth);
  EXPECT_FALSE(std::filesystem::exists(cluster_->Path("out.tif.partial")));
}

TEST_F(PartialTest, OfAMaskedJobKeepsWhatIsNotMarked) {
  // Marked is the left half; of its tiles some come.
  Picture mask{kWidth, kHeight, 1, 8, std::vector<std::byte>(kWidth * kHeight)};
  for (size_t i = 0; i < mask.samples.size(); ++i) {
    mask.samples[i] = i % kWidth < kWidth / 2 ? std::byte{255} : std::byte{0};
  }
  ASSERT_TRUE(WritePicture(mask, cluster_->Path("mask.png")).ok());
  absl::StatusOr<std::unique_ptr<ScriptedWorker>> worker =
      ScriptedWorker::Join(cluster_->Connect(), {});
  ASSERT_TRUE(worker.ok()) << worker.status();
  const CliResult submitted = cluster_->Cli(
      Arguments("out.tif", "identity", {"--no-wait", "--mask", cluster_->Path("mask.png")}));
  ASSERT_EQ(submitted.exit_code, 0) << submitted.err;
  const std::string name = submitted.json->fields().at("job").string_value();
  for (int tiles = 0; tiles < 5; ++tiles) {
    const absl::StatusOr<ScriptedTile> tile = (*worker)->AwaitTile(kPatience);
    ASSERT_TRUE(tile.ok()) << tile.status();
    ASSERT_TRUE((*worker)->SayStarted(tile->header.lease()).ok());
    ASSERT_TRUE((*worker)->SubmitOnFreshStream((*worker)->IdentityResult(*tile)).status().ok());
  }
  EXPECT_EQ(cluster_->Cli({"jobs", "cancel", name}).exit_code, 0);
  const auto ended = [](const v1::Job& job) { return job.state() == v1::Job::STATE_CANCELLED; };
  const absl::StatusOr<v1::Job> job = cluster_->Await(name, ended, kPatience);
  ASSERT_TRUE(job.ok()) << job.status();
  ASSERT_NE(job->partial_output(), "") << EventsOf(*job);
  EXPECT_GT(job->missing_tile_count(), 0u);
  const absl::StatusOr<Picture> got = ReadPicture(job->partial_output());
  ASSERT_TRUE(got.ok()) << got.status();
  ASSERT_EQ(got->samples.size(), source_.samples.size());
  int64_t wrong_unmarked = 0, kept = 0, zeroed = 0, strange = 0;
  for (size_t pixel = 0; pixel < mask.samples.size(); ++pixel) {
    const bool same = std::memcmp(&got->samples[3 * pixel], &source_.samples[3 * pixel], 3) == 0;
    const std::byte zero[3] = {};
    const bool none = std::memcmp(&got->samples[3 * pixel], zero, 3) == 0;
    if (mask.samples[pixel] == std::byte{0}) {
      wrong_unmarked += same ? 0 : 1;
    } else {
      kept += same ? 1 : 0;
      zeroed += none ? 1 : 0;
      strange += same || none ? 0 : 1;
    }
  }
  EXPECT_EQ(wrong_unmarked, 0);
  EXPECT_EQ(strange, 0);
  EXPECT_GT(kept, 256 * 256);
  EXPECT_GT(zeroed, 256 * 256);
}

TEST_F(PartialTest, OfADownloadIsDownloaded) {
  WorkerSetup bad;
  bad.engine_fault = "nan:8+";
  ASSERT_TRUE(cluster_->AddWorker("bad", bad).ok());
  v1::CreateJobRequest create;
  create.set_request_id("download");
  v1::RenderRequest& render = *create.mutable_render();
  render.set_input(FileUri(cluster_->Path("in.png")));
  render.set_output("download:.png");
  render.add_stages()->set_model("identity");
  render.mutable_stages(0)->set_tile(256);
  render.mutable_output_options()->set_keep_partial(true);
  grpc::ClientContext context;
  v1::CreateJobResponse created;
  const grpc::Status submitted = cluster_->render().CreateJob(&context, create, &created);
  ASSERT_TRUE(submitted.ok()) << submitted.error_message();
  const auto ended = [](const v1::Job& job) { return job.state() == v1::Job::STATE_FAILED; };
  const absl::StatusOr<v1::Job> job = cluster_->Await(created.job().name(), ended, kPatience);
  ASSERT_TRUE(job.ok()) << job.status();
  const std::string fetched = cluster_->Path("fetched.tif");
  const CliResult fetch = cluster_->Cli({"jobs", "fetch", job->name(), "-o", fetched});
  ASSERT_EQ(fetch.exit_code, 0) << fetch.err;
  EXPECT_EQ(ReadFile(fetched), ReadFile(job->partial_output()));
  ExpectWholeButForMissing(*job, source_);
}

TEST_F(PartialTest, AJobThatWasNotAskedToLeavesNothing) {
  WorkerSetup bad;
  bad.engine_fault = "nan:3+";
  ASSERT_TRUE(cluster_->AddWorker("bad", bad).ok());
  std::vector<std::string> arguments = Arguments("out.tif", "gaussian-blur", {});
  std::erase(arguments, "--keep-partial");
  EXPECT_EQ(cluster_->Cli(arguments, kPatience).exit_code, kJobFailed);
  EXPECT_FALSE(std::filesystem::exists(cluster_->Path("out.partial.tif")));
  EXPECT_FALSE(std::filesystem::exists(cluster_->Path("out.tif.partial")));
}

}  // namespace
}  // namespace tilewright
