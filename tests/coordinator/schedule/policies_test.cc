// Every policy on literal data.

#include <set>

#include "coordinator/schedule/batch_size.h"
#include "coordinator/schedule/clocks.h"
#include "coordinator/schedule/eligibility.h"
#include "coordinator/schedule/poison.h"
#include "coordinator/schedule/promise.h"
#include "coordinator/schedule/sentences.h"
#include "gtest/gtest.h"

namespace tilewright::schedule {
namespace {

JobSpec TorchJob() {
  JobSpec job;
  job.engine = "torch";
  job.input_bytes = 1000;
  job.output_bytes = 3000;
  return job;
}

WorkerOffer TorchWorker() {
  WorkerOffer offer;
  offer.engines = {"builtin", "torch"};
  offer.dtypes = {"fp32"};
  offer.memory_bytes = int64_t{8} << 30;
  offer.credit_tiles = 4;
  return offer;
}

TEST(Eligibility, AcceptsAWorkerThatHasAll) {
  EXPECT_EQ(WhyNotEligible(TorchJob(), TorchWorker(), 0), "");
}

TEST(Eligibility, SaysWhatIsMissing) {
  WorkerOffer offer = TorchWorker();
  offer.engines = {"builtin"};
  EXPECT_EQ(WhyNotEligible(TorchJob(), offer, 0), "does not run the engine torch (it has builtin)");
  offer.engines = {};
  EXPECT_EQ(WhyNotEligible(TorchJob(), offer, 0), "does not run the engine torch (it has none)");

  offer = TorchWorker();
  offer.dtypes = {"bf16", "fp16"};
  EXPECT_EQ(WhyNotEligible(TorchJob(), offer, 0), "does not compute in fp32 (it has bf16, fp16)");

  offer = TorchWorker();
  offer.engine_dtypes["builtin"] = {"fp16"};
  EXPECT_EQ(WhyNotEligible(TorchJob(), offer, 0), "") << "another engine's dtypes do not matter";
  offer.engine_dtypes["torch"] = {"bf16"};
  EXPECT_EQ(WhyNotEligible(TorchJob(), offer, 0), "does not compute in fp32 (it has bf16)");

  offer = TorchWorker();
  offer.credit_tiles = 0;
  EXPECT_EQ(WhyNotEligible(TorchJob(), offer, 0), "takes no tiles now (its credit is 0)");
}

TEST(Eligibility, ComparesMemoryWithWhatATileWasSeenToNeed) {
  const WorkerOffer offer = TorchWorker();
  EXPECT_EQ(WhyNotEligible(TorchJob(), offer, offer.memory_bytes), "");
  EXPECT_EQ(WhyNotEligible(TorchJob(), offer, (int64_t{12} << 30) + 1),
            "has 8.0 GiB of memory, and a tile of this size was seen to need more than 12.0 GiB");
}

TEST(Eligibility, NeedsCreditForOneTileWithItsResult) {
  WorkerOffer offer = TorchWorker();
  offer.credit_bytes = 4000;
  EXPECT_EQ(WhyNotEligible(TorchJob(), offer, 0), "");
  offer.credit_bytes = 3999;
  EXPECT_EQ(WhyNotEligible(TorchJob(), offer, 0),
            "holds at most 3.9 KiB, and one tile with its result takes 3.9 KiB");
  offer.credit_bytes = 0;  // bytes are not bounded
  EXPECT_EQ(WhyNotEligible(TorchJob(), offer, 0), "");
}

TEST(FreeCredit, IsTheLevelLessWhatIsHeldInTilesAndBytes) {
  EXPECT_EQ(FreeCredit({.level_tiles = 8, .held_tiles = 3}), 5);
  EXPECT_EQ(FreeCredit({.level_tiles = 8,
                        .level_bytes = 1000,
                        .held_tiles = 3,
                        .held_bytes = 300,
                        .tile_bytes = 300}),
            2);
  EXPECT_EQ(FreeCredit({.level_tiles = 8,
                        .level_bytes = 0,
                        .held_tiles = 3,
                        .held_bytes = 300,
                        .tile_bytes = 300}),
            5);
  EXPECT_EQ(FreeCredit({.level_tiles = 2, .held_tiles = 3}), 0) << "the level fell";
}

BatchQuery Measured(int64_t ready, int64_t workers, double seconds) {
  return {.ready = ready,
          .part = 1.0 / static_cast<double>(workers),
          .tile_seconds = absl::Seconds(seconds),
          .executed_batch = 1,
          .free_credit = 10000,
          .single = false};
}

TEST(BatchSize, IsOneTileUntilMeasuredAndAfterTrouble) {
  BatchQuery query = Measured(100, 1, 0.1);
  EXPECT_EQ(BatchSize(query, {}), 15);
  query.single = true;
  EXPECT_EQ(BatchSize(query, {}), 1);
  query.single = false;
  query.tile_seconds.reset();
  EXPECT_EQ(BatchSize(query, {}), 1);
}

TEST(BatchSize, IsAboutTheLeaseWorkWithinCreditAndLimit) {
  EXPECT_EQ(BatchSize(Measured(10000, 1, 0.5), {}), 3);
  EXPECT_EQ(BatchSize(Measured(10000, 1, 60), {}), 1) << "a tile longer than the lease work";
  EXPECT_EQ(BatchSize(Measured(100000, 1, 1e-6), {}), 1024);
  BatchQuery query = Measured(10000, 1, 0.001);
  query.free_credit = 7;
  EXPECT_EQ(BatchSize(query, {}), 7);
  query.free_credit = 0;
  EXPECT_EQ(BatchSize(query, {}), 0);
  EXPECT_EQ(BatchSize(Measured(0, 1, 1), {}), 0);
}

TEST(BatchSize, ShrinksToSingleTilesNearTheEnd) {
  EXPECT_EQ(BatchSize(Measured(40, 4, 0.1), {}), 5) << "half of an equal share";
  EXPECT_EQ(BatchSize(Measured(8, 4, 0.1), {}), 1);
  EXPECT_EQ(BatchSize(Measured(1, 4, 0.1), {}), 1);
}

TEST(BatchSize, IsNotCutBelowTheWorkThatARoundTripIsWorth) {
  EXPECT_EQ(BatchSize(Measured(50, 4, 0.0001), {}), 50);
  EXPECT_EQ(BatchSize(Measured(50, 4, 0.01), {}), 7)
      << "two tiles would be 20 ms, half a share is seven";
}

TEST(BatchSize, IsWholeExecutedBatchesWhileEverybodyGetsOne) {
  BatchQuery query = Measured(1000, 2, 0.5);
  query.executed_batch = 4;
  EXPECT_EQ(BatchSize(query, {}), 4) << "three tiles of work, rounded up";
  query.tile_seconds = absl::Seconds(5);
  EXPECT_EQ(BatchSize(query, {}), 4);
  query.ready = 8;
  EXPECT_EQ(BatchSize(query, {}), 4);
  query.ready = 3;
  EXPECT_EQ(BatchSize(query, {}), 2) << "a share of the rest";
}

PrefetchQuery Busy() {
  return {.ready = 10,
          .idle_slots = 2,
          .tile_seconds = absl::Seconds(1),
          .remaining = absl::Seconds(10),
          .held = 1,
          .share = 6,
          .recovering = false};
}

TEST(Prefetch, IsAllowedUpToTheWorkersShare) { EXPECT_EQ(PrefetchLimit(Busy()), 5); }

TEST(Prefetch, LeavesTilesForIdleWorkers) {
  PrefetchQuery query = Busy();
  query.ready = 3;
  EXPECT_EQ(PrefetchLimit(query), 1);
  query.ready = 2;
  EXPECT_EQ(PrefetchLimit(query), 0) << "ready tiles do not outnumber idle slots";
}

TEST(Prefetch, IsNotForAWorkerWhoseTileTakesMoreThanHalfOfWhatRemains) {
  PrefetchQuery query = Busy();
  query.tile_seconds = absl::Seconds(5);
  EXPECT_EQ(PrefetchLimit(query), 5) << "exactly half";
  query.tile_seconds = absl::Seconds(5) + absl::Nanoseconds(1);
  EXPECT_EQ(PrefetchLimit(query), 0);
}

TEST(Prefetch, IsNotForUnmeasuredOrRecoveringWorkersOrBeyondTheShare) {
  PrefetchQuery query = Busy();
  query.tile_seconds.reset();
  EXPECT_EQ(PrefetchLimit(query), 0);
  query = Busy();
  query.recovering = true;
  EXPECT_EQ(PrefetchLimit(query), 0);
  query = Busy();
  query.held = 6;
  EXPECT_EQ(PrefetchLimit(query), 0);
}

TEST(FirstTileBudget, IsThriceTheProbeEstimateWithinFloorAndLimit) {
  const absl::Duration hour = absl::Hours(1);
  EXPECT_EQ(FirstTileBudget(1e12, 1, 1e10, hour, {}), absl::Seconds(300));
  EXPECT_EQ(FirstTileBudget(1e12, 4, 1e10, hour, {}), absl::Seconds(1200));
  EXPECT_EQ(FirstTileBudget(1e9, 1, 1e10, hour, {}), absl::Seconds(60));
  EXPECT_EQ(FirstTileBudget(0, 1, 1e10, hour, {}), absl::Seconds(60)) << "unknown FLOPs";
  EXPECT_EQ(FirstTileBudget(1e12, 1, 0, hour, {}), absl::Seconds(60)) << "no probe";
  EXPECT_EQ(FirstTileBudget(1e15, 1, 1e10, hour, {}), hour);
  EXPECT_EQ(FirstTileBudget(1e9, 1, 1e10, absl::Seconds(10), {}), absl::Seconds(10))
      << "the limit beats the floor";
}

TEST(WorkBudget, IsThriceTheP95OfWhatIsUnsettled) {
  const absl::Duration hour = absl::Hours(1);
  EXPECT_EQ(WorkBudget(absl::Seconds(2), 1, hour, {}), absl::Seconds(6));
  EXPECT_EQ(WorkBudget(absl::Seconds(2), 5, hour, {}), absl::Seconds(30));
  EXPECT_EQ(WorkBudget(absl::Seconds(1), 1, hour, {}), absl::Seconds(5));
  EXPECT_EQ(WorkBudget(absl::Seconds(2), 5, absl::Seconds(20), {}), absl::Seconds(20));
  EXPECT_EQ(WorkBudget(absl::Seconds(1), 1, absl::Seconds(2), {}), absl::Seconds(2));
}

TEST(StartBudget, IsTheGracePlusThriceTheTransfer) {
  EXPECT_EQ(StartBudget(0, std::nullopt, {}), absl::Seconds(5));
  EXPECT_EQ(StartBudget(2000000, std::nullopt, {}), absl::Seconds(11)) << "1 MB/s if unknown";
  EXPECT_EQ(StartBudget(2000000, 2e6, {}), absl::Seconds(8));
}

TEST(Patience, DoublesWithEveryLapseInARowUpToALimit) {
  EXPECT_EQ(Patience(0), 1);
  EXPECT_EQ(Patience(1), 2);
  EXPECT_EQ(Patience(3), 8);
  EXPECT_EQ(Patience(1000), 1024);
}

TEST(Poison, IsThreeFailuresOnThreeWorkersOrAsManyAsThereAre) {
  EXPECT_FALSE(IsPoison(2, 2, 9));
  EXPECT_TRUE(IsPoison(3, 3, 9));
  EXPECT_FALSE(IsPoison(3, 2, 9)) << "two workers may share a fault";
  EXPECT_TRUE(IsPoison(3, 2, 2));
  EXPECT_FALSE(IsPoison(3, 1, 2));
  EXPECT_TRUE(IsPoison(3, 1, 1));
  EXPECT_TRUE(IsPoison(3, 1, 0)) << "its workers have left";
}

TEST(Poison, IsFiveFailuresInAll) {
  EXPECT_FALSE(IsPoison(4, 1, 9));
  EXPECT_TRUE(IsPoison(5, 1, 9));
}

TEST(FailureCharge, FollowsTheCause) {
  const FailureCharge memory = ChargeFor(TileFailureCause::kOutOfMemory, 1);
  EXPECT_FALSE(memory.worker || memory.tile || memory.alone);
  const FailureCharge bad = ChargeFor(TileFailureCause::kBadResult, 4);
  EXPECT_TRUE(bad.worker && bad.tile) << "a bad result names its tile, whatever ran beside it";
  for (TileFailureCause cause : {TileFailureCause::kLaunchTimeout, TileFailureCause::kDeviceLost,
                                 TileFailureCause::kModelError}) {
    const FailureCharge batch = ChargeFor(cause, 4);
    EXPECT_TRUE(batch.worker && !batch.tile && batch.alone) << TileFailureCauseName(cause);
    EXPECT_TRUE(ChargeFor(cause, 1).tile) << TileFailureCauseName(cause);
  }
}

TEST(Retry, GoesElsewhereWhileAnotherHadLessTrouble) {
  EXPECT_TRUE(MayRetry(0, 0));
  EXPECT_FALSE(MayRetry(1, 0));
  EXPECT_TRUE(MayRetry(1, 1));
}

TEST(MemoryFloor, RisesAboveTheWorkerWhereItFailed) {
  EXPECT_EQ(RaisedMemoryFloor(0, 500, 100), 500);
  EXPECT_EQ(RaisedMemoryFloor(0, 50, 100), 101) << "others may use the device too";
  EXPECT_EQ(RaisedMemoryFloor(900, 500, 100), 900);
  EXPECT_EQ(RaisedMemoryFloor(0, 0, 0), 1);
}

TEST(Promise, IsStrictIfAllShareAnEnvironment) {
  EXPECT_EQ(PresumedPromise({"a"}), Promise::kStrict);
  EXPECT_EQ(PresumedPromise({"a", "b"}), Promise::kTolerant);
}

TEST(Promise, TakesTheClassWithTheLargestSummedSpeed) {
  EXPECT_EQ(FastestClass({{"a", 3}, {"b", 2}, {"b", 2}}), "b");
  EXPECT_EQ(FastestClass({{"a", 3}, {"b", 2}, {"b", 0.5}}), "a");
  EXPECT_EQ(FastestClass({{"b", 1}, {"a", 1}}), "a") << "of equals the first by name";
}

TEST(Promise, SeedsEqualStagesAlike) {
  EXPECT_EQ(CanarySeed("m", "fp32", 1), CanarySeed("m", "fp32", 1));
  EXPECT_NE(CanarySeed("m", "fp32", 1), CanarySeed("m", "fp32", 2));
  EXPECT_NE(CanarySeed("m", "fp32", 1), CanarySeed("n", "fp32", 1));
}

TEST(Sentences, ListTilesShortly) {
  EXPECT_EQ(TileList({7}), "tile 7");
  EXPECT_EQ(TileList({7, 9}), "tiles 7 and 9");
  EXPECT_EQ(TileList({1, 2, 3}), "tiles 1, 2 and 3");
  EXPECT_EQ(TileList({1, 2, 3, 4, 5, 6, 7, 8, 9}), "tiles 1, 2, 3, 4, 5, 6, 7, 8 and 9");
  EXPECT_EQ(TileList({1, 2, 3, 4, 5, 6, 7, 8, 9, 10}), "tiles 1, 2, 3, 4, 5, 6, 7, 8 and 2 more");
}

TEST(Sentences, WriteTimesAndBytesForPeople) {
  EXPECT_EQ(SecondsText(absl::Seconds(8)), "8 s");
  EXPECT_EQ(SecondsText(absl::Milliseconds(1500)), "1.5 s");
  EXPECT_EQ(SecondsText(absl::Seconds(3600)), "3600 s");
  EXPECT_EQ(BytesText(512), "512 B");
  EXPECT_EQ(BytesText(1536), "1.5 KiB");
  EXPECT_EQ(Quoted("went wrong.\n"), "went wrong");
}

}  // namespace
}  // namespace tilewright::schedule
