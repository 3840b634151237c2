#include "worker/link/lease_book.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "proto/wire/checksum.h"
#include "tests/worker/link/tiles.h"

namespace tilewright {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// A book in a session of epoch 5.
class LeaseBookTest : public testing::Test {
 protected:
  LeaseBookTest() : book_(Limits()) { EXPECT_TRUE(book_.BeginSession(5).ok()); }

  static LeaseBookLimits Limits() {
    LeaseBookLimits limits;
    limits.tiles = 8;
    limits.bytes = 10 * kTestTileBytes;
    limits.unacknowledged_bytes_max = 100;
    return limits;
  }

  void Grant(uint64_t sequence, const std::vector<uint64_t>& tiles, uint32_t batch = 1) {
    const absl::Status status = book_.AddGrant(TestLease({5, sequence}, tiles, batch), &refused_);
    ASSERT_TRUE(status.ok()) << status;
  }
  absl::Status Input(uint64_t sequence, uint64_t index) {
    std::vector<IncomingTile> inputs;
    inputs.push_back(TestInput({5, sequence}, index));
    return book_.AddInputs(std::move(inputs), &refused_);
  }
  // Expects a kPrepare of that lease and answers it.
  void Prepare(uint64_t sequence) {
    const std::optional<LeaseWork> work = book_.Next();
    ASSERT_TRUE(work.has_value()) << "nothing to prepare";
    ASSERT_EQ(work->kind, LeaseWork::Kind::kPrepare);
    ASSERT_EQ(work->terms->lease.sequence, sequence);
    book_.Prepared({5, sequence});
  }
  // Indices of the next batch; empty if there is none.
  std::vector<uint64_t> Compute(bool may_start = true) {
    const std::optional<LeaseWork> work = book_.Next(may_start);
    std::vector<uint64_t> indices;
    if (!work) return indices;
    EXPECT_EQ(work->kind, LeaseWork::Kind::kCompute);
    for (const TileTask& task : work->tasks) indices.push_back(task.index);
    return indices;
  }
  bool Finish(uint64_t sequence, uint64_t index, size_t bytes = 10) {
    return book_.Finish({5, sequence}, index, TestResult({5, sequence}, index, bytes));
  }
  // Lease 1 of tiles 1 to 3; the results of the first two are more than may wait for verdicts.
  void FillWithResults() {
    Grant(1, {1, 2, 3});
    Prepare(1);
    for (uint64_t i = 1; i <= 3; ++i) EXPECT_TRUE(Input(1, i).ok());
    EXPECT_THAT(Compute(), ElementsAre(1));
    EXPECT_TRUE(Finish(1, 1, 60));
    EXPECT_THAT(Compute(), ElementsAre(2));
    EXPECT_TRUE(Finish(1, 2, 60));
  }

  LeaseBook book_;
  std::vector<RefusedTile> refused_;
};

TEST_F(LeaseBookTest, ALeaseGoesFromGrantToVerdict) {
  Grant(1, {3, 4});
  Prepare(1);
  EXPECT_THAT(Compute(), IsEmpty()) << "no input has come";
  EXPECT_TRUE(Input(1, 3).ok());
  const std::optional<LeaseWork> first = book_.Next();
  ASSERT_TRUE(first.has_value());
  EXPECT_TRUE(first->first) << "now it starts";
  ASSERT_EQ(first->tasks.size(), 1u);
  EXPECT_EQ(first->tasks[0].samples.size(), kTestTileBytes);
  EXPECT_EQ(first->tasks[0].contribution, (Rect{30, 0, kTestTileWidth, kTestTileHeight}));
  EXPECT_TRUE(Finish(1, 3));
  EXPECT_TRUE(Input(1, 4).ok());
  const std::optional<LeaseWork> second = book_.Next();
  ASSERT_TRUE(second.has_value());
  EXPECT_FALSE(second->first);
  EXPECT_TRUE(Finish(1, 4));
  EXPECT_EQ(book_.Unacknowledged().size(), 2u);
  EXPECT_EQ(book_.unacknowledged_bytes(), 20u);
  EXPECT_TRUE(book_.Settle({5, 1}, 3));
  EXPECT_FALSE(book_.idle());
  EXPECT_TRUE(book_.Settle({5, 1}, 4));
  EXPECT_TRUE(book_.idle());
  EXPECT_FALSE(book_.Settle({5, 1}, 4)) << "a verdict comes once";
  EXPECT_FALSE(book_.has_unacknowledged());
}

TEST_F(LeaseBookTest, GoesOnWithALeaseWhereNoneMayStart) {
  Grant(1, {1, 2});
  Grant(2, {3});
  Prepare(1);
  Prepare(2);
  for (const uint64_t index : {1, 2}) EXPECT_TRUE(Input(1, index).ok());
  EXPECT_TRUE(Input(2, 3).ok());
  EXPECT_THAT(Compute(/*may_start=*/false), IsEmpty());
  EXPECT_THAT(Compute(), ElementsAre(1));
  EXPECT_THAT(Compute(/*may_start=*/false), ElementsAre(2));
  EXPECT_THAT(Compute(/*may_start=*/false), IsEmpty());
  EXPECT_THAT(Compute(), ElementsAre(3));
}

TEST_F(LeaseBookTest, WaitsForAFullBatchButNotBeyondTheLease) {
  Grant(1, {1, 2, 3}, /*batch=*/2);
  Prepare(1);
  EXPECT_TRUE(Input(1, 2).ok());
  EXPECT_THAT(Compute(), IsEmpty());
  EXPECT_TRUE(Input(1, 3).ok());
  EXPECT_THAT(Compute(), ElementsAre(2, 3));
  EXPECT_TRUE(Input(1, 1).ok());
  EXPECT_THAT(Compute(), ElementsAre(1)) << "the rest of a lease is a short batch";
}

// A coordinator judged the results and granted again; its control stream was faster than the
// verdicts.
TEST_F(LeaseBookTest, AGrantMayOvertakeTheVerdictsThatMadeRoomForIt) {
  std::vector<uint64_t> tiles;
  for (uint64_t index = 0; index < 16; ++index) tiles.push_back(index);
  Grant(1, tiles);
  Prepare(1);
  for (uint64_t index : tiles) {
    EXPECT_TRUE(Input(1, index).ok());
    EXPECT_THAT(Compute(), ElementsAre(index));
    EXPECT_TRUE(Finish(1, index, /*bytes=*/1));
  }
  Grant(2, {16, 17, 18, 19, 20, 21, 22, 23});
  EXPECT_THAT(refused_, IsEmpty());
}

TEST_F(LeaseBookTest, AnInputMayComeBeforeItsGrant) {
  EXPECT_TRUE(Input(1, 7).ok());
  EXPECT_THAT(Compute(), IsEmpty());
  Grant(1, {7});
  Prepare(1);
  EXPECT_THAT(Compute(), ElementsAre(7));
  EXPECT_THAT(refused_, IsEmpty());
}

TEST_F(LeaseBookTest, LeasesRunInTheOrderOfTheirGrantsUnlessTheFirstWaits) {
  Grant(1, {1});
  Grant(2, {2});
  Prepare(1);
  Prepare(2);
  EXPECT_TRUE(Input(2, 2).ok());
  EXPECT_THAT(Compute(), ElementsAre(2));
  Grant(3, {3});
  Prepare(3);
  EXPECT_TRUE(Input(3, 3).ok());
  EXPECT_TRUE(Input(1, 1).ok());
  EXPECT_THAT(Compute(), ElementsAre(1));
  EXPECT_THAT(Compute(), ElementsAre(3));
}

TEST_F(LeaseBookTest, ADamagedOrUnfitInputIsRefusedAndItsTileGone) {
  Grant(1, {1, 2, 3, 4});
  std::vector<IncomingTile> inputs;
  for (uint64_t i = 1; i <= 4; ++i) inputs.push_back(TestInput({5, 1}, i));
  inputs[0].intact = false;
  inputs[1].header.mutable_tensors(0)->mutable_rect()->set_width(9);
  inputs[2].payload.pop_back();
  EXPECT_TRUE(book_.AddInputs(std::move(inputs), &refused_).ok());
  ASSERT_EQ(refused_.size(), 3u);
  EXPECT_EQ(refused_[0].text, "the input of tile 1 was damaged on the way: wrong checksum");
  EXPECT_EQ(refused_[1].text,
            "the input of tile 2 has another size, sample type or channels than its stage");
  EXPECT_EQ(refused_[2].text, "the input of tile 3 has 65535 bytes instead of 65536");
  Prepare(1);
  EXPECT_THAT(Compute(), ElementsAre(4)) << "the control: a good one is computed";
  EXPECT_TRUE(Input(1, 1).ok());
  EXPECT_THAT(Compute(), IsEmpty()) << "its failure was reported: it runs again elsewhere";
}

TEST_F(LeaseBookTest, RefusesAGrantOfAnotherEpochOrSeenBefore) {
  EXPECT_EQ(book_.AddGrant(TestLease({4, 9}, {1}), &refused_).message(),
            "lease 4/9 is of another epoch than the coordinator's, which is 5");
  Grant(2, {1});
  EXPECT_EQ(book_.AddGrant(TestLease({5, 2}, {1}), &refused_).code(),
            absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(book_.AddGrant(TestLease({5, 1}, {1}), &refused_).code(),
            absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(book_.AddGrant(TestLease({5, 3}, {}), &refused_).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(book_.AddGrant(TestLease({5, 4}, {1, 1}), &refused_).message(),
            "lease 5/4 names tile 1 twice");
}

TEST_F(LeaseBookTest, RefusesAnOlderCoordinator) {
  book_.EndSession();
  const absl::Status status = book_.BeginSession(4);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(status.message(),
            "the coordinator has epoch 4, but this worker has served epoch 5: an older coordinator "
            "is not served");
  EXPECT_TRUE(book_.BeginSession(5).ok());
  Grant(7, {1});
  book_.EndSession();
  EXPECT_TRUE(book_.BeginSession(6).ok());
  EXPECT_EQ(book_.Sync().seen_grant_sequence(), 0u) << "sequences of a new epoch start again";
  EXPECT_TRUE(book_.AddGrant(TestLease({6, 1}, {1}), &refused_).ok());
}

TEST_F(LeaseBookTest, HoldsNoMoreThanTwiceItsLevel) {
  Grant(1, {0, 1, 2, 3, 4, 5, 6, 7});
  Grant(2, {0, 1, 2, 3, 4, 5, 6, 7});
  const absl::Status tiles = book_.AddGrant(TestLease({5, 3}, {0}), &refused_);
  EXPECT_EQ(tiles.message(),
            "lease 5/3 of 1 tiles goes far beyond the 8 that this worker said it would hold; it "
            "still has to compute 16");
  IncomingTile big = TestInput({5, 1}, 0);
  big.payload.resize(2 * Limits().bytes + 1);
  std::vector<IncomingTile> inputs;
  inputs.push_back(big);
  inputs[0].header.mutable_lease()->set_sequence(99);  // early: kept
  EXPECT_TRUE(book_.AddInputs(std::move(inputs), &refused_).ok());
  EXPECT_EQ(Input(98, 0).code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(LeaseBookTest, ATakeBackOfWaitingTilesIsAnsweredAtOnce) {
  Grant(1, {1, 2, 3});
  Prepare(1);
  EXPECT_TRUE(Input(1, 1).ok());
  EXPECT_TRUE(book_.TakeBack({5, 1}, {1, 2}));
  EXPECT_TRUE(Input(1, 3).ok());
  EXPECT_THAT(Compute(), ElementsAre(3));
  EXPECT_TRUE(Finish(1, 3));
  EXPECT_TRUE(book_.Settle({5, 1}, 3));
  EXPECT_TRUE(book_.idle());
  EXPECT_TRUE(book_.TakeBack({5, 1}, {})) << "one that crossed the last verdict";
}

TEST_F(LeaseBookTest, ATakeBackOfAComputingTileIsAnsweredWhenItCameOut) {
  Grant(1, {1, 2});
  Prepare(1);
  EXPECT_TRUE(Input(1, 1).ok());
  EXPECT_THAT(Compute(), ElementsAre(1));
  EXPECT_FALSE(book_.TakeBack({5, 1}, {}));
  EXPECT_THAT(book_.TakeDropped(), IsEmpty());
  EXPECT_FALSE(Finish(1, 1)) << "nobody wants it";
  EXPECT_THAT(book_.TakeDropped(), ElementsAre(LeaseRef{5, 1}));
  EXPECT_THAT(book_.TakeDropped(), IsEmpty()) << "answered once";
  EXPECT_TRUE(book_.idle());
}

TEST_F(LeaseBookTest, ATakenBackResultIsForgotten) {
  Grant(1, {1});
  Prepare(1);
  EXPECT_TRUE(Input(1, 1).ok());
  EXPECT_THAT(Compute(), ElementsAre(1));
  EXPECT_TRUE(Finish(1, 1));
  EXPECT_TRUE(book_.TakeBack({5, 1}, {}));
  EXPECT_TRUE(book_.Unacknowledged().empty());
  EXPECT_EQ(book_.unacknowledged_bytes(), 0u);
}

TEST_F(LeaseBookTest, StopsWhenTooMuchWaitsForVerdicts) {
  FillWithResults();
  EXPECT_TRUE(book_.full());
  EXPECT_THAT(Compute(), IsEmpty());
  EXPECT_TRUE(book_.Settle({5, 1}, 1));
  EXPECT_FALSE(book_.full());
  EXPECT_THAT(Compute(), ElementsAre(3));
}

TEST_F(LeaseBookTest, AFailedTileAndAFailedLeaseAreReportedOnce) {
  Grant(1, {1, 2, 3});
  Prepare(1);
  EXPECT_TRUE(Input(1, 1).ok());
  EXPECT_THAT(Compute(), ElementsAre(1));
  EXPECT_TRUE(book_.Fail({5, 1}, 1));
  EXPECT_FALSE(book_.Fail({5, 1}, 1));
  EXPECT_THAT(book_.FailLease({5, 1}), ElementsAre(2, 3));
  EXPECT_THAT(book_.FailLease({5, 1}), IsEmpty());
  EXPECT_TRUE(book_.idle());
}

TEST_F(LeaseBookTest, TheSyncSaysWhatIsHeld) {
  Grant(1, {1, 2});  // finished but for a verdict
  Grant(2, {3, 4});  // running
  Grant(3, {5});     // being prepared
  Prepare(1);
  Prepare(2);
  for (uint64_t i = 1; i <= 2; ++i) EXPECT_TRUE(Input(1, i).ok());
  EXPECT_THAT(Compute(), ElementsAre(1));
  EXPECT_THAT(Compute(), ElementsAre(2));
  EXPECT_TRUE(Finish(1, 1));
  EXPECT_TRUE(Finish(1, 2));
  EXPECT_TRUE(book_.Settle({5, 1}, 1));
  EXPECT_TRUE(Input(2, 4).ok());
  EXPECT_THAT(Compute(), ElementsAre(4));
  EXPECT_EQ(book_.Next()->kind, LeaseWork::Kind::kPrepare) << "lease 3";
  Grant(4, {6});

  const v1::WorkerSync sync = book_.Sync();
  EXPECT_EQ(sync.seen_grant_sequence(), 4u);
  EXPECT_EQ(sync.credits().tiles(), 8u);
  EXPECT_EQ(sync.credits().bytes(), Limits().bytes);
  ASSERT_EQ(sync.held_size(), 4);
  EXPECT_EQ(sync.held(0).state(), v1::HeldLease::STATE_FINISHED);
  EXPECT_THAT(sync.held(0).open_tiles(), ElementsAre(2));
  EXPECT_EQ(sync.held(0).job(), "jobs/test");
  EXPECT_EQ(sync.held(0).generation(), 1u);
  ASSERT_EQ(sync.held(0).results_size(), 1) << "tile 1 has its verdict";
  EXPECT_EQ(sync.held(0).results(0).index(), 2u);
  EXPECT_EQ(sync.held(0).results(0).checksum(), Checksum(TestSamples(2)));
  EXPECT_EQ(sync.held(1).results_size(), 0);
  EXPECT_EQ(sync.held(1).state(), v1::HeldLease::STATE_RUNNING);
  EXPECT_THAT(sync.held(1).open_tiles(), ElementsAre(3, 4));
  EXPECT_EQ(sync.held(2).state(), v1::HeldLease::STATE_PREPARING);
  EXPECT_EQ(sync.held(3).state(), v1::HeldLease::STATE_QUEUED);
  EXPECT_THAT(sync.held(3).open_tiles(), ElementsAre(6));
}

TEST_F(LeaseBookTest, ANewCoordinatorFindsWhatAnEarlierOneLeft) {
  Grant(3, {1, 2, 3, 4});
  Grant(4, {5});
  Prepare(3);
  for (uint64_t i = 1; i <= 3; ++i) EXPECT_TRUE(Input(3, i).ok());
  EXPECT_THAT(Compute(), ElementsAre(1));
  EXPECT_TRUE(Finish(3, 1));
  EXPECT_THAT(Compute(), ElementsAre(2));
  book_.EndSession();
  ASSERT_TRUE(book_.BeginSession(6).ok());

  v1::WorkerSync sync = book_.Sync();
  EXPECT_EQ(sync.seen_grant_sequence(), 0u);
  ASSERT_EQ(sync.held_size(), 1) << "lease 4 had not started";
  EXPECT_EQ(RefOf(sync.held(0).lease()), (LeaseRef{5, 3}));
  EXPECT_EQ(sync.held(0).state(), v1::HeldLease::STATE_RUNNING);
  EXPECT_EQ(sync.held(0).job(), "jobs/test");
  EXPECT_EQ(sync.held(0).generation(), 1u);
  EXPECT_THAT(sync.held(0).open_tiles(), ElementsAre(1, 2, 3)) << "the input of tile 4 never came";
  ASSERT_EQ(sync.held(0).results_size(), 1);
  EXPECT_EQ(sync.held(0).results(0).index(), 1u);

  // It goes on with the old lease, beside those of the new epoch.
  ASSERT_TRUE(book_.AddGrant(TestLease({6, 1}, {4}), &refused_).ok());
  EXPECT_TRUE(Finish(3, 2)) << "it was in the engine all the time";
  const std::optional<LeaseWork> next = book_.Next();
  ASSERT_TRUE(next.has_value());
  EXPECT_EQ(next->terms->lease, (LeaseRef{5, 3}));
  ASSERT_EQ(next->tasks.size(), 1u);
  EXPECT_EQ(next->tasks[0].index, 3u);
  EXPECT_EQ(book_.Unacknowledged().size(), 2u);
  EXPECT_TRUE(book_.Settle({5, 3}, 1));
  EXPECT_TRUE(book_.Settle({5, 3}, 2));
  EXPECT_FALSE(book_.TakeBack({5, 3}, {})) << "the new coordinator does not want the rest";
  EXPECT_FALSE(Finish(3, 3));
  EXPECT_THAT(book_.TakeDropped(), ElementsAre(LeaseRef{5, 3}));
  sync = book_.Sync();
  ASSERT_EQ(sync.held_size(), 1);
  EXPECT_EQ(RefOf(sync.held(0).lease()), (LeaseRef{6, 1}));
  EXPECT_EQ(sync.seen_grant_sequence(), 1u);
}

TEST_F(LeaseBookTest, ResultsWithoutVerdictsBoundTheWorkOverARestartToo) {
  FillWithResults();
  book_.EndSession();
  ASSERT_TRUE(book_.BeginSession(6).ok());
  EXPECT_THAT(Compute(), IsEmpty());
  EXPECT_EQ(book_.Unacknowledged().size(), 2u) << "they are kept until they are answered";
  EXPECT_TRUE(book_.Settle({5, 1}, 1));
  EXPECT_THAT(Compute(), ElementsAre(3));
}

TEST_F(LeaseBookTest, TheEndOfASessionDropsWhatHasNotStarted) {
  Grant(1, {1, 2, 3});
  Grant(2, {4});
  Prepare(1);
  EXPECT_TRUE(Input(1, 1).ok());
  EXPECT_TRUE(Input(1, 2).ok());
  EXPECT_THAT(Compute(), ElementsAre(1));
  EXPECT_TRUE(Input(3, 9).ok()) << "early";
  book_.EndSession();
  EXPECT_TRUE(book_.BeginSession(5).ok());
  const v1::WorkerSync sync = book_.Sync();
  EXPECT_EQ(sync.seen_grant_sequence(), 2u);
  ASSERT_EQ(sync.held_size(), 1) << "lease 2 had not started";
  EXPECT_THAT(sync.held(0).open_tiles(), ElementsAre(1, 2)) << "the input of tile 3 never came";
  EXPECT_THAT(Compute(), ElementsAre(2)) << "what runs goes on";
  EXPECT_TRUE(Finish(1, 1));
  EXPECT_TRUE(Finish(1, 2));
  EXPECT_EQ(book_.Unacknowledged().size(), 2u);
  Grant(3, {9});
  Prepare(3);
  EXPECT_THAT(Compute(), IsEmpty()) << "inputs of the old session are gone with it";
}

TEST_F(LeaseBookTest, DrainingKeepsWhatIsComputingOrComputedAndTakesNothingNew) {
  Grant(1, {1, 2, 3});
  Grant(2, {4});
  ASSERT_TRUE(Input(1, 1).ok());
  ASSERT_TRUE(Input(1, 2).ok());
  ASSERT_TRUE(Input(1, 3).ok());
  Prepare(1);
  EXPECT_THAT(Compute(), ElementsAre(1u));
  EXPECT_TRUE(Finish(1, 1));
  EXPECT_THAT(Compute(), ElementsAre(2u));
  EXPECT_EQ(book_.Sync().credits().tiles(), 8u);

  book_.Drain();
  Grant(3, {5});
  ASSERT_TRUE(Input(3, 5).ok());
  ASSERT_TRUE(Input(2, 4).ok());
  const v1::WorkerSync sync = book_.Sync();
  EXPECT_EQ(sync.credits().tiles(), 0u);
  EXPECT_EQ(sync.seen_grant_sequence(), 3u);
  ASSERT_EQ(sync.held_size(), 1);
  EXPECT_THAT(sync.held(0).open_tiles(), ElementsAre(1u, 2u));
  EXPECT_THAT(Compute(), IsEmpty());

  EXPECT_TRUE(Finish(1, 2));
  EXPECT_TRUE(book_.Settle({5, 1}, 1));
  EXPECT_TRUE(book_.owes());
  EXPECT_TRUE(book_.Settle({5, 1}, 2));
  EXPECT_FALSE(book_.owes());
}

}  // namespace
}  // namespace tilewright
