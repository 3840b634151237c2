// Watching, waiting, cancelling, listing, and what a broken or silent coordinator does to them.

#include <atomic>
#include <thread>

#include "tests/client/src/client_fixture.h"

namespace tilewright {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const grpc::Status kGone(grpc::StatusCode::UNAVAILABLE, "gone");

class WatchTest : public ClientFixture {
 protected:
  absl::StatusOr<Job> WatchAll(std::vector<uint64_t>* tiles_done) {
    return client_->Watch("jobs/a", [tiles_done](const Job& job) {
      tiles_done->push_back(job.tiles_done);
      return true;
    });
  }
};

TEST_F(WatchTest, ShowsEveryChangeUntilTheJobHasEnded) {
  v1::Job end = JobIn(v1::Job::STATE_SUCCEEDED, 4);
  end.set_pixel_hash("00ff");
  v1::Event& event = *end.add_events();
  event.set_kind("tile_lapsed");
  event.set_tile(0);
  event.set_seconds(1.5);
  fake_.SetScript({.watches = {{.jobs = {JobIn(v1::Job::STATE_QUEUED),
                                         JobIn(v1::Job::STATE_RUNNING, 2), end}}}});
  std::vector<uint64_t> seen;
  const auto job = WatchAll(&seen);
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_THAT(seen, ElementsAre(0, 2, 4));
  EXPECT_EQ(job->state, JobState::kSucceeded);
  EXPECT_EQ(job->pixel_hash, "00ff");
  ASSERT_EQ(job->events.size(), 1u);
  EXPECT_EQ(job->events[0].tile, 0u) << "tile 0 is a tile, not none";
  EXPECT_EQ(job->events[0].at, absl::Seconds(1.5));
}

TEST_F(WatchTest, ConnectsAgainWhenTheStreamBreaks) {
  fake_.SetScript(
      {.watches = {{.jobs = {JobIn(v1::Job::STATE_RUNNING, 1)}, .end = kGone},
                   {.end = kGone},
                   {.jobs = {JobIn(v1::Job::STATE_RUNNING, 3)}},  // ends well, too early
                   {.jobs = {JobIn(v1::Job::STATE_FAILED, 3)}}}});
  std::vector<uint64_t> seen;
  const auto job = WatchAll(&seen);
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_THAT(seen, ElementsAre(1, 3, 3));
  EXPECT_EQ(job->state, JobState::kFailed);
  EXPECT_EQ(fake_.log().watches, 4);
}

TEST_F(WatchTest, SurvivesARestartOfTheCoordinator) {
  fake_.SetScript({.watches = {{.jobs = {JobIn(v1::Job::STATE_RUNNING, 1)}, .hold = true},
                               {.jobs = {JobIn(v1::Job::STATE_SUCCEEDED, 4)}}}});
  std::thread restart;
  const auto job = client_->Watch("a", [this, &restart](const Job& now) {
    if (now.tiles_done == 1) {
      restart = std::thread([this] {
        fake_.Stop();
        fake_.Start();
      });
    }
    return true;
  });
  restart.join();
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->state, JobState::kSucceeded);
  EXPECT_EQ(job->name, "jobs/a");
}

TEST_F(WatchTest, GivesUpWithinABoundedTime) {
  fake_.SetScript({.watches = {{.end = kGone}}});
  ClientOptions options = Options();
  options.retry_for = absl::Milliseconds(1500);
  const auto impatient = Client::Connect(options);
  ASSERT_TRUE(impatient.ok());
  const absl::Time start = absl::Now();
  const auto job = (*impatient)->Watch("jobs/a", [](const Job&) { return true; });
  EXPECT_EQ(job.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ErrorReason(job.status()), "COORDINATOR_UNREACHABLE");
  EXPECT_THAT(std::string(job.status().message()), HasSubstr("lost sight of jobs/a"));
  EXPECT_LT(absl::Now() - start, absl::Seconds(8)) << "the default of the fixture is 10 s";
  EXPECT_GE(fake_.log().watches, 2);
}

TEST_F(WatchTest, NeverRepeatsAnErrorOfAnotherCode) {
  fake_.SetScript({.watches = {{.end = grpc::Status(grpc::StatusCode::NOT_FOUND, "no such job")}}});
  EXPECT_EQ(client_->Wait("jobs/a", absl::Seconds(10)).status(),
            absl::NotFoundError("no such job"));
  EXPECT_EQ(fake_.log().watches, 1);
}

TEST_F(WatchTest, StopsWhenTheCallbackSaysSo) {
  fake_.SetScript({.watches = {{.jobs = {JobIn(v1::Job::STATE_RUNNING, 1)}, .hold = true}}});
  const auto job = client_->Watch("jobs/a", [](const Job&) { return false; });
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->state, JobState::kRunning);
}

TEST_F(WatchTest, WaitEndsAtItsTimeoutAndTheJobGoesOn) {
  fake_.SetScript({.watches = {{.jobs = {JobIn(v1::Job::STATE_RUNNING, 1)}, .hold = true}}});
  EXPECT_EQ(client_->Wait("jobs/a", absl::Milliseconds(300)).status().code(),
            absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(fake_.log().cancels, 0);
}

TEST_F(WatchTest, ACancelFromAnotherThreadEndsTheWatch) {
  fake_.SetScript({.watches = {{.jobs = {JobIn(v1::Job::STATE_RUNNING, 1)}, .hold = true}}});
  std::thread canceller;
  const auto job = client_->Watch("jobs/a", [this, &canceller](const Job& now) {
    if (now.state == JobState::kRunning) {
      canceller = std::thread([this] { EXPECT_TRUE(client_->Cancel("a").ok()); });
    }
    return true;
  });
  canceller.join();
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->state, JobState::kCancelled);
}

TEST_F(WatchTest, CallsHaveDeadlines) {
  fake_.SetScript({.hang = true});
  ClientOptions options = Options();
  options.call_timeout = absl::Milliseconds(200);
  const auto impatient = Client::Connect(options);
  ASSERT_TRUE(impatient.ok());
  EXPECT_EQ((*impatient)->Get("jobs/a").status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(fake_.log().gets, 1);
}

TEST_F(WatchTest, ReasonsOfErrorsComeThrough) {
  const auto job = client_->Get("none");
  EXPECT_EQ(job.status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ErrorReason(job.status()), "JOB_NOT_FOUND");
}

TEST_F(WatchTest, ListTurnsAllPagesInOrder) {
  fake_.SetScript({.job_count = 450});
  int next = 0;
  const absl::Status listed = client_->List([&next](const Job& job) {
    EXPECT_EQ(job.name, absl::StrCat("jobs/", next));
    ++next;
    return true;
  });
  EXPECT_TRUE(listed.ok()) << listed;
  EXPECT_EQ(next, 450);
  EXPECT_EQ(fake_.log().lists, 3);
  int visited = 0;
  EXPECT_TRUE(client_->List([&visited](const Job&) { return ++visited < 5; }).ok());
  EXPECT_EQ(visited, 5);
  EXPECT_EQ(fake_.log().lists, 4) << "pages that nobody wants are not fetched";
}

TEST_F(WatchTest, ListsWorkersAndModels) {
  v1::WorkerInfo a;
  a.set_name("a");
  a.mutable_capabilities()->set_device_kind("cpu");
  a.mutable_capabilities()->add_engines("torch");
  v1::WorkerInfo b;
  b.set_name("b");
  v1::Model model;
  model.set_name("models/x2/versions/1");
  model.mutable_manifest()->set_scale_p(2);
  model.mutable_manifest()->set_exactness(v1::EXACTNESS_KIND_BOUNDED);
  model.mutable_manifest()->set_epsilon(0.5);
  fake_.SetScript({.workers = {a, b}, .models = {model}});
  const auto workers = client_->ListWorkers();
  ASSERT_TRUE(workers.ok()) << workers.status();
  ASSERT_EQ(workers->size(), 2u);
  EXPECT_THAT(workers->at(0).engines, ElementsAre("torch"));
  EXPECT_EQ(workers->at(1).name, "b");
  const auto models = client_->ListModels();
  ASSERT_TRUE(models.ok()) << models.status();
  ASSERT_EQ(models->size(), 1u);
  EXPECT_EQ(models->at(0).exactness, "bounded(0.5)");
  EXPECT_EQ(models->at(0).scale_q, 1u);
}

TEST_F(WatchTest, ConnectSaysWhereNobodyAnswers) {
  const std::string address = fake_.address();
  fake_.Stop();
  ClientOptions options = Options();
  options.connect_timeout = absl::Milliseconds(300);
  const auto client = Client::Connect(options);
  EXPECT_EQ(client.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(client.status().message()), HasSubstr(address));
  options.coordinator = "192.0.2.1:7878";
  EXPECT_EQ(ErrorReason(Client::Connect(options).status()), "INSECURE_ADDRESS");
}

}  // namespace
}  // namespace tilewright
