// The data structures of the scheduling core: deadlines, tile tables.

#include <map>

#include "coordinator/schedule/deadlines.h"
#include "coordinator/schedule/tile_table.h"
#include "gtest/gtest.h"

namespace tilewright::schedule {
namespace {

Instant At(int64_t ns) { return Instant::FromStart(absl::Nanoseconds(ns)); }
Timer Lease(uint64_t id) { return {TimerKind::kLease, id}; }

TEST(Deadlines, AreDueAtTheirTimeAndNotANanosecondBefore) {
  Deadlines deadlines;
  deadlines.Set(Lease(1), At(100));
  EXPECT_EQ(deadlines.PopDue(At(99)), std::nullopt);
  EXPECT_EQ(deadlines.PopDue(At(100)), Lease(1));
  EXPECT_EQ(deadlines.PopDue(At(1000)), std::nullopt) << "a timer fires once";
  EXPECT_EQ(deadlines.Next(), Instant::Never());
}

TEST(Deadlines, MoveBothWaysAndCanBeCleared) {
  Deadlines deadlines;
  deadlines.Set(Lease(1), At(100));
  deadlines.Set(Lease(1), At(300));
  deadlines.Set(Lease(2), At(200));
  EXPECT_EQ(deadlines.Next(), At(200));
  deadlines.Set(Lease(1), At(50));
  EXPECT_EQ(deadlines.Next(), At(50));
  deadlines.Clear(Lease(1));
  EXPECT_EQ(deadlines.Next(), At(200));
  deadlines.Set(Lease(2), Instant::Never());
  EXPECT_EQ(deadlines.Next(), Instant::Never());
  EXPECT_EQ(deadlines.armed(), 0u);
}

TEST(Deadlines, AgreeWithAMapOverManyRandomSteps) {
  Deadlines deadlines;
  std::map<uint64_t, int64_t> model;
  uint64_t random = 1;
  int64_t now = 0;
  const auto next = [&random](uint64_t below) {
    random = random * 6364136223846793005ULL + 1442695040888963407ULL;
    return (random >> 33) % below;
  };
  for (int step = 0; step < 20000; ++step) {
    const uint64_t id = next(50);
    switch (next(4)) {
      case 0:
      case 1:
        model[id] = now + 1 + static_cast<int64_t>(next(1000));
        deadlines.Set(Lease(id), At(model[id]));
        break;
      case 2:
        model.erase(id);
        deadlines.Clear(Lease(id));
        break;
      default:
        now += static_cast<int64_t>(next(100));
        while (auto timer = deadlines.PopDue(At(now))) {
          ASSERT_TRUE(model.contains(timer->id)) << step;
          ASSERT_LE(model[timer->id], now) << step;
          model.erase(timer->id);
        }
        break;
    }
    Instant earliest = Instant::Never();
    for (const auto& [key, at] : model) earliest = std::min(earliest, At(at));
    ASSERT_EQ(deadlines.Next(), earliest) << step;
    ASSERT_EQ(deadlines.armed(), model.size()) << step;
  }
}

TEST(TileTable, TakesReturnedTilesBeforeFreshOnes) {
  TileTable tiles(4);
  EXPECT_EQ(tiles.NextFresh(0), 0);
  tiles.AddAttempt(0, 1);
  tiles.MarkLeased(0);
  tiles.AddAttempt(1, 2);
  tiles.MarkLeased(1);
  EXPECT_EQ(tiles.NextFresh(0), 2);
  EXPECT_EQ(tiles.ready(), 2);
  tiles.MarkReturned(1);
  EXPECT_EQ(tiles.ready(), 3);
  EXPECT_EQ(*tiles.returned().begin(), 1);
  tiles.RemoveAttempt(1, 2);
  tiles.MarkAccepted(1);
  tiles.MarkAccepted(2);  // never granted
  EXPECT_EQ(tiles.NextFresh(0), 3);
  EXPECT_EQ(tiles.accepted(), 2);
  EXPECT_EQ(tiles.leased(), 1);
  EXPECT_TRUE(tiles.Check().ok()) << tiles.Check();
}

TEST(TileTable, ParksFailedTilesAndLeavesHolesOut) {
  TileTable tiles(4);
  tiles.MarkAccepted(0);
  EXPECT_EQ(tiles.LowestOpen(), 1);
  tiles.MutableTrouble(1).On("w1").charged = 3;
  tiles.MarkFailed(1);  // never granted
  EXPECT_NE(tiles.trouble(1), nullptr);
  EXPECT_EQ(tiles.NextFresh(0), 2);
  EXPECT_EQ(tiles.LowestOpen(), 2) << "what waits for a decision keeps nobody waiting";
  EXPECT_EQ(tiles.ready(), 2);
  EXPECT_EQ(tiles.open(), 3);
  EXPECT_TRUE(tiles.Check().ok()) << tiles.Check();

  tiles.MarkRetried(1);
  EXPECT_EQ(tiles.trouble(1), nullptr);
  EXPECT_EQ(*tiles.returned().begin(), 1);
  EXPECT_EQ(tiles.LowestOpen(), 1);
  EXPECT_TRUE(tiles.Check().ok()) << tiles.Check();

  tiles.MarkFailed(1);
  tiles.MarkHole(1);
  tiles.MarkHole(2);
  EXPECT_TRUE(tiles.failed().empty());
  EXPECT_EQ(tiles.open(), 1);
  EXPECT_EQ(tiles.ready(), 1);
  tiles.MarkFailed(3);
  tiles.MarkAccepted(3);  // a late result
  EXPECT_EQ(tiles.open(), 0);
  EXPECT_EQ(tiles.accepted(), 2);
  EXPECT_TRUE(tiles.Check().ok()) << tiles.Check();
  tiles.Release();
  EXPECT_EQ(tiles.holes().size(), 2u) << "the result names them";
}

TEST(TileTable, SeesALeasedTileWithoutALease) {
  TileTable tiles(1);
  tiles.MarkLeased(0);
  EXPECT_EQ(tiles.Check().message(), "tile 0 is leased to nobody");
}

TEST(TileTable, CountsTroubleByWorker) {
  TileTable tiles(1);
  EXPECT_EQ(tiles.trouble(0), nullptr);
  TileTrouble& trouble = tiles.MutableTrouble(0);
  trouble.On("w1").charged = 2;
  trouble.On("w2").charged = 1;
  trouble.On("w3").uncharged = 4;
  EXPECT_EQ(trouble.charged(), 3);
  EXPECT_EQ(trouble.charged_workers(), 2);
  EXPECT_EQ(trouble.Count("w3"), 4);
  EXPECT_EQ(trouble.Count("w4"), 0);
  tiles.MarkAccepted(0);
  EXPECT_EQ(tiles.trouble(0), nullptr) << "an accepted tile is forgiven";
}

}  // namespace
}  // namespace tilewright::schedule
