#include "proto/geometry/axis.h"

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"

namespace tilewright {
namespace {

absl::Status Refusal(const AxisOptions& options) { return Axis::Create(options).status(); }

Scale Of(int64_t p, int64_t q) { return *Scale::Create(p, q); }

TEST(Axis, OfOneTileHasNoCut) {
  const absl::StatusOr<Axis> axis = Axis::Create({100, 100, 34, 32, 1, Of(4, 1)});
  ASSERT_TRUE(axis.ok()) << axis.status();
  EXPECT_EQ(axis->tile_count(), 1);
  EXPECT_EQ(axis->Input(0), (Interval{0, 100}));
  EXPECT_EQ(axis->Contribution(0), (Interval{0, 400}));
  EXPECT_EQ(axis->spans(), (std::vector<AxisSpan>{{{0, 400}, 0, false}}));
}

TEST(Axis, OfOneTileTakesAnyHaloAndOverlap) {
  EXPECT_TRUE(Axis::Create({8, 8, 1000, 1000, 1, Of(1, 1)}).ok());
  EXPECT_FALSE(Axis::Create({9, 8, 1000, 1000, 1, Of(1, 1)}).ok());
}

TEST(Axis, ShiftsTheLastTileInsideAndBlendsAroundTheCuts) {
  // D = 28, S = 14, two steps of 14; tiles 0 and 1 both hold [17, 21) valid.
  const absl::StatusOr<Axis> axis = Axis::Create({52, 24, 3, 4, 1, Of(2, 1)});
  ASSERT_TRUE(axis.ok()) << axis.status();
  EXPECT_EQ(axis->tile_count(), 3);
  EXPECT_EQ(axis->Input(1), (Interval{14, 38}));
  EXPECT_EQ(axis->Input(2), (Interval{28, 52}));
  EXPECT_EQ(axis->Cut(0), 19);
  EXPECT_EQ(axis->Cut(1), 33);
  EXPECT_EQ(axis->Contribution(0), (Interval{0, 42}));
  EXPECT_EQ(axis->Contribution(1), (Interval{34, 70}));
  EXPECT_EQ(axis->spans(), (std::vector<AxisSpan>{{{0, 34}, 0, false},
                                                  {{34, 42}, 0, true},
                                                  {{42, 62}, 1, false},
                                                  {{62, 70}, 1, true},
                                                  {{70, 104}, 2, false}}));
}

TEST(Axis, CutsHardWithoutOverlap) {
  const absl::StatusOr<Axis> axis = Axis::Create({21, 12, 2, 0, 1, Of(1, 1)});
  ASSERT_TRUE(axis.ok()) << axis.status();
  // D = 9, S = 8: two steps, 4 and 5.
  EXPECT_EQ(axis->Input(1), (Interval{4, 16}));
  EXPECT_EQ(axis->spans(),
            (std::vector<AxisSpan>{{{0, 8}, 0, false}, {{8, 12}, 1, false}, {{12, 21}, 2, false}}));
}

TEST(Axis, RoundsCutsDownToTheScalesDenominator) {
  const absl::StatusOr<Axis> axis = Axis::Create({22, 16, 2, 0, 2, Of(1, 2)});
  ASSERT_TRUE(axis.ok()) << axis.status();
  EXPECT_EQ(axis->Input(1), (Interval{6, 22}));
  EXPECT_EQ(axis->Cut(0), 10);  // the middle is 11
  EXPECT_EQ(axis->Contribution(0), (Interval{0, 5}));
  EXPECT_EQ(axis->Contribution(1), (Interval{5, 11}));
}

TEST(Axis, RefusesAnOverlapTooBigForTheTile) {
  EXPECT_EQ(Refusal({1000, 256, 34, 128, 1, Of(4, 1)}),
            absl::InvalidArgumentError(
                "overlap 128 is too big for tile 256 at halo 34: the tile must be at least "
                "2*34+3*128+2*1 = 454, or the overlap at most 62"));
  EXPECT_TRUE(Axis::Create({1000, 454, 34, 128, 1, Of(4, 1)}).ok());
  EXPECT_FALSE(Axis::Create({1000, 453, 34, 128, 1, Of(4, 1)}).ok());
  EXPECT_TRUE(Axis::Create({1000, 256, 34, 62, 1, Of(4, 1)}).ok());
  EXPECT_FALSE(Axis::Create({1000, 256, 34, 64, 1, Of(4, 1)}).ok());
}

TEST(Axis, NamesTheNextAlignedTile) {
  EXPECT_EQ(Refusal({1024, 256, 34, 128, 16, Of(4, 1)}),
            absl::InvalidArgumentError(
                "overlap 128 is too big for tile 256 at halo 34: the tile must be at least "
                "2*34+3*128+2*16 = 484, as a multiple of 16 496, or the overlap at most 52"));
  EXPECT_TRUE(Axis::Create({1024, 496, 34, 128, 16, Of(4, 1)}).ok());
  EXPECT_TRUE(Axis::Create({1024, 256, 34, 52, 16, Of(4, 1)}).ok());
  EXPECT_FALSE(Axis::Create({1024, 256, 34, 54, 16, Of(4, 1)}).ok());
}

TEST(Axis, NamesTheWholeAxisWhereNoPartOfItWouldDo) {
  EXPECT_EQ(Refusal({300, 256, 34, 128, 1, Of(4, 1)}),
            absl::InvalidArgumentError(
                "overlap 128 is too big for tile 256 at halo 34: the tile must be at least 300, "
                "the whole padded size (a part of it needs 2*34+3*128+2*1 = 454), or the overlap "
                "at most 62"));
  EXPECT_TRUE(Axis::Create({300, 300, 34, 128, 1, Of(4, 1)}).ok());
}

TEST(Axis, RefusesAHaloTooBigForTheTile) {
  EXPECT_EQ(Refusal({1000, 64, 34, 0, 1, Of(1, 1)}),
            absl::InvalidArgumentError("halo 34 is too big for tile 64: the tile must be at least "
                                       "2*34+3*0+2*1 = 70, or the halo at most 31"));
  EXPECT_TRUE(Axis::Create({1000, 64, 31, 0, 1, Of(1, 1)}).ok());
  EXPECT_EQ(Refusal({1000, 64, 34, 8, 1, Of(1, 1)}),
            absl::InvalidArgumentError("overlap 8 is too big for tile 64 at halo 34: the tile must "
                                       "be at least 2*34+3*8+2*1 = 94"));
}

TEST(Axis, RefusesQuantitiesThatAreNotTheMultipleTheyMustBe) {
  EXPECT_EQ(Refusal({100, 50, 2, 7, 1, Of(1, 1)}),
            absl::InvalidArgumentError("overlap 7 must be even: 6 and 8 are"));
  EXPECT_EQ(
      Refusal({100, 50, 2, 5, 2, Of(1, 2)}),
      absl::InvalidArgumentError("overlap 5 at scale 1/2 must be a multiple of 4: 4 and 8 are"));
  EXPECT_EQ(
      Refusal({100, 50, 2, 6, 2, Of(3, 2)}),
      absl::InvalidArgumentError("overlap 6 at scale 3/2 must be a multiple of 4: 4 and 8 are"));
  EXPECT_EQ(Refusal({100, 50, 3, 4, 2, Of(1, 2)}),
            absl::InvalidArgumentError("halo 3 at scale 1/2 must be a multiple of 2: 2 and 4 are"));
  EXPECT_EQ(
      Refusal({99, 33, 2, 4, 3, Of(1, 2)}),
      absl::InvalidArgumentError("alignment 3 at scale 1/2 must be a multiple of 2: 2 and 4 are"));
  EXPECT_EQ(Refusal({100, 48, 2, 4, 8, Of(1, 1)}),
            absl::InvalidArgumentError("padded size 100 must be a multiple of 8: 96 and 104 are"));
  EXPECT_EQ(Refusal({96, 50, 2, 4, 8, Of(1, 1)}),
            absl::InvalidArgumentError("tile 50 must be a multiple of 8: 48 and 56 are"));
}

TEST(Axis, RefusesNonsense) {
  EXPECT_EQ(Refusal({64, 100, 0, 0, 1, Of(1, 1)}),
            absl::InvalidArgumentError("tile 100 is longer than the padded size 64"));
  EXPECT_EQ(Refusal({64, 0, 0, 0, 1, Of(1, 1)}),
            absl::InvalidArgumentError("size 64, tile 0 and alignment 1 must be positive, halo 0 "
                                       "and overlap 0 not negative"));
  EXPECT_EQ(Refusal({64, 32, -1, 0, 1, Of(1, 1)}),
            absl::InvalidArgumentError("size 64, tile 32 and alignment 1 must be positive, halo -1 "
                                       "and overlap 0 not negative"));
}

TEST(Axis, IsBounded) {
  EXPECT_EQ(Refusal({Axis::kMaxLength + 1, 512, 0, 0, 1, Of(1, 1)}),
            absl::ResourceExhaustedError("size 1073741825, halo 0 and overlap 0 must be at most "
                                         "1073741824"));
  EXPECT_EQ(Refusal({Axis::kMaxLength, 4, 0, 0, 1, Of(1, 1)}),
            absl::ResourceExhaustedError("size 1073741824 in tiles of 4 makes 268435456 tiles on "
                                         "one axis, above 1048576: use a larger tile"));
  EXPECT_TRUE(Axis::Create({Axis::kMaxLength, 2048, 0, 0, 1, Of(32, 1)}).ok());
}

}  // namespace
}  // namespace tilewright
