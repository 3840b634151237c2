// Tiles that are left out: what they alone cover is zero, where a neighbour reaches it stands in,
// everything else is as if nothing were missing, and the order of arrival decides nothing.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <optional>
#include <set>

#include "absl/strings/str_cat.h"
#include "coordinator/merge/tile_merger.h"
#include "proto/blend/window.h"
#include "tests/coordinator/merge/merge_testing.h"

namespace tilewright {
namespace {

// Merges all tiles but the holes, in an order drawn from the seed; a hole is told at its turn.
TestImage Merge(const StagePlan& plan, const CanvasFormat& format, MergeKind kind,
                const Tiles& tiles, const std::set<int64_t>& holes, uint64_t seed) {
  ImageSink sink(format);
  TileMerger merger(plan, format, kind, sink);
  std::vector<int64_t> order(tiles.size());
  std::iota(order.begin(), order.end(), 0);
  std::mt19937_64 random(seed);
  std::shuffle(order.begin(), order.end(), random);
  for (const int64_t tile : order) {
    EXPECT_FALSE(merger.done());
    const absl::Status settled = holes.contains(tile)
                                     ? merger.AddHole({tile})
                                     : merger.AddTile({tile}, tiles[static_cast<size_t>(tile)]);
    EXPECT_TRUE(settled.ok()) << settled;
  }
  EXPECT_TRUE(merger.done());
  EXPECT_EQ(merger.tiles_added(), plan.tile_count() - static_cast<int64_t>(holes.size()));
  EXPECT_EQ(merger.bytes_held(), 0);
  return sink.image;
}

// A position of an axis: the tiles that contribute to it, and the later one's weight.
struct Place {
  int64_t first = 0;
  int64_t last = 0;
  uint32_t later = 0;
};

Place PlaceAt(const Axis& axis, Window window, int64_t at) {
  for (const AxisSpan& span : axis.spans()) {
    if (at >= span.output.end) continue;
    if (!span.blended) return {span.first_tile, span.first_tile, 0};
    const auto weights = WindowWeights(window, span.output.length());
    return {span.first_tile, span.first_tile + 1,
            weights[static_cast<size_t>(at - span.output.begin)]};
  }
  ADD_FAILURE() << "no span holds " << at;
  return {};
}

// The rule for 8 bits, pixel by pixel.
TestImage Reference(const StagePlan& plan, const CanvasFormat& format, const Tiles& tiles,
                    const std::set<int64_t>& holes) {
  TestImage image(format);
  for (int64_t y = 0; y < format.size.height; ++y) {
    const Place py = PlaceAt(plan.y(), plan.window(), y);
    for (int64_t x = 0; x < format.size.width; ++x) {
      const Place px = PlaceAt(plan.x(), plan.window(), x);
      for (int c = 0; c < format.channels; ++c) {
        const auto sample = [&](int64_t column, int64_t row) -> std::optional<uint32_t> {
          const int64_t tile = plan.IndexAt({column, row}).value;
          if (holes.contains(tile)) return std::nullopt;
          const Rect rect = plan.Contribution({tile});
          return static_cast<uint32_t>(tiles[static_cast<size_t>(tile)][static_cast<size_t>(
              ((y - rect.y) * rect.width + x - rect.x) * format.channels + c)]);
        };
        // A row of contributors, 256 times as large; nothing if both are missing.
        const auto blend_row = [&](int64_t row) -> std::optional<uint32_t> {
          const auto left = sample(px.first, row);
          const auto right = sample(px.last, row);
          if (!left.has_value() && !right.has_value()) return std::nullopt;
          return (256 - px.later) * left.value_or(right.value_or(0)) +
                 px.later * right.value_or(left.value_or(0));
        };
        const auto upper = blend_row(py.first);
        const auto lower = blend_row(py.last);
        if (!upper.has_value() && !lower.has_value()) continue;  // zero
        const uint32_t value = ((256 - py.later) * upper.value_or(lower.value_or(0)) +
                                py.later * lower.value_or(upper.value_or(0)) + 32768) >>
                               16;
        image.Pixel(x, y)[c] = static_cast<std::byte>(value);
      }
    }
  }
  return image;
}

TEST(Holes, AreFilledByTheRuleInAnyOrder) {
  const StagePlan plan = MakePlan({260, 230}, 64, 16);
  ASSERT_GE(plan.x().tile_count(), 4);
  ASSERT_GE(plan.y().tile_count(), 4);
  const CanvasFormat format = {plan.output(), 2, SampleType::kU8};
  const Tiles tiles = DisagreeingTiles(plan, format, 5);
  const TestImage whole = Merge(plan, format, MergeKind::kBlend, tiles, {}, 1);
  const int64_t columns = plan.x().tile_count();
  std::mt19937_64 random(17);
  for (int round = 0; round < 12; ++round) {
    std::set<int64_t> holes;
    if (round == 0) {
      holes = {0};
    } else if (round == 1) {  // a block of four: the corner between them has no contributor left
      holes = {columns + 1, columns + 2, 2 * columns + 1, 2 * columns + 2};
    } else if (round == 2) {  // nothing but holes
      for (int64_t tile = 0; tile < plan.tile_count(); ++tile) holes.insert(tile);
    } else {
      for (int64_t tile = 0; tile < plan.tile_count(); ++tile) {
        if (random() % 3 == 0) holes.insert(tile);
      }
    }
    SCOPED_TRACE(absl::StrCat("round ", round, ", ", holes.size(), " holes"));
    const TestImage merged = Merge(plan, format, MergeKind::kBlend, tiles, holes, random());
    EXPECT_TRUE(merged.samples == Reference(plan, format, tiles, holes).samples);
    const TestImage again = Merge(plan, format, MergeKind::kBlend, tiles, holes, random());
    EXPECT_TRUE(again.samples == merged.samples) << "the order of arrival decided";
    // Nothing changed outside of what the holes would have contributed to.
    TestImage outside = whole;
    TestImage outside_merged = merged;
    for (const int64_t hole : holes) {
      const Rect rect = plan.Contribution({hole});
      const std::vector<std::byte> blank(static_cast<size_t>(rect.area() * format.pixel_bytes()));
      outside.Paste(rect, blank);
      outside_merged.Paste(rect, blank);
    }
    EXPECT_TRUE(outside.samples == outside_merged.samples) << "a pixel beside the holes changed";
  }
}

TEST(Holes, OfEverySampleTypeAreZeroInTheirMiddleAndChangeNothingElsewhere) {
  const StagePlan plan = MakePlan({600, 200}, 128, 32);
  const int64_t hole = plan.x().tile_count() + 1;
  const Rect rect = plan.Contribution({hole});
  for (const SampleType sample :
       {SampleType::kU8, SampleType::kU16, SampleType::kF16, SampleType::kF32}) {
    SCOPED_TRACE(SampleTypeName(sample));
    const CanvasFormat format = {plan.output(), 4, sample};
    const Tiles tiles = DisagreeingTiles(plan, format, 9);
    TestImage whole = Merge(plan, format, MergeKind::kBlend, tiles, {}, 2);
    TestImage merged = Merge(plan, format, MergeKind::kBlend, tiles, {hole}, 3);
    const Rect middle = {rect.x + 32, rect.y + 32, rect.width - 64, rect.height - 32};
    ASSERT_FALSE(middle.empty());
    const std::vector<std::byte> zero(static_cast<size_t>(middle.area() * format.pixel_bytes()));
    EXPECT_TRUE(merged.Cut(middle) == zero);
    EXPECT_FALSE(whole.Cut(middle) == zero);
    const std::vector<std::byte> blank(static_cast<size_t>(rect.area() * format.pixel_bytes()));
    whole.Paste(rect, blank);
    merged.Paste(rect, blank);
    EXPECT_TRUE(merged.samples == whole.samples);
  }
}

TEST(Holes, OfACutMergeAreZeroUpToTheirCuts) {
  const StagePlan plan = MakePlan({300, 100}, 128, 32);
  ASSERT_EQ(plan.y().tile_count(), 1);
  const CanvasFormat format = {plan.output(), 1, SampleType::kU8};
  const Tiles tiles = DisagreeingTiles(plan, format, 4);
  TestImage whole = Merge(plan, format, MergeKind::kCut, tiles, {}, 2);
  const TestImage merged = Merge(plan, format, MergeKind::kCut, tiles, {0}, 3);
  const Rect rect = plan.Contribution({0});
  const Rect own = {rect.x, rect.y, rect.width - 16, rect.height};  // up to the middle of the zone
  whole.Paste(own, std::vector<std::byte>(static_cast<size_t>(own.area())));
  EXPECT_TRUE(merged.samples == whole.samples);
}

TEST(Holes, AreToldOnceAndOnlyInsteadOfTheTile) {
  const StagePlan plan = MakePlan({200, 100}, 64, 16);
  const CanvasFormat format = {plan.output(), 1, SampleType::kU8};
  const Tiles tiles = DisagreeingTiles(plan, format, 4);
  ImageSink sink(format);
  TileMerger merger(plan, format, MergeKind::kBlend, sink);
  ASSERT_TRUE(merger.AddHole({1}).ok());
  EXPECT_EQ(merger.AddHole({1}).code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(merger.AddTile({1}, tiles[1]).code(), absl::StatusCode::kAlreadyExists);
  ASSERT_TRUE(merger.AddTile({0}, tiles[0]).ok());
  EXPECT_EQ(merger.AddHole({0}).code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(merger.AddHole({plan.tile_count()}).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(merger.tiles_added(), 1);
}

}  // namespace
}  // namespace tilewright
