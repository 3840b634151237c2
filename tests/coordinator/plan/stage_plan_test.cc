#include "coordinator/plan/stage_plan.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tilewright {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// An upscaler ×4 of radius 34, any size.
ModelGeometry Upscaler() {
  ModelGeometry model;
  model.scale = *Scale::Create(4, 1);
  model.halo = 34;
  model.default_tile = 256;
  return model;
}

// A network that halves, works on multiples of 32 and needs at least 64.
ModelGeometry Encoder() {
  ModelGeometry model;
  model.scale = *Scale::Create(1, 2);
  model.halo = 16;
  model.alignment = 32;
  model.minimum = 64;
  model.default_tile = 256;
  model.default_overlap = 16;
  model.default_window = Window::kGaussian;
  return model;
}

PlanRequest Of(Size image) {
  PlanRequest request;
  request.image = image;
  return request;
}

PlanRequest Of(Size image, int64_t tile, int64_t halo, int64_t overlap) {
  PlanRequest request = Of(image);
  request.tile = tile;
  request.halo = halo;
  request.overlap = overlap;
  return request;
}

StagePlan Plan(const ModelGeometry& model, const PlanRequest& request) {
  absl::StatusOr<StagePlan> plan = StagePlan::Create(model, request);
  EXPECT_TRUE(plan.ok()) << plan.status();
  return *std::move(plan);
}

absl::Status Refusal(const ModelGeometry& model, const PlanRequest& request) {
  return StagePlan::Create(model, request).status();
}

TEST(StagePlan, TakesWhatTheRequestLeavesOpenFromTheModel) {
  const StagePlan plan = Plan(Encoder(), Of({1000, 700}));
  EXPECT_EQ(plan.image(), (Size{1000, 700}));
  EXPECT_EQ(plan.padded(), (Size{1024, 704}));
  EXPECT_EQ(plan.compute_shape(), (Size{256, 256}));
  EXPECT_EQ(plan.output(), (Size{500, 350}));
  EXPECT_EQ(plan.halo(), 16);
  EXPECT_EQ(plan.overlap(), 16);
  EXPECT_EQ(plan.window(), Window::kGaussian);
  EXPECT_THAT(plan.notes(), IsEmpty());
  EXPECT_EQ(
      plan.Canonical(),
      "plan=2 image=1000x700 pad=reflect padded=1024x704 tile=256x256 grid=5x4 stripe=5 scale=1/2 "
      "output=500x350 alignment=32 halo=16 overlap=16 window=gaussian");
}

TEST(StagePlan, PutsTilesInRowMajorOrder) {
  // Per axis D = 44, S = 32: tiles at 0, 22, 44; the cuts at 43 and 65.
  const StagePlan plan = Plan(Upscaler(), Of({108, 108}, 64, 12, 8));
  EXPECT_EQ(plan.tile_count(), 9);
  EXPECT_EQ(plan.InputRect({0}), (Rect{0, 0, 64, 64}));
  EXPECT_EQ(plan.InputRect({1}), (Rect{22, 0, 64, 64}));
  EXPECT_EQ(plan.InputRect({5}), (Rect{44, 22, 64, 64}));
  EXPECT_EQ(plan.Contribution({0}), (Rect{0, 0, 4 * 47, 4 * 47}));
  EXPECT_EQ(plan.Contribution({5}), (Rect{4 * 61, 4 * 39, 4 * 47, 4 * 30}));
  EXPECT_EQ(plan.Contribution({8}), (Rect{4 * 61, 4 * 61, 4 * 47, 4 * 47}));
  EXPECT_DOUBLE_EQ(plan.HaloOverhead(), 9.0 * 64 * 64 / (108 * 108));
}

TEST(StagePlan, HoldsForTheSizesAroundATile) {
  const ModelGeometry model = Upscaler();
  const auto plan = [&model](int64_t width) { return Plan(model, Of({width, 1}, 256, 34, 32)); };
  EXPECT_EQ(plan(1).compute_shape(), (Size{1, 1}));
  EXPECT_EQ(plan(1).tile_count(), 1);
  EXPECT_EQ(plan(1).Contribution({0}), (Rect{0, 0, 4, 4}));
  EXPECT_EQ(plan(255).compute_shape(), (Size{255, 1}));
  EXPECT_EQ(plan(255).tile_count(), 1);
  EXPECT_EQ(plan(256).compute_shape(), (Size{256, 1}));
  EXPECT_EQ(plan(256).tile_count(), 1);
  EXPECT_EQ(plan(256).HaloOverhead(), 1.0);
  EXPECT_EQ(plan(257).compute_shape(), (Size{256, 1}));
  EXPECT_EQ(plan(257).tile_count(), 2);
  EXPECT_EQ(plan(257).InputRect({1}), (Rect{1, 0, 256, 1}));
  EXPECT_EQ(plan(257).Contribution({0}), (Rect{0, 0, 4 * (128 + 16), 4}));
  EXPECT_EQ(plan(257).Contribution({1}), (Rect{4 * (128 - 16), 0, 4 * (257 - 112), 4}));
}

TEST(StagePlan, TakesATileLargerThanTheImageAsTheWholeImage) {
  const StagePlan plan = Plan(Upscaler(), Of({100, 50}, 4096, 34, 128));
  EXPECT_EQ(plan.compute_shape(), (Size{100, 50}));
  EXPECT_EQ(plan.tile_count(), 1);
  EXPECT_THAT(plan.notes(), IsEmpty());
}

TEST(StagePlan, PadsASmallImageToTheMinimumAndCropsTheOutput) {
  const StagePlan plan = Plan(Encoder(), Of({3, 70}));
  EXPECT_EQ(plan.padded(), (Size{64, 96}));
  EXPECT_EQ(plan.compute_shape(), (Size{64, 96}));
  EXPECT_EQ(plan.output(), (Size{2, 35}));
  EXPECT_EQ(plan.InputRect({0}), (Rect{0, 0, 64, 96}));
  EXPECT_EQ(plan.Contribution({0}), (Rect{0, 0, 2, 35}));
}

// Every tile contributes something to the cropped output, and all of it is covered.
TEST(StagePlan, ContributesFromEveryTileWhereverThePaddingEnds) {
  for (int64_t width = 1; width < 900; ++width) {
    const StagePlan plan = Plan(Encoder(), Of({width, 1}, 192, 16, 16));
    int64_t reached = 0;
    for (int64_t i = 0; i < plan.tile_count(); ++i) {
      const Rect part = plan.Contribution({i});
      ASSERT_FALSE(part.empty()) << "tile " << i << " at width " << width;
      ASSERT_LE(part.x, reached) << "a gap before tile " << i << " at width " << width;
      reached = part.right();
    }
    ASSERT_EQ(reached, plan.output().width) << "at width " << width;
  }
}

TEST(StagePlan, NumbersTilesStripeByStripe) {
  // 64 columns of about 1,000 output pixels.
  const StagePlan plan = Plan(Upscaler(), Of({16'000, 1000}));
  EXPECT_EQ(plan.output().width, 64'000);
  const int64_t columns = plan.x().tile_count();
  const int64_t stripe = plan.stripe_columns();
  ASSERT_GT(columns, 3 * stripe);
  int64_t next = 0;
  for (int64_t first = 0; first < columns; first += stripe) {
    const int64_t last = std::min(first + stripe, columns) - 1;
    EXPECT_LE(plan.x().Contribution(last).end - plan.x().Contribution(first).begin,
              StagePlan::kStripeWidthMax);
    for (int64_t row = 0; row < plan.y().tile_count(); ++row) {
      for (int64_t column = first; column <= last; ++column, ++next) {
        ASSERT_EQ(plan.IndexAt({column, row}), TileIndex{next});
        ASSERT_EQ(plan.PlaceOf({next}), (GridPlace{column, row}));
      }
    }
  }
  EXPECT_EQ(next, plan.tile_count());
}

TEST(StagePlan, HasOneStripeIfRowsComeInOrderOrOneIsWideEnough) {
  PlanRequest request = Of({16'000, 1000});
  request.rows_in_order = true;
  const StagePlan plan = Plan(Upscaler(), request);
  EXPECT_EQ(plan.stripe_columns(), plan.x().tile_count());
  const StagePlan narrow = Plan(Upscaler(), Of({1500, 100'000}));
  EXPECT_EQ(narrow.stripe_columns(), narrow.x().tile_count());
  // A column wider than a stripe may be is a stripe of its own.
  EXPECT_EQ(Plan(Upscaler(), Of({16'000, 1000}, 8000, 34, 0)).stripe_columns(), 1);
}

TEST(StagePlan, RoundsTheTileDownAndSaysSo) {
  const StagePlan plan = Plan(Encoder(), Of({1000, 1000}, 255, 16, 16));
  EXPECT_EQ(plan.compute_shape(), (Size{224, 224}));
  EXPECT_THAT(plan.notes(),
              ElementsAre("tile 255 rounded down to 224, a multiple of the model's alignment 32"));
}

TEST(StagePlan, TakesASmallerHaloThanTheModelsAndSaysWhatItCosts) {
  const StagePlan plan = Plan(Upscaler(), Of({1000, 1000}, 256, 10, 0));
  EXPECT_EQ(plan.halo(), 10);
  EXPECT_THAT(plan.notes(),
              ElementsAre("halo 10 is smaller than the model's 34: seams are possible, the result "
                          "is not that of the whole image"));
  EXPECT_THAT(Plan(Upscaler(), Of({1000, 1000}, 256, 40, 0)).notes(), IsEmpty());
}

TEST(StagePlan, RefusesAnEmptyImage) {
  EXPECT_EQ(Refusal(Upscaler(), Of({0, 10})),
            absl::InvalidArgumentError("the image is empty: 0x10"));
}

TEST(StagePlan, RefusesATileBelowTheModelsMinimum) {
  EXPECT_EQ(Refusal(Encoder(), Of({1000, 1000}, 32, 0, 0)),
            absl::InvalidArgumentError("tile 32 is below the model's minimum 64: the tile must be "
                                       "at least 64"));
  EXPECT_EQ(Refusal(Encoder(), Of({1000, 1000}, 63, 0, 0)),
            absl::InvalidArgumentError("tile 63 (32 as a multiple of its alignment 32) is below "
                                       "the model's minimum 64: the tile must be at least 64"));
  EXPECT_EQ(Refusal(Encoder(), Of({1000, 1000}, 20, 0, 0)),
            absl::InvalidArgumentError("tile 20 (0 as a multiple of its alignment 32) is below "
                                       "the model's minimum 64: the tile must be at least 64"));
  EXPECT_EQ(Refusal(Encoder(), Of({1000, 1000}, 0, 0, 0)),
            absl::InvalidArgumentError("tile 0 must be positive"));
  EXPECT_EQ(Refusal(Encoder(), Of({1000, 1000}, -256, 0, 0)),
            absl::InvalidArgumentError("tile -256 must be positive"));
}

TEST(StagePlan, RefusesAnOverlapTooBigForTheTile) {
  EXPECT_EQ(Refusal(Upscaler(), Of({1000, 700}, 256, 34, 128)),
            absl::InvalidArgumentError(
                "overlap 128 is too big for tile 256 at halo 34: the tile must be at least "
                "2*34+3*128+2*1 = 454, or the overlap at most 62"));
  // One tile has no overlap to be too big, and one axis is enough to be refused.
  EXPECT_TRUE(StagePlan::Create(Upscaler(), Of({256, 256}, 256, 34, 128)).ok());
  EXPECT_FALSE(StagePlan::Create(Upscaler(), Of({256, 257}, 256, 34, 128)).ok());
}

TEST(StagePlan, RefusesQuantitiesThatAreNotTheMultipleTheyMustBe) {
  EXPECT_EQ(Refusal(Upscaler(), Of({1000, 700}, 256, 34, 31)),
            absl::InvalidArgumentError("overlap 31 must be even: 30 and 32 are"));
  EXPECT_EQ(Refusal(Encoder(), Of({1000, 700}, 256, 15, 16)),
            absl::InvalidArgumentError("halo 15 at scale 1/2 must be a multiple of 2: 14 and 16 "
                                       "are"));
  EXPECT_EQ(Refusal(Encoder(), Of({1000, 700}, 256, 16, 18)),
            absl::InvalidArgumentError("overlap 18 at scale 1/2 must be a multiple of 4: 16 and 20 "
                                       "are"));
  EXPECT_EQ(Refusal(Upscaler(), Of({1000, 700}, 256, -1, 0)),
            absl::InvalidArgumentError("halo -1 and overlap 0 must not be negative"));
}

TEST(StagePlan, RefusesAManifestThatContradictsItself) {
  ModelGeometry model = Encoder();
  model.alignment = 31;
  EXPECT_EQ(Refusal(model, Of({100, 100})),
            absl::InvalidArgumentError("the model's alignment 31 is not a multiple of 2, the "
                                       "denominator of its scale 1/2"));
  model = Encoder();
  model.minimum = 65;
  EXPECT_EQ(
      Refusal(model, Of({100, 100})),
      absl::InvalidArgumentError("the model's minimum 65 is not a multiple of its alignment 32"));
  model = Encoder();
  model.default_tile = 0;
  EXPECT_EQ(Refusal(model, Of({100, 100})),
            absl::InvalidArgumentError(
                "the model's alignment 32, minimum 64 and default tile 0 must be positive, its "
                "halo 16 and default overlap 16 not negative"));
}

TEST(StagePlan, IsBounded) {
  EXPECT_EQ(Refusal(Upscaler(), Of({int64_t{1} << 40, 1})),
            absl::ResourceExhaustedError(
                "the image is too large: 1099511627776x1, at most 1073741823 a side"));
  ModelGeometry model;
  EXPECT_EQ(Refusal(model, Of({1 << 20, 1 << 20}, 64, 0, 0)),
            absl::ResourceExhaustedError("an image of 1048576x1048576 in tiles of 64x64 makes "
                                         "268435456 tiles, above 16777216: use a larger tile"));
}

TEST(StagePlan, NamesEveryNumberThatDecidesPixels) {
  const std::string base = Plan(Upscaler(), Of({1000, 700}, 256, 34, 32)).Canonical();
  EXPECT_EQ(base, Plan(Upscaler(), Of({1000, 700}, 256, 34, 32)).Canonical());
  std::vector<std::string> others;
  others.push_back(Plan(Upscaler(), Of({1001, 700}, 256, 34, 32)).Canonical());
  others.push_back(Plan(Upscaler(), Of({1000, 701}, 256, 34, 32)).Canonical());
  others.push_back(Plan(Upscaler(), Of({1000, 700}, 255, 34, 32)).Canonical());
  others.push_back(Plan(Upscaler(), Of({1000, 700}, 256, 35, 32)).Canonical());
  others.push_back(Plan(Upscaler(), Of({1000, 700}, 256, 34, 30)).Canonical());
  PlanRequest request = Of({1000, 700}, 256, 34, 32);
  request.window = Window::kLinear;
  others.push_back(Plan(Upscaler(), request).Canonical());
  ModelGeometry model = Upscaler();
  model.pad_mode = PadMode::kZero;
  others.push_back(Plan(model, Of({1000, 700}, 256, 34, 32)).Canonical());
  model = Upscaler();
  model.scale = *Scale::Create(3, 1);
  others.push_back(Plan(model, Of({1000, 700}, 256, 34, 32)).Canonical());
  model = Upscaler();
  model.alignment = model.minimum = 2;
  others.push_back(Plan(model, Of({1000, 700}, 256, 34, 32)).Canonical());
  for (const std::string& other : others) EXPECT_NE(other, base);
}

}  // namespace
}  // namespace tilewright
