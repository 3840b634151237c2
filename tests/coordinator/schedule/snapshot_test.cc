// The fold of records: what each kind means, and which do not follow from those before.

#include "coordinator/schedule/snapshot.h"

#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace tilewright {
namespace {

using Kind = Record::Kind;

Record Submitted(const std::string& job, int64_t tiles, int priority = 0) {
  JobSpec spec;
  spec.name = job;
  spec.tile_count = tiles;
  spec.priority = priority;
  spec.plan_digest = "plan of " + job;
  return {.kind = Kind::kJobSubmitted, .job = job, .spec = std::make_shared<const JobSpec>(spec)};
}

Record OnTile(Kind kind, int64_t tile, const std::string& job = "jobs/1") {
  return {.kind = kind, .job = job, .number = tile};
}

Record Accepted(int64_t tile, const std::string& worker, const std::string& numeric_class) {
  return {.kind = Kind::kTileAccepted,
          .job = "jobs/1",
          .number = tile,
          .value = numeric_class,
          .worker = worker};
}

Record OfJob(Kind kind, int64_t number = 0) {
  return {.kind = kind, .job = "jobs/1", .number = number};
}

Record OfWorker(Kind kind, const std::string& worker) { return {.kind = kind, .worker = worker}; }

class SnapshotTest : public testing::Test {
 protected:
  void Enter(const Record& record) {
    const absl::Status status = Apply(record, snapshot_);
    EXPECT_TRUE(status.ok()) << status;
  }
  // The sentence with which the record is refused; nothing may have changed.
  std::string Refusal(const Record& record) {
    const absl::Status status = Apply(record, snapshot_);
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
    return std::string(status.message());
  }
  const RestoredJob& job() const { return snapshot_.jobs.front(); }

  Snapshot snapshot_;
};

TEST_F(SnapshotTest, AJobIsThereFromItsSubmissionToItsEnd) {
  Enter(Submitted("jobs/1", 3, 2));
  ASSERT_EQ(snapshot_.jobs.size(), 1u);
  EXPECT_EQ(job().spec.name, "jobs/1");
  EXPECT_EQ(job().spec.plan_digest, "plan of jobs/1");
  EXPECT_EQ(job().priority, 2);
  EXPECT_EQ(job().promise, Promise::kUndecided);
  EXPECT_EQ(Refusal(Submitted("jobs/1", 3)), "jobs/1 was submitted before and has not ended.");
  Enter({.kind = Kind::kJobEnded, .job = "jobs/1", .value = "succeeded"});
  EXPECT_TRUE(snapshot_.jobs.empty());
  EXPECT_EQ(Refusal(OfJob(Kind::kJobEnded)), "There is no job jobs/1.");
  Enter(Submitted("jobs/1", 3));  // names may come again
}

TEST_F(SnapshotTest, ASubmissionMustSayWhatItAsksFor) {
  EXPECT_EQ(Refusal(OfJob(Kind::kJobSubmitted)),
            "A submission of jobs/1 does not say what it asks for.");
  Record other = Submitted("jobs/2", 1);
  other.job = "jobs/1";
  EXPECT_EQ(Refusal(other), "A submission of jobs/1 does not say what it asks for.");
  EXPECT_TRUE(snapshot_.jobs.empty());
}

TEST_F(SnapshotTest, TheOrderOfSubmissionIsKept) {
  for (const char* name : {"jobs/3", "jobs/1", "jobs/2", "jobs/0"}) Enter(Submitted(name, 1));
  Enter({.kind = Kind::kJobEnded, .job = "jobs/1", .value = "succeeded"});
  Enter(Submitted("jobs/1", 1));
  std::vector<std::string> names;
  for (const RestoredJob& j : snapshot_.jobs) names.push_back(j.spec.name);
  EXPECT_EQ(names, (std::vector<std::string>{"jobs/3", "jobs/2", "jobs/0", "jobs/1"}));
}

TEST_F(SnapshotTest, AcceptedTilesAreCountedByWorkerAndClass) {
  Enter(Submitted("jobs/1", 3));
  Enter(Accepted(2, "w1", "a"));
  Enter(Accepted(0, "w2", "b"));
  Enter(Accepted(1, "w1", "a"));
  EXPECT_EQ(job().accepted, (absl::btree_set<int64_t>{0, 1, 2}));
  EXPECT_EQ(job().tiles_by_worker, (std::map<std::string, int64_t>{{"w1", 2}, {"w2", 1}}));
  EXPECT_EQ(job().classes, (std::set<std::string>{"a", "b"}));
}

TEST_F(SnapshotTest, ATileIsAcceptedOnceAndMustExist) {
  Enter(Submitted("jobs/1", 3));
  Enter(Accepted(2, "w1", "a"));
  EXPECT_EQ(Refusal(Accepted(2, "w2", "b")), "Tile 2 of jobs/1 was accepted before.");
  EXPECT_EQ(Refusal(Accepted(3, "w1", "a")), "jobs/1 has 3 tiles, none is number 3.");
  EXPECT_EQ(Refusal(Accepted(-1, "w1", "a")), "jobs/1 has 3 tiles, none is number -1.");
  EXPECT_EQ(Refusal(OnTile(Kind::kTileAccepted, 0, "jobs/2")), "There is no job jobs/2.");
  EXPECT_EQ(job().accepted, (absl::btree_set<int64_t>{2}));
  EXPECT_EQ(job().tiles_by_worker, (std::map<std::string, int64_t>{{"w1", 1}}));
  EXPECT_EQ(job().classes, (std::set<std::string>{"a"}));
}

TEST_F(SnapshotTest, AFailedTileWaitsForItsDecision) {
  Enter(Submitted("jobs/1", 5));
  for (int64_t tile : {1, 2, 3}) Enter(OnTile(Kind::kTileFailed, tile));
  EXPECT_EQ(job().failed, (std::set<int64_t>{1, 2, 3}));
  EXPECT_EQ(Refusal(OnTile(Kind::kTileFailed, 1)), "Tile 1 of jobs/1 had failed before.");
  Enter(OnTile(Kind::kTileRetried, 1));
  Enter(OnTile(Kind::kTileHole, 2));
  Enter(Accepted(3, "w1", "a"));  // a late result
  EXPECT_TRUE(job().failed.empty());
  EXPECT_EQ(job().holes, (std::set<int64_t>{2}));
  EXPECT_EQ(Refusal(OnTile(Kind::kTileRetried, 1)), "Tile 1 of jobs/1 had not failed.");
  EXPECT_EQ(Refusal(OnTile(Kind::kTileHole, 2)), "Tile 2 of jobs/1 was left out before.");
  EXPECT_EQ(Refusal(OnTile(Kind::kTileHole, 3)), "Tile 3 of jobs/1 was accepted before.");
  EXPECT_EQ(Refusal(Accepted(2, "w1", "a")), "Tile 2 of jobs/1 was left out before.");
  Enter(OnTile(Kind::kTileHole, 4));  // a job may leave tiles out without asking
  EXPECT_EQ(job().holes, (std::set<int64_t>{2, 4}));
}

TEST_F(SnapshotTest, PauseAndPriorityAreThoseOfTheLatestRecord) {
  Enter(Submitted("jobs/1", 1, 1));
  EXPECT_EQ(Refusal(OfJob(Kind::kJobResumed)), "jobs/1 was not paused.");
  Enter(OfJob(Kind::kJobPaused));
  EXPECT_TRUE(job().paused);
  EXPECT_EQ(Refusal(OfJob(Kind::kJobPaused)), "jobs/1 was paused before.");
  Enter(OfJob(Kind::kJobResumed));
  EXPECT_FALSE(job().paused);
  Enter(OfJob(Kind::kJobPriority, kPriorityMin));
  EXPECT_EQ(job().priority, kPriorityMin);
  EXPECT_EQ(Refusal(OfJob(Kind::kJobPriority, kPriorityMax + 1)), "6 is no priority.");
  EXPECT_EQ(job().priority, kPriorityMin);
}

TEST_F(SnapshotTest, AJobIsAsOldAsItsOldestRecordSays) {
  const auto at = [](Record record, absl::Duration age) {
    record.age = age;
    return record;
  };
  Enter(Submitted("jobs/1", 2));
  EXPECT_EQ(job().age, absl::ZeroDuration());
  Enter(at(OnTile(Kind::kTileFailed, 0), absl::Seconds(3)));
  Enter(at(OfJob(Kind::kJobPaused), absl::Seconds(5)));
  EXPECT_EQ(job().age, absl::Seconds(5));
  Refusal(at(OfJob(Kind::kJobPaused), absl::Seconds(9)));
  EXPECT_EQ(job().age, absl::Seconds(5)) << "a record that does not follow changes nothing";
}

TEST_F(SnapshotTest, ThePromiseIsThatOfTheLatestRecord) {
  Enter(Submitted("jobs/1", 1));
  Enter({.kind = Kind::kJobClass, .job = "jobs/1", .value = "cpu", .promise = Promise::kStrict});
  EXPECT_EQ(job().promise, Promise::kStrict);
  EXPECT_EQ(job().numeric_class, "cpu");
  Enter({.kind = Kind::kJobClass, .job = "jobs/1", .promise = Promise::kTolerant});
  EXPECT_EQ(job().promise, Promise::kTolerant);
  EXPECT_EQ(job().numeric_class, "");
}

TEST_F(SnapshotTest, WorkersComeAndGo) {
  Enter(OfWorker(Kind::kWorkerJoined, "w2"));
  Enter(OfWorker(Kind::kWorkerJoined, "w1"));
  EXPECT_EQ(Refusal(OfWorker(Kind::kWorkerJoined, "w1")), "Worker w1 had joined before.");
  Enter(OfWorker(Kind::kWorkerGone, "w2"));
  EXPECT_EQ(Refusal(OfWorker(Kind::kWorkerGone, "w2")), "Worker w2 was not there.");
  EXPECT_EQ(snapshot_.workers, (std::set<std::string>{"w1"}));
}

}  // namespace
}  // namespace tilewright
