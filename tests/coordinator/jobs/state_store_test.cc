// The store that lasts as long as its process: it folds what it is given, and fails for good.

#include "coordinator/jobs/state_store.h"

#include <memory>
#include <vector>

#include "gtest/gtest.h"

namespace tilewright {
namespace {

Record Submitted(const std::string& job, int64_t tiles) {
  JobSpec spec;
  spec.name = job;
  spec.tile_count = tiles;
  return {.kind = Record::Kind::kJobSubmitted,
          .job = job,
          .spec = std::make_shared<const JobSpec>(spec)};
}

Record Accepted(int64_t tile) {
  return {.kind = Record::Kind::kTileAccepted,
          .job = "jobs/1",
          .number = tile,
          .value = "cpu",
          .worker = "w1"};
}

TEST(MemoryStateStore, LoadsTheFoldOfWhatWasAppended) {
  MemoryStateStore store;
  ASSERT_TRUE(store.Load().ok());
  EXPECT_TRUE(store.Load()->jobs.empty());
  EXPECT_TRUE(store.Append({}).ok());
  EXPECT_TRUE(store.Append({Submitted("jobs/1", 5), Accepted(3)}).ok());
  EXPECT_TRUE(store.Append({Accepted(1)}).ok());
  const absl::StatusOr<Snapshot> snapshot = store.Load();
  ASSERT_TRUE(snapshot.ok()) << snapshot.status();
  ASSERT_EQ(snapshot->jobs.size(), 1u);
  EXPECT_EQ(snapshot->jobs[0].accepted, (absl::btree_set<int64_t>{1, 3}));
  EXPECT_EQ(snapshot->jobs[0].tiles_by_worker.at("w1"), 2);
}

TEST(MemoryStateStore, KeepsNothingOfAJobThatEnded) {
  MemoryStateStore store;
  std::vector<Record> records = {Submitted("jobs/1", 100)};
  for (int64_t tile = 0; tile < 100; ++tile) records.push_back(Accepted(tile));
  records.push_back({.kind = Record::Kind::kJobEnded, .job = "jobs/1", .value = "succeeded"});
  ASSERT_TRUE(store.Append(records).ok());
  EXPECT_TRUE(store.Load()->jobs.empty());
}

TEST(MemoryStateStore, AfterAnErrorItRefusesEverything) {
  MemoryStateStore store;
  const absl::Status wrong = store.Append({Submitted("jobs/1", 5), Accepted(7), Accepted(2)});
  EXPECT_EQ(wrong, absl::FailedPreconditionError("jobs/1 has 5 tiles, none is number 7."));
  EXPECT_EQ(store.Append({Accepted(2)}), wrong);
  EXPECT_TRUE(store.Load()->jobs[0].accepted.empty());
}

}  // namespace
}  // namespace tilewright
