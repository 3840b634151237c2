// A part of an image is merged from the tiles that reach it, into the pixels that it has in the
// whole.

#include <gtest/gtest.h>

#include <random>

#include "coordinator/merge/tile_merger.h"
#include "tests/coordinator/merge/merge_testing.h"

namespace tilewright {
namespace {

constexpr Size kImage = {700, 560};

StagePlan Plan(int64_t scale, const std::optional<Rect>& region) {
  ModelGeometry model;
  model.scale = Scale::Create(scale, 1).value();
  PlanRequest request;
  request.image = kImage;
  request.tile = 128;
  request.halo = 4;
  request.overlap = 24;
  request.region = region;
  return StagePlan::Create(model, request).value();
}

// The tile's samples, the same for every plan: noise of its own, so that neighbours disagree.
std::vector<std::byte> Samples(const StagePlan& whole, TileIndex tile, const Rect& rect) {
  const Rect full = whole.Contribution(tile);
  TestImage noise =
      RandomImage({full.size(), 3, SampleType::kU8}, static_cast<uint64_t>(tile.value));
  return noise.Cut({rect.x - full.x, rect.y - full.y, rect.width, rect.height});
}

TestImage Merged(const StagePlan& whole, const StagePlan& plan, MergeKind kind, int64_t* computed) {
  const CanvasFormat format = {plan.output(), 3, SampleType::kU8};
  ImageSink sink(format);
  TileMerger merger(plan, format, kind, sink);
  for (int64_t tile = 0; tile < plan.tile_count(); ++tile) {
    const Rect rect = plan.Contribution({tile});
    if (rect.empty()) {
      EXPECT_TRUE(merger.AddHole({tile}).ok());
      continue;
    }
    ++*computed;
    const absl::Status added = merger.AddTile({tile}, Samples(whole, {tile}, rect));
    EXPECT_TRUE(added.ok()) << added;
  }
  EXPECT_TRUE(merger.done());
  return sink.image;
}

TEST(Region, HasThePixelsThatItHasInTheWhole) {
  std::mt19937 random(11);
  const auto pick = [&random](int64_t below) {
    return static_cast<int64_t>(random() % static_cast<uint64_t>(below));
  };
  for (const int64_t scale : {1, 2}) {
    for (const MergeKind kind : {MergeKind::kBlend, MergeKind::kCut}) {
      const StagePlan whole = Plan(scale, std::nullopt);
      int64_t all = 0;
      const TestImage image = Merged(whole, whole, kind, &all);
      ASSERT_EQ(all, whole.tile_count());
      std::vector<Rect> regions = {{0, 0, 1, 1}, {699, 559, 1, 1}, {0, 0, 700, 560}};
      // One that lies in a blend zone alone.
      const Interval zone = whole.x().spans()[1].output;
      regions.push_back({zone.begin / scale + 2, 200, 5, 3});
      for (int i = 0; i < 12; ++i) {
        const int64_t x = pick(700), y = pick(560);
        regions.push_back({x, y, 1 + pick(700 - x), 1 + pick(560 - y)});
      }
      for (const Rect& region : regions) {
        SCOPED_TRACE(ToString(region));
        const StagePlan plan = Plan(scale, region);
        int64_t computed = 0;
        const TestImage part = Merged(whole, plan, kind, &computed);
        const Rect rect = {region.x * scale, region.y * scale, region.width * scale,
                           region.height * scale};
        EXPECT_EQ(plan.part(), rect);
        EXPECT_TRUE(part.samples == image.Cut(rect));
        if (region.width < 100 && region.height < 100) {
          EXPECT_LE(computed, 4);
        }
      }
    }
  }
}

TEST(Region, OutsideTheImageIsRefused) {
  ModelGeometry model;
  PlanRequest request;
  request.image = kImage;
  for (const Rect& region :
       {Rect{0, 0, 0, 5}, Rect{-1, 0, 5, 5}, Rect{700, 0, 1, 1}, Rect{600, 0, 101, 1},
        Rect{0, 0, 1, int64_t{1} << 62}, Rect{0, 559, 1, 2}}) {
    request.region = region;
    const absl::Status status = StagePlan::Create(model, request).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << ToString(region);
    EXPECT_NE(status.message().find("is not a part of the image"), absl::string_view::npos);
  }
}

TEST(Region, ChangesWhatIdentifiesThePlan) {
  EXPECT_NE(Plan(1, std::nullopt).Canonical(), Plan(1, Rect{0, 0, 9, 9}).Canonical());
  EXPECT_NE(Plan(1, Rect{1, 0, 9, 9}).Canonical(), Plan(1, Rect{0, 0, 9, 9}).Canonical());
}

}  // namespace
}  // namespace tilewright
