// Merging within a bound: whatever the plan, the order of arrival and the bound, the pixels are the
// same and memory stays within it.

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>

#include "absl/strings/str_cat.h"
#include "coordinator/merge/tile_merger.h"
#include "tests/coordinator/merge/merge_testing.h"

namespace tilewright {
namespace {

std::vector<int64_t> InOrder(const StagePlan& plan) {
  std::vector<int64_t> order(static_cast<size_t>(plan.tile_count()));
  std::iota(order.begin(), order.end(), 0);
  return order;
}

struct Merged {
  uint64_t hash = 0;
  int64_t peak = 0;  // bytes held
  int64_t puts = 0;
};

Merged MergeWithin(int64_t bytes_max, const StagePlan& plan, const CanvasFormat& format,
                   const Tiles& tiles, const std::vector<int64_t>& order,
                   const std::vector<int64_t>& holes = {}, bool forgets = false) {
  FakeScratch scratch;
  scratch.forgets = forgets;
  ImageSink sink(format);
  TileMerger merger(plan, format, MergeKind::kBlend, sink, &scratch);
  merger.set_bytes_max(bytes_max);
  for (int64_t tile : order) {
    const bool hole = std::find(holes.begin(), holes.end(), tile) != holes.end();
    const absl::Status added =
        hole ? merger.AddHole({tile}) : merger.AddTile({tile}, tiles[static_cast<size_t>(tile)]);
    EXPECT_TRUE(added.ok()) << added;
  }
  EXPECT_TRUE(merger.done());
  EXPECT_EQ(merger.bytes_held(), 0);
  EXPECT_EQ(merger.bytes_spilled(), 0);
  EXPECT_TRUE(scratch.empty());
  return {sink.hash.Finish(), merger.bytes_held_peak(), scratch.puts};
}

TEST(Spilling, LeavesNoTraceInThePixelsAndKeepsTheBound) {
  std::mt19937 random(3);
  const auto pick = [&random](int64_t from, int64_t to) {
    return from + static_cast<int64_t>(random() % static_cast<unsigned>(to - from + 1));
  };
  int64_t spilled = 0;
  for (int round = 0; round < 40; ++round) {
    const int64_t tile = pick(60, 300);
    const StagePlan plan =
        MakePlan({pick(1, 900), pick(1, 900)}, tile, 2 * pick(0, tile / 8), pick(1, 2));
    const CanvasFormat format = {plan.output(), static_cast<int>(pick(1, 3)), SampleType::kU8};
    const Tiles tiles = DisagreeingTiles(plan, format);
    std::vector<int64_t> order = InOrder(plan);
    const std::vector<int64_t> holes = {pick(0, plan.tile_count() - 1)};
    const uint64_t expected =
        MergeWithin(std::numeric_limits<int64_t>::max(), plan, format, tiles, order, holes).hash;
    const int64_t needed = TileMerger::BytesNeeded(plan, format);
    for (int64_t bytes_max : {int64_t{0}, needed, needed + pick(0, 4 * needed)}) {
      std::shuffle(order.begin(), order.end(), random);
      SCOPED_TRACE(absl::StrCat("round ", round, ": ", plan.Canonical(), " within ", bytes_max,
                                " bytes, ", needed, " needed"));
      const Merged merged = MergeWithin(bytes_max, plan, format, tiles, order, holes);
      ASSERT_EQ(merged.hash, expected);
      ASSERT_LE(merged.peak, std::max(bytes_max, needed));
      spilled += merged.puts;
    }
  }
  EXPECT_GT(spilled, 1000);
}

TEST(Spilling, ShowsInAMergerWhoseScratchForgets) {
  const StagePlan plan = MakePlan({700, 700}, 160, 32);
  const CanvasFormat format = {plan.output(), 3, SampleType::kU8};
  const Tiles tiles = DisagreeingTiles(plan, format);
  const std::vector<int64_t> order = InOrder(plan);
  const Merged kept = MergeWithin(0, plan, format, tiles, order);
  EXPECT_GT(kept.puts, 0);
  EXPECT_NE(MergeWithin(0, plan, format, tiles, order, {}, true).hash, kept.hash);
}

TEST(Spilling, KeepsWhatIsWantedSoonest) {
  // In the order of the plan, with room for half of what waits, little has to be put away: what the
  // next tiles close stays.
  const StagePlan plan = MakePlan({2000, 2000}, 160, 32);
  const CanvasFormat format = {plan.output(), 1, SampleType::kU8};
  const Tiles tiles = DisagreeingTiles(plan, format);
  const std::vector<int64_t> order = InOrder(plan);
  const int64_t all =
      MergeWithin(std::numeric_limits<int64_t>::max(), plan, format, tiles, order).peak;
  const Merged half = MergeWithin(all / 2, plan, format, tiles, order);
  EXPECT_GT(half.puts, 0);
  EXPECT_LT(half.puts, 2 * plan.tile_count());
}

// The most held in memory for an image of that size whose tiles come in order.
int64_t PeakOf(Size image, bool rows_in_order = false) {
  ModelGeometry model;
  PlanRequest request;
  request.image = image;
  request.tile = 512;
  request.overlap = 32;
  request.rows_in_order = rows_in_order;
  const StagePlan plan = StagePlan::Create(model, request).value();
  const CanvasFormat format = {plan.output(), 1, SampleType::kU8};
  class NoSink : public BlockSink {
    absl::Status WriteBlock(int64_t, int64_t, absl::Span<const std::byte>) override {
      return absl::OkStatus();
    }
  } sink;
  FakeScratch scratch;
  TileMerger merger(plan, format, MergeKind::kBlend, sink, &scratch);
  for (int64_t tile = 0; tile < plan.tile_count(); ++tile) {
    const auto bytes = static_cast<size_t>(plan.Contribution({tile}).area());
    EXPECT_TRUE(merger.AddTile({tile}, std::vector<std::byte>(bytes)).ok());
  }
  EXPECT_TRUE(merger.done());
  return merger.bytes_held_peak();
}

TEST(Stripes, KeepMemoryFlatInBothDirections) {
  const int64_t small = PeakOf({16'000, 3000});
  EXPECT_LT(PeakOf({16'000, 12'000}), small + small / 10) << "grows with the height";
  EXPECT_LT(PeakOf({50'000, 3000}), small + small / 10) << "grows with the width";
  EXPECT_GT(PeakOf({50'000, 3000}, true), 2 * small) << "without stripes it grows";
  // The blend zone between the stripes is [7659, 7691): it lies in two columns of blocks.
  EXPECT_LT(PeakOf({12'000, 12'000}), small + small / 10) << "grows with the height";
}

TEST(Spilling, LosesNothingWhileTheScratchIsFull) {
  const StagePlan plan = MakePlan({700, 700}, 160, 32);
  const CanvasFormat format = {plan.output(), 3, SampleType::kU8};
  const Tiles tiles = DisagreeingTiles(plan, format);
  std::vector<int64_t> order = InOrder(plan);
  const uint64_t expected =
      MergeWithin(std::numeric_limits<int64_t>::max(), plan, format, tiles, order).hash;
  std::shuffle(order.begin(), order.end(), std::mt19937(1));
  FakeScratch scratch;
  scratch.puts_max = 3;
  ImageSink sink(format);
  TileMerger merger(plan, format, MergeKind::kBlend, sink, &scratch);
  merger.set_bytes_max(0);
  int64_t full = 0;
  for (int64_t tile : order) {
    const absl::Status room = merger.FindRoom();
    if (!room.ok()) {
      EXPECT_EQ(room, absl::ResourceExhaustedError("the scratch is full"));
      EXPECT_GT(merger.bytes_held(), TileMerger::BytesNeeded(plan, format));
      if (++full == 3) scratch.puts_max = -1;  // there is room again
    }
    if (full >= 3) {
      EXPECT_TRUE(merger.FindRoom().ok());
    }
    const absl::Status added = merger.AddTile({tile}, tiles[static_cast<size_t>(tile)]);
    ASSERT_TRUE(added.ok()) << added;
  }
  EXPECT_EQ(full, 3);
  EXPECT_TRUE(merger.done());
  EXPECT_EQ(sink.hash.Finish(), expected);
}

}  // namespace
}  // namespace tilewright
