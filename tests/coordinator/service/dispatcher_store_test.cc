// The dispatcher and its store: what is kept before what, and what follows when it fails.

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "proto/wire/status_details.h"
#include "tests/coordinator/service/dispatcher_fixture.h"

namespace tilewright {
namespace {

TEST_F(DispatcherTest, RecordsAreKeptBeforeAnythingIsSent) {
  Make();
  const auto control = Join(HelloOf("w"));
  size_t grants_then = 99;
  store_->OnAppend([&](const Record& record) {
    if (record.kind == Record::Kind::kJobClass) grants_then = control->grants().size();
  });
  const auto job = Submit(10);
  EXPECT_EQ(grants_then, 0u);
  EXPECT_EQ(control->grants().size(), 1u);

  const v1::Lease lease = control->grants()[0];
  size_t merged_then = 99;
  store_->OnAppend([&](const Record& record) {
    if (record.kind != Record::Kind::kTileAccepted) return;
    grants_then = control->grants().size();
    merged_then = job->merged().size();
  });
  Result(ResultOf(lease, lease.tiles(0), "w"));
  EXPECT_EQ(grants_then, 1u) << "the next lease waits for the record";
  EXPECT_EQ(merged_then, 0u) << "and so does merging";
  EXPECT_EQ(control->grants().size(), 2u);
  const absl::StatusOr<Snapshot> snapshot = store_->Load();
  ASSERT_TRUE(snapshot.ok()) << snapshot.status();
  ASSERT_EQ(snapshot->jobs.size(), 1u);
  EXPECT_EQ(snapshot->jobs[0].accepted, (absl::btree_set<int64_t>{0}));
  EXPECT_EQ(snapshot->workers, (std::set<std::string>{"w"}));
}

TEST_F(DispatcherTest, ResultsOfOneMessageAreKeptTogether) {
  Make();
  const auto control = Join(HelloOf("w"));
  const auto job = Submit(10);
  const v1::Lease lease = control->grants().at(0);
  std::vector<IncomingTile> tiles;
  tiles.push_back(ResultOf(lease, lease.tiles(0), "w"));
  tiles.push_back(ResultOf(lease, 7, "w"));  // of an earlier lease: welcome
  const int before = store_->appends();
  const auto verdicts = dispatcher_->Results("w", "one", std::move(tiles));
  ASSERT_TRUE(verdicts.ok()) << verdicts.status();
  for (const v1::TileVerdict& verdict : *verdicts) {
    EXPECT_EQ(verdict.verdict(), v1::TileVerdict::VERDICT_ACCEPTED);
  }
  EXPECT_EQ(store_->appends(), before + 1);
  EXPECT_EQ(store_->Load()->jobs.at(0).accepted, (absl::btree_set<int64_t>{0, 7}));
}

TEST_F(DispatcherTest, AfterTheStoreFailedNothingLeavesAndAllEndsWithItsSentence) {
  Make();
  const auto control = Join(HelloOf("w"));
  const auto inputs = Attach("w");
  const auto job = Submit(10);
  const v1::Lease lease = control->grants().at(0);
  store_->Fail(absl::InternalError("the disk is on fire"));
  std::vector<IncomingTile> tiles;
  tiles.push_back(ResultOf(lease, lease.tiles(0), "w"));
  const absl::Status failed = dispatcher_->Results("w", "one", tiles).status();
  EXPECT_EQ(failed.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(failed.message(),
            "the coordinator cannot keep its records (the disk is on fire): its jobs have ended, "
            "and it takes no others until it is started again");
  EXPECT_EQ(ReasonOf(failed), "STORE_FAILED");
  ASSERT_TRUE(job->AwaitEnded());
  EXPECT_EQ(job->ended(), failed);
  EXPECT_TRUE(job->abandoned());
  EXPECT_TRUE(job->merged().empty());
  EXPECT_EQ(control->grants().size(), 1u);
  EXPECT_EQ(control->closed(), failed);
  EXPECT_EQ(inputs->closed(), failed);

  auto late = std::make_shared<FakeJob>("jobs/b", 1);
  EXPECT_EQ(dispatcher_->Submit(late->spec(), late), failed);
  EXPECT_EQ(dispatcher_->Hello(HelloOf("v"), std::make_shared<FakeControl>()), failed);
  EXPECT_EQ(dispatcher_->Results("w", "one", tiles).status(), failed);
  dispatcher_->Tick();
  dispatcher_->Shutdown();
}

TEST_F(DispatcherTest, AJobWhoseSubmissionCannotBeKeptEnds) {
  Make();
  const auto control = Join(HelloOf("w"));
  store_->Fail(absl::InternalError("the disk is on fire"));
  const auto job = Submit(10);
  ASSERT_TRUE(job->AwaitEnded());
  EXPECT_EQ(job->ended().code(), absl::StatusCode::kUnavailable) << job->ended();
  EXPECT_TRUE(control->grants().empty());
}

}  // namespace
}  // namespace tilewright
