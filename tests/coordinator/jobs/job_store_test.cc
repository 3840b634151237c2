// Jobs by request id and by name, pages, and what is forgotten.

#include "coordinator/jobs/job_store.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/wire/status_details.h"

namespace tilewright {
namespace {

std::shared_ptr<JobRecord> NewJob(const std::string& id) {
  JobRecord::Identity identity;
  identity.name = absl::StrCat("jobs/", id);
  return std::make_shared<JobRecord>(identity, v1::RenderRequest(), v1::PlanSummary(), "exact");
}

void Submit(JobStore& store, const std::string& id) {
  ASSERT_TRUE(store.Reserve(id, "digest").ok());
  store.Commit(id, NewJob(id));
}

TEST(JobStore, TheSameRequestAgainIsTheSameJob) {
  JobStore store({});
  Submit(store, "a");
  const auto again = store.Reserve("a", "digest");
  ASSERT_TRUE(again.ok()) << again.status();
  ASSERT_NE(*again, nullptr);
  EXPECT_EQ((*again)->name(), "jobs/a");
}

TEST(JobStore, AnotherRequestUnderAUsedIdIsRefused) {
  JobStore store({});
  Submit(store, "a");
  const absl::Status status = store.Reserve("a", "other digest").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(ReasonOf(status), "REQUEST_ID_REUSED");
  EXPECT_EQ(status.message(),
            "request_id 'a' was used before for another request: choose a fresh one");
}

TEST(JobStore, ARetryWhileTheSubmitIsUnderWayIsToldToTryAgain) {
  JobStore store({});
  ASSERT_TRUE(store.Reserve("a", "digest").ok());
  EXPECT_EQ(store.Reserve("a", "digest").status().code(), absl::StatusCode::kUnavailable);
}

TEST(JobStore, AFailedSubmitLeavesItsIdFree) {
  JobStore store({});
  ASSERT_TRUE(store.Reserve("a", "digest").ok());
  store.Release("a");
  const auto again = store.Reserve("a", "mended digest");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(*again, nullptr);
}

TEST(JobStore, RefusesIdsThatAreNone) {
  JobStore store({});
  for (const std::string& id : {std::string(), std::string("a b"), std::string(65, 'a')}) {
    EXPECT_EQ(ReasonOf(store.Reserve(id, "digest").status()), "BAD_REQUEST_ID") << id;
  }
  EXPECT_TRUE(store.Reserve(std::string(64, 'a'), "digest").ok());
}

TEST(JobStore, TakesOnlySoManyUnfinishedJobs) {
  JobStoreOptions options;
  options.open_max = 2;
  JobStore store(options);
  Submit(store, "a");
  Submit(store, "b");
  const absl::Status full = store.Reserve("c", "digest").status();
  EXPECT_EQ(ReasonOf(full), "TOO_MANY_JOBS");
  (*store.Find("jobs/a"))->SetEnded(absl::OkStatus(), JobView(), "", Instant());
  EXPECT_TRUE(store.Reserve("c", "digest").ok());
}

TEST(JobStore, ForgetsTheOldestEndedJobsAndSaysSo) {
  std::vector<std::string> forgotten;
  JobStoreOptions options;
  options.ended_max = 1;
  options.on_forgotten = [&](const JobRecord& job) { forgotten.push_back(job.name()); };
  JobStore store(options);
  for (const char* id : {"a", "b", "c"}) {
    Submit(store, id);
    if (std::string(id) == "b") continue;  // b never ends
    (*store.Find(absl::StrCat("jobs/", id)))->SetEnded(absl::OkStatus(), JobView(), "", Instant());
  }
  Submit(store, "d");
  EXPECT_THAT(forgotten, testing::ElementsAre("jobs/a"));
  EXPECT_EQ(ReasonOf(store.Find("jobs/a").status()), "UNKNOWN_JOB");
  EXPECT_TRUE(store.Find("jobs/b").ok());
  EXPECT_TRUE(store.Find("jobs/c").ok());
}

TEST(JobStore, PagesHoldEveryJobOnceNewestFirst) {
  JobStore store({});
  for (int i = 0; i < 7; ++i) Submit(store, absl::StrCat("j", i));
  std::vector<std::string> names;
  std::string token;
  int pages = 0;
  do {
    const auto page = store.List(3, token);
    ASSERT_TRUE(page.ok()) << page.status();
    for (const auto& job : page->jobs) names.push_back(job->name());
    token = page->next_token;
    ++pages;
  } while (!token.empty());
  EXPECT_EQ(pages, 3);
  EXPECT_THAT(names, testing::ElementsAre("jobs/j6", "jobs/j5", "jobs/j4", "jobs/j3", "jobs/j2",
                                          "jobs/j1", "jobs/j0"));
  EXPECT_EQ(ReasonOf(store.List(3, "no token").status()), "BAD_PAGE_TOKEN");
}

TEST(JobRecord, KeepsTheLatestThousandEvents) {
  const auto job = NewJob("a");
  for (int i = 0; i < 1500; ++i) {
    Notice notice;
    notice.kind = "tile_failed";
    notice.tile = i;
    job->AddEvent(notice, Instant());
  }
  const v1::Job snapshot = job->Snapshot(nullptr, Instant(), true);
  ASSERT_EQ(snapshot.events_size(), 1000);
  EXPECT_EQ(snapshot.events(0).tile(), 500u);
  EXPECT_EQ(snapshot.events(999).tile(), 1499u);
}

TEST(JobRecord, AnEndedJobStaysAsItIs) {
  const auto job = NewJob("a");
  JobView last;
  last.tiles_done = 3;
  job->SetEnded(absl::CancelledError("enough"), last, "", Instant());
  job->SetRunning();
  job->SetEnded(absl::OkStatus(), JobView(), "hash", Instant());
  const v1::Job snapshot = job->Snapshot(nullptr, Instant(), true);
  EXPECT_EQ(snapshot.state(), v1::Job::STATE_CANCELLED);
  EXPECT_EQ(snapshot.tiles_done(), 3u);
  EXPECT_EQ(snapshot.error().message(), "enough");
  EXPECT_EQ(snapshot.pixel_hash(), "");
}

}  // namespace
}  // namespace tilewright
