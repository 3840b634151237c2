// A cluster whose jobs leave checkpoints, for tests of coordinators that end on the way. Real
// processes. Not thread-safe.

#ifndef TILEWRIGHT_TESTS_CHAOS_CONTINUE_FIXTURE_H_
#define TILEWRIGHT_TESTS_CHAOS_CONTINUE_FIXTURE_H_

#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "tests/chaos/blur_fixture.h"
#include "tests/cluster/cluster.h"
#include "tests/cluster/picture.h"
#include "tests/cluster/with_cluster.h"

namespace tilewright {

class ContinueTest : public WithCluster, public testing::Test {
 protected:
  void SetUp() override { Start({}); }

  // A cluster that takes checkpoints, with the picture in.tif and one worker.
  void Start(ClusterOptions options) {
    options.coordinator_flags = {"--checkpoint-interval", interval_};
    ASSERT_NO_FATAL_FAILURE(StartCluster({}, options));
    ASSERT_TRUE(WritePicture(picture_, cluster_->Path("in.tif")).ok());
    const absl::Status added = cluster_->AddWorker("w", slow_);
    ASSERT_TRUE(added.ok()) << added;
  }

  JobRequest Request(const std::string& output) {
    JobRequest request;
    request.input = cluster_->Path("in.tif");
    request.output = cluster_->Path(output);
    request.model = "gaussian-blur";
    request.tile = 64;
    return request;
  }
  std::string Submit(const JobRequest& request) {
    const absl::StatusOr<std::string> job = cluster_->Submit(request);
    EXPECT_TRUE(job.ok()) << job.status();
    return job.value_or("");
  }
  v1::Job Finish(const JobRequest& request) {
    const absl::StatusOr<v1::Job> job = cluster_->AwaitSuccess(Submit(request), kPatience);
    EXPECT_TRUE(job.ok()) << job.status();
    return job.value_or(v1::Job());
  }
  // The job once it has come so far, and said what it goes on from, or ended.
  v1::Job AwaitTiles(const std::string& job, uint64_t tiles, bool continued = false) {
    const absl::StatusOr<v1::Job> now = cluster_->Await(
        job,
        [tiles, continued](const v1::Job& job_now) {
          if (continued && !FindEvent(job_now, "continued").has_value()) return false;
          return job_now.tiles_done() >= tiles || job_now.state() == v1::Job::STATE_SUCCEEDED;
        },
        kPatience);
    EXPECT_TRUE(now.ok()) << now.status();
    return now.value_or(v1::Job());
  }
  void Restart(int signal) {
    const absl::Status restarted = cluster_->RestartCoordinator(signal);
    ASSERT_TRUE(restarted.ok()) << restarted;
  }
  void Kill() { Restart(SIGKILL); }
  // Submits it, ends the coordinator by that signal once `half_way` says so and a checkpoint has
  // tiles, and finishes it by a job that goes on from there. It begins anew where the job was
  // faster than the signal.
  v1::Job FinishByTwo(JobRequest request, int signal,
                      const std::function<bool(const v1::Job&)>& half_way) {
    const auto enough = [&half_way](const v1::Job& job) {
      return job.state() == v1::Job::STATE_SUCCEEDED ||
             (job.checkpoint_tiles() > 0 && half_way(job));
    };
    absl::StatusOr<v1::Job> before;
    for (int tries = 0; tries == 0 || (tries < 10 && std::filesystem::remove(request.output));
         ++tries) {
      before = cluster_->Await(Submit(request), enough, kPatience);
      EXPECT_TRUE(before.ok()) << before.status();
      Restart(signal);
    }
    request.continue_partial = true;
    const v1::Job job = Finish(request);
    EXPECT_TRUE(FindEvent(job, "continued").has_value()) << EventsOf(job);
    if (before.ok()) {
      EXPECT_GE(job.continued_tiles(), before->checkpoint_tiles()) << EventsOf(job);
    }
    ExpectLeasedOnce(job);
    return job;
  }
  // What it went on from was leased to nobody, and the rest once, but for the single tile that a
  // worker is granted when it joins: one that still runs a tile of the job before gives it back,
  // and so does one that connects once more.
  static void ExpectLeasedOnce(const v1::Job& job) {
    const auto given_back =
        std::count_if(job.events().begin(), job.events().end(), [](const v1::Event& event) {
          return event.has_tile() &&
                 (event.kind() == "tile_requeued" || event.kind() == "worker_gone");
        });
    EXPECT_LE(given_back, 2) << EventsOf(job);
    EXPECT_EQ(job.attempts() - job.copies() - static_cast<uint64_t>(given_back),
              job.plan().tiles() - job.plan().skipped_tiles() - job.continued_tiles())
        << EventsOf(job);
  }
  bool Exists(const std::string& name) { return std::filesystem::exists(cluster_->Path(name)); }

  const Picture picture_ = NoisePicture(1400, 1100, 3, 8, 5);
  std::string interval_ = "0.05";  // seconds between checkpoints
  std::string slow_ = "slow:3";    // enough to be killed on the way
};

}  // namespace tilewright

#endif  // TILEWRIGHT_TESTS_CHAOS_CONTINUE_FIXTURE_H_
