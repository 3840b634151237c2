// What users do to jobs and workers while they run, with the programs as they are: pause, priority,
// drain, decisions on a failed tile, quotas and a time limit.

#include <unistd.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cluster/cluster.h"
#include "tests/cluster/exit_status.h"
#include "tests/cluster/picture.h"
#include "tests/cluster/scripted_worker.h"
#include "tests/cluster/with_cluster.h"

namespace tilewright {
namespace {

using ::testing::HasSubstr;

class OperationsTest : public WithCluster, public testing::Test {
 protected:
  explicit OperationsTest(std::vector<std::string> coordinator_flags = {})
      : coordinator_flags_(std::move(coordinator_flags)) {}

  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(StartCluster({}, {.coordinator_flags = coordinator_flags_}));
    ASSERT_TRUE(WritePicture(NoisePicture(300, 200, 3, 8, 1), cluster_->Path("in.png")).ok());
  }

  // 300 × 200 pixels in tiles of 64, which share 16.
  std::vector<std::string> RenderArguments(const std::string& output,
                                           const std::vector<std::string>& flags) {
    std::vector<std::string> arguments = {"render",
                                          "-i",
                                          cluster_->Path("in.png"),
                                          "-o",
                                          cluster_->Path(output),
                                          "-n",
                                          "identity",
                                          "-t",
                                          "64",
                                          "--overlap",
                                          "16",
                                          "--json"};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    return arguments;
  }
  CliResult Render(const std::string& output, const std::vector<std::string>& flags = {}) {
    return cluster_->Cli(RenderArguments(output, flags));
  }
  // The name of a job that was only submitted.
  std::string Submit(const std::string& output, std::vector<std::string> flags = {}) {
    flags.push_back("--no-wait");
    const CliResult result = Render(output, flags);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return result.json.has_value() ? result.json->fields().at("job").string_value() : "";
  }
  // Runs `tilewright ARGUMENTS --json`, which must end with `exit_code`.
  CliResult Do(std::vector<std::string> arguments, int exit_code = 0) {
    arguments.push_back("--json");
    CliResult result = cluster_->Cli(arguments);
    EXPECT_EQ(result.exit_code, exit_code) << arguments[1] << ": " << result.out << result.err;
    return result;
  }
  void Add(const std::string& name) {
    const absl::Status added = cluster_->AddWorker(name);
    ASSERT_TRUE(added.ok()) << added;
  }

  const std::vector<std::string> coordinator_flags_;
};

TEST_F(OperationsTest, APausedJobStandsStillWhileOthersAreRendered) {
  const std::string paused = Submit("paused.tif");
  EXPECT_TRUE(Do({"jobs", "pause", paused}).json->fields().at("paused").bool_value());
  Add("w");
  if (HasFatalFailure()) return;
  const CliResult other = Render("other.tif");
  ASSERT_EQ(other.exit_code, 0) << other.err;
  const absl::StatusOr<v1::Job> job = cluster_->Get(paused);
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_TRUE(job->paused());
  EXPECT_EQ(job->attempts(), 0u) << "a tile of a paused job was granted";
  EXPECT_THAT(cluster_->Cli({"jobs", "list"}).out, HasSubstr("queued, paused"));

  EXPECT_FALSE(Do({"jobs", "resume", paused}).json->fields().at("paused").bool_value());
  const absl::StatusOr<v1::Job> ended = cluster_->AwaitSuccess(paused);
  ASSERT_TRUE(ended.ok()) << ended.status();
  EXPECT_EQ(ended->pixel_hash(), other.json->fields().at("pixel_hash").string_value());
  EXPECT_THAT(Do({"jobs", "pause", paused}, kPrecondition).err, HasSubstr("[JOB_ENDED]"));
}

TEST_F(OperationsTest, ADrainedWorkerGetsNothingUntilItIsResumed) {
  Add("a");
  Add("b");
  if (HasFatalFailure()) return;
  EXPECT_THAT(cluster_->Cli({"workers", "drain", "a"}).out, HasSubstr("a drained"));
  const auto only = [this](const std::string& output, const std::string& worker) {
    const CliResult result = Render(output);
    ASSERT_EQ(result.exit_code, 0) << result.err;
    const auto& workers = result.json->fields().at("workers").list_value();
    ASSERT_EQ(workers.values_size(), 1);
    EXPECT_EQ(workers.values(0).struct_value().fields().at("name").string_value(), worker);
  };
  only("one.tif", "b");
  EXPECT_THAT(cluster_->Cli({"workers", "list"}).out, HasSubstr("drained"));
  Do({"workers", "resume", "a"});
  Do({"workers", "drain", "b", "--now"});
  only("two.tif", "a");
  EXPECT_THAT(cluster_->Cli({"workers", "clear-blocklist", "a"}).out, HasSubstr("a ready"));
  EXPECT_THAT(Do({"workers", "drain", "c"}, kNotFound).err, HasSubstr("no worker 'c'"));
}

// One worker that the test plays: it copies tiles, and fails the one that is `bad_`.
class FailedTileTest : public OperationsTest {
 protected:
  static constexpr uint64_t kBad = 7;  // inside: the picture has 6 × 4 tiles

  void SetUp() override {
    OperationsTest::SetUp();
    if (HasFatalFailure()) return;
    ScriptedWorkerOptions options;
    options.credit_tiles = 1;
    absl::StatusOr<std::unique_ptr<ScriptedWorker>> worker =
        ScriptedWorker::Join(cluster_->Connect(), options);
    ASSERT_TRUE(worker.ok()) << worker.status();
    worker_ = *std::move(worker);
  }
  void TearDown() override { worker_.reset(); }

  // Renders in the background; the job's name.
  std::string Start(const std::vector<std::string>& flags) {
    absl::StatusOr<std::unique_ptr<Process>> client =
        cluster_->StartCli("render", RenderArguments("out.tif", flags));
    EXPECT_TRUE(client.ok()) << client.status();
    if (client.ok()) client_ = *std::move(client);
    const absl::Time deadline = absl::Now() + absl::Seconds(30);
    while (absl::Now() < deadline) {
      grpc::ClientContext context;
      v1::ListJobsResponse jobs;
      if (cluster_->render().ListJobs(&context, v1::ListJobsRequest(), &jobs).ok() &&
          jobs.jobs_size() > 0) {
        return jobs.jobs(0).name();
      }
      absl::SleepFor(absl::Milliseconds(10));
    }
    ADD_FAILURE() << "no job was submitted: " << ReadFile(cluster_->Path("render.err"));
    return "";
  }

  // Works until the job is as `done` says.
  v1::Job Work(const std::string& job, bool fail, const std::function<bool(const v1::Job&)>& done) {
    const absl::Time deadline = absl::Now() + absl::Seconds(60);
    while (absl::Now() < deadline) {
      const absl::StatusOr<v1::Job> now = cluster_->Get(job);
      EXPECT_TRUE(now.ok()) << now.status();
      if (!now.ok() || done(*now)) return now.value_or(v1::Job());
      const absl::StatusOr<v1::Lease> lease = worker_->AwaitGrant(absl::Milliseconds(50));
      if (!lease.ok()) continue;
      EXPECT_TRUE(worker_->SayStarted(lease->id()).ok());
      for (int i = 0; i < lease->tiles_size(); ++i) {
        const absl::StatusOr<ScriptedTile> tile = worker_->AwaitTile(absl::Seconds(10));
        EXPECT_TRUE(tile.ok()) << tile.status();
        if (!tile.ok()) return v1::Job();
        if (fail && tile->header.tile().index() == kBad) {
          v1::WorkerEvent event;
          *event.mutable_failed()->mutable_lease() = tile->header.lease();
          event.mutable_failed()->set_index(kBad);
          event.mutable_failed()->set_cause(v1::FAILURE_CAUSE_MODEL_ERROR);
          event.mutable_failed()->set_text("it does not like this tile");
          event.mutable_failed()->set_batch(1);
          EXPECT_TRUE(worker_->Say(event).ok());
        } else {
          EXPECT_TRUE(worker_->SubmitOnFreshStream(worker_->IdentityResult(*tile)).ok());
        }
      }
    }
    ADD_FAILURE() << job << " did not become what was waited for";
    return v1::Job();
  }
  static bool Ended(const v1::Job& job) { return job.state() >= v1::Job::STATE_SUCCEEDED; }
  static bool Waits(const v1::Job& job) {
    return job.waits_for_decision() && job.tiles_done() + 1 == job.plan().tiles();
  }

  std::string ClientSaid(const std::string& words) {
    const absl::Time deadline = absl::Now() + absl::Seconds(30);
    std::string said;
    while (absl::Now() < deadline && said.find(words) == std::string::npos) {
      said = ReadFile(cluster_->Path("render.err"));
      absl::SleepFor(absl::Milliseconds(10));
    }
    return said;
  }
  // How the client that Start started ended, and the last line that it printed.
  std::pair<int, std::string> ClientEnd() {
    const absl::StatusOr<int> exit_code = client_->Wait(absl::Seconds(30));
    EXPECT_TRUE(exit_code.ok()) << exit_code.status();
    return {exit_code.value_or(-1), ReadFile(cluster_->Path("render.out"))};
  }

  // The picture as it would be without the hole, but for the middle of that tile, which is black.
  void ExpectAHole() {
    const absl::StatusOr<Picture> got = ReadPicture(cluster_->Path("out.tif"));
    ASSERT_TRUE(got.ok()) << got.status();
    Picture want = NoisePicture(300, 200, 3, 8, 1);
    const absl::StatusOr<v1::Job> job = cluster_->Get(job_);
    ASSERT_TRUE(job.ok()) << job.status();
    ASSERT_EQ(job->holes_size(), 1);
    const v1::Rect& rect = job->holes(0).rect();
    // Neighbours reach 16 pixels into the tile's contribution from every side.
    for (int64_t y = rect.y() + 16; y < rect.y() + rect.height() - 16; ++y) {
      for (int64_t x = rect.x() + 16; x < rect.x() + rect.width() - 16; ++x) {
        for (int64_t c = 0; c < 3; ++c) {
          want.samples[static_cast<size_t>((y * 300 + x) * 3 + c)] = std::byte{0};
        }
      }
    }
    EXPECT_EQ(Difference(*got, want), "equal");
  }

  std::unique_ptr<ScriptedWorker> worker_;
  std::unique_ptr<Process> client_;
  std::string job_;
};

TEST_F(FailedTileTest, IsAcceptedAsAHole) {
  job_ = Start({"--on-failed-tile", "wait", "--progress", "plain"});
  Work(job_, true, Waits);
  const std::string said = ClientSaid("accept-holes");
  EXPECT_THAT(said, HasSubstr("waits for a decision"));
  EXPECT_THAT(said, HasSubstr(absl::StrCat("tilewright jobs retry ", job_)));
  EXPECT_THAT(said, HasSubstr(absl::StrCat("tilewright jobs accept-holes ", job_)));
  EXPECT_THAT(cluster_->Cli({"jobs", "show", job_}).out, HasSubstr("failed tiles  7\n"));

  const CliResult accepted = Do({"jobs", "accept-holes", job_});
  EXPECT_EQ(accepted.json->fields().at("hole_count").number_value(), 1);
  const auto [exit_code, out] = ClientEnd();
  EXPECT_EQ(exit_code, kHoles);
  EXPECT_THAT(out, HasSubstr(R"("holes":[{"tile":7,)"));
  EXPECT_THAT(cluster_->Cli({"jobs", "show", job_}).out, HasSubstr("1 hole      tile 7, "));
  ExpectAHole();
}

TEST_F(FailedTileTest, IsTriedAgain) {
  job_ = Start({"--on-failed-tile", "wait"});
  Work(job_, true, Waits);
  Do({"jobs", "retry", job_});
  const v1::Job ended = Work(job_, false, Ended);
  EXPECT_EQ(ended.state(), v1::Job::STATE_SUCCEEDED) << EventsOf(ended);
  EXPECT_EQ(ended.hole_count(), 0u);
  EXPECT_EQ(ClientEnd().first, 0);
  const absl::StatusOr<Picture> got = ReadPicture(cluster_->Path("out.tif"));
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(Difference(*got, NoisePicture(300, 200, 3, 8, 1)), "equal");
}

TEST_F(FailedTileTest, IsAHoleAtOnceIfTheRequestSaysSo) {
  job_ = Start({"--on-failed-tile", "hole"});
  Work(job_, true, Ended);
  EXPECT_EQ(ClientEnd().first, 0) << "it was asked for";
  ExpectAHole();
}

TEST_F(FailedTileTest, EndsTheJobOtherwise) {
  job_ = Start({});
  const v1::Job ended = Work(job_, true, Ended);
  EXPECT_EQ(ended.state(), v1::Job::STATE_FAILED) << EventsOf(ended);
  EXPECT_EQ(ClientEnd().first, kJobFailed);
  EXPECT_THAT(ReadFile(cluster_->Path("render.err")), HasSubstr("[TILE_FAILED]"));
}

class QuotaTest : public OperationsTest {
 protected:
  QuotaTest() : OperationsTest({"--quota", "default:jobs=1,priority=1"}) {}
};

TEST_F(QuotaTest, RefusesWhatIsBeyondItAndLeavesNothingBehind) {
  const std::string first = Submit("first.tif");
  const CliResult refused = Render("second.tif");
  EXPECT_EQ(refused.exit_code, kExhausted) << refused.out;
  EXPECT_THAT(refused.err, HasSubstr("default"));
  EXPECT_THAT(refused.err, HasSubstr("try again in"));
  EXPECT_THAT(refused.err, HasSubstr("[QUOTA_EXCEEDED]"));
  for (const char* left : {"second.tif", "second.tif.partial"}) {
    EXPECT_NE(access(cluster_->Path(left).c_str(), F_OK), 0) << left << " was left behind";
  }
  EXPECT_THAT(Do({"jobs", "priority", first, "3"}, kExhausted).err, HasSubstr("up to 1, not 3"));
  EXPECT_EQ(Do({"jobs", "priority", first, "-3"}).json->fields().at("priority").number_value(), -3);
  Do({"jobs", "cancel", first});
  Submit("second.tif");
}

TEST_F(OperationsTest, AJobEndsWhenItsTimeIsOver) {
  const CliResult result = Render("out.tif", {"--max-duration", "0.5"});
  EXPECT_EQ(result.exit_code, kJobFailed) << result.err;
  EXPECT_THAT(result.err, HasSubstr("[MAX_DURATION]"));
  EXPECT_NE(access(cluster_->Path("out.tif").c_str(), F_OK), 0);
}

}  // namespace
}  // namespace tilewright
