// The promise that merging makes to a strict job: the order in which tiles arrive leaves no trace
// in the pixels. Tiles that disagree where they overlap would show it.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <numeric>
#include <set>

#include "absl/strings/str_cat.h"
#include "coordinator/merge/tile_merger.h"
#include "tests/coordinator/merge/merge_testing.h"

namespace tilewright {
namespace {

constexpr int kOrders = 100;
// Several tiles a side, blend zones on and across block borders, a last tile that is shifted
// inside.
constexpr Size kImage = {701, 555};
constexpr int64_t kTile = 160;
constexpr int64_t kOverlap = 48;

// Each tile at least once, a third of them twice or more.
std::vector<int64_t> RandomOrder(int64_t tiles, int seed) {
  std::mt19937 random(static_cast<unsigned>(seed));
  std::vector<int64_t> order(static_cast<size_t>(tiles));
  std::iota(order.begin(), order.end(), 0);
  for (int64_t i = 0; i < tiles / 3; ++i) {
    order.push_back(static_cast<int64_t>(random() % static_cast<unsigned>(tiles)));
  }
  std::shuffle(order.begin(), order.end(), random);
  return order;
}

uint64_t MergeInOrder(const StagePlan& plan, const CanvasFormat& format, MergeKind kind,
                      const Tiles& tiles, const std::vector<int64_t>& order) {
  ImageSink sink(format);
  TileMerger merger(plan, format, kind, sink);
  std::set<int64_t> seen;
  for (int64_t tile : order) {
    const absl::Status added = merger.AddTile({tile}, tiles[static_cast<size_t>(tile)]);
    if (seen.insert(tile).second) {
      EXPECT_TRUE(added.ok()) << added;
    } else {
      EXPECT_EQ(added.code(), absl::StatusCode::kAlreadyExists) << added;
    }
  }
  EXPECT_TRUE(merger.done());
  EXPECT_EQ(merger.bytes_held(), 0);
  return sink.hash.Finish();
}

// What a naive tool does: each tile is pasted over what is there.
uint64_t PasteInOrder(const StagePlan& plan, const CanvasFormat& format, const Tiles& tiles,
                      const std::vector<int64_t>& order) {
  TestImage image(format);
  for (int64_t tile : order) {
    image.Paste(plan.Contribution({tile}), tiles[static_cast<size_t>(tile)]);
  }
  return image.Hash();
}

// The weight of a pixel of axis position `at` in tile `i`, 0 … 1.
float AxisWeight(const Axis& axis, Window window, int64_t i, int64_t at) {
  for (const AxisSpan& span : axis.spans()) {
    if (at < span.output.begin || at >= span.output.end) continue;
    if (!span.blended) return 1.0f;
    const std::vector<uint16_t> later = WindowWeights(window, span.output.length());
    const float w = static_cast<float>(later[static_cast<size_t>(at - span.output.begin)]) / 256;
    return i == span.first_tile ? 1.0f - w : w;
  }
  return 0.0f;
}

// What everyone else does: weighted sums in the order of arrival, divided by the sum of the
// weights.
uint64_t SumInOrder(const StagePlan& plan, const CanvasFormat& format, const Tiles& tiles,
                    const std::vector<int64_t>& order) {
  std::vector<float> sums(static_cast<size_t>(format.size.area() * format.channels), 0.0f);
  std::vector<float> weights(static_cast<size_t>(format.size.area()), 0.0f);
  std::set<int64_t> seen;
  for (int64_t tile : order) {
    if (!seen.insert(tile).second) continue;
    const Rect rect = plan.Contribution({tile});
    const std::vector<std::byte>& samples = tiles[static_cast<size_t>(tile)];
    const GridPlace place = plan.PlaceOf({tile});
    std::vector<float> wx, wy;
    for (int64_t x = rect.x; x < rect.right(); ++x) {
      wx.push_back(AxisWeight(plan.x(), plan.window(), place.column, x));
    }
    for (int64_t y = rect.y; y < rect.bottom(); ++y) {
      wy.push_back(AxisWeight(plan.y(), plan.window(), place.row, y));
    }
    size_t next = 0;
    for (int64_t y = 0; y < rect.height; ++y) {
      for (int64_t x = 0; x < rect.width; ++x) {
        const float w = wx[static_cast<size_t>(x)] * wy[static_cast<size_t>(y)];
        const auto pixel = static_cast<size_t>((rect.y + y) * format.size.width + rect.x + x);
        weights[pixel] += w;
        for (int c = 0; c < format.channels; ++c, ++next) {
          float value;
          std::memcpy(&value, &samples[next * sizeof(value)], sizeof(value));
          sums[pixel * static_cast<size_t>(format.channels) + static_cast<size_t>(c)] += w * value;
        }
      }
    }
  }
  TestImage image(format);
  for (size_t i = 0; i < sums.size(); ++i) {
    const float value = sums[i] / weights[i / static_cast<size_t>(format.channels)];
    std::memcpy(&image.samples[i * sizeof(value)], &value, sizeof(value));
  }
  return image.Hash();
}

std::set<uint64_t> HashesOf(const StagePlan& plan, int orders,
                            const std::function<uint64_t(const std::vector<int64_t>&)>& merge) {
  std::set<uint64_t> hashes;
  for (int seed = 0; seed < orders; ++seed)
    hashes.insert(merge(RandomOrder(plan.tile_count(), seed)));
  return hashes;
}

TEST(ArrivalOrder, LeavesNoTraceInBlendedIntegers) {
  const StagePlan plan = MakePlan(kImage, kTile, kOverlap);
  ASSERT_GE(plan.tile_count(), 20);
  const CanvasFormat format = {plan.output(), 3, SampleType::kU8};
  const Tiles tiles = DisagreeingTiles(plan, format);
  EXPECT_EQ(HashesOf(plan, kOrders,
                     [&](const auto& order) {
                       return MergeInOrder(plan, format, MergeKind::kBlend, tiles, order);
                     })
                .size(),
            1u);
}

TEST(ArrivalOrder, LeavesNoTraceInBlendedFloats) {
  const StagePlan plan = MakePlan(kImage, kTile, kOverlap);
  const CanvasFormat format = {plan.output(), 1, SampleType::kF32};
  const Tiles tiles = DisagreeingTiles(plan, format);
  EXPECT_EQ(HashesOf(plan, kOrders,
                     [&](const auto& order) {
                       return MergeInOrder(plan, format, MergeKind::kBlend, tiles, order);
                     })
                .size(),
            1u);
}

TEST(ArrivalOrder, LeavesNoTraceInCutTiles) {
  const StagePlan plan = MakePlan(kImage, kTile, kOverlap);
  const CanvasFormat format = {plan.output(), 1, SampleType::kU16};
  const Tiles tiles = DisagreeingTiles(plan, format);
  EXPECT_EQ(HashesOf(plan, kOrders,
                     [&](const auto& order) {
                       return MergeInOrder(plan, format, MergeKind::kCut, tiles, order);
                     })
                .size(),
            1u);
}

TEST(ArrivalOrder, LeavesNoTraceOfStripes) {
  ModelGeometry model;
  PlanRequest request;
  request.image = {35'000, 430};
  request.tile = 300;
  request.overlap = 20;
  const StagePlan stripes = StagePlan::Create(model, request).value();
  request.rows_in_order = true;
  const StagePlan rows = StagePlan::Create(model, request).value();
  ASSERT_LT(2 * stripes.stripe_columns(), rows.stripe_columns());
  ASSERT_GT(rows.y().tile_count(), 1);
  const CanvasFormat format = {rows.output(), 1, SampleType::kU8};
  const Tiles by_rows = DisagreeingTiles(rows, format);
  Tiles by_stripes;
  for (int64_t tile = 0; tile < stripes.tile_count(); ++tile) {
    by_stripes.push_back(by_rows[static_cast<size_t>(rows.IndexAt(stripes.PlaceOf({tile})).value)]);
  }
  EXPECT_NE(by_rows, by_stripes);
  std::vector<int64_t> order(static_cast<size_t>(rows.tile_count()));
  std::iota(order.begin(), order.end(), 0);
  EXPECT_EQ(MergeInOrder(rows, format, MergeKind::kBlend, by_rows, order),
            MergeInOrder(stripes, format, MergeKind::kBlend, by_stripes, order));
}

TEST(ArrivalOrder, ShowsInAMergerWhereTheLastWriterWins) {
  const StagePlan plan = MakePlan(kImage, kTile, kOverlap);
  const CanvasFormat format = {plan.output(), 3, SampleType::kU8};
  const Tiles tiles = DisagreeingTiles(plan, format);
  EXPECT_GT(
      HashesOf(plan, 5, [&](const auto& order) { return PasteInOrder(plan, format, tiles, order); })
          .size(),
      1u);
}

TEST(ArrivalOrder, ShowsInAMergerThatAddsFloatsAsTheyCome) {
  const StagePlan plan = MakePlan(kImage, kTile, kOverlap);
  const CanvasFormat format = {plan.output(), 1, SampleType::kF32};
  const Tiles tiles = DisagreeingTiles(plan, format);
  EXPECT_GT(
      HashesOf(plan, 5, [&](const auto& order) { return SumInOrder(plan, format, tiles, order); })
          .size(),
      1u);
}

TEST(ArrivalOrder, ShowsInThePixelsWhichTileMadeThem) {
  // The noise must differ where tiles overlap, or the tests above prove nothing.
  const StagePlan plan = MakePlan(kImage, kTile, kOverlap);
  const CanvasFormat format = {plan.output(), 3, SampleType::kU8};
  const Tiles tiles = DisagreeingTiles(plan, format);
  std::vector<int64_t> order = RandomOrder(plan.tile_count(), 1);
  EXPECT_NE(MergeInOrder(plan, format, MergeKind::kBlend, tiles, order),
            MergeInOrder(plan, format, MergeKind::kCut, tiles, order));
}

}  // namespace
}  // namespace tilewright
