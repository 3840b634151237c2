#include "coordinator/merge/tile_merger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "tests/coordinator/merge/merge_testing.h"

namespace tilewright {
namespace {

using ::testing::HasSubstr;

// Adds every tile of `image` in a shuffled order.
void MergeAll(const StagePlan& plan, const TestImage& image, MergeKind kind, uint64_t seed,
              ImageSink& sink) {
  TileMerger merger(plan, image.format, kind, sink);
  std::vector<int64_t> order(static_cast<size_t>(plan.tile_count()));
  std::iota(order.begin(), order.end(), 0);
  std::mt19937_64 random(seed);
  std::shuffle(order.begin(), order.end(), random);
  for (int64_t tile : order) {
    EXPECT_FALSE(merger.done());
    const absl::Status added = merger.AddTile({tile}, image.Cut(plan.Contribution({tile})));
    ASSERT_TRUE(added.ok()) << added;
  }
  EXPECT_TRUE(merger.done());
  EXPECT_EQ(merger.tiles_added(), plan.tile_count());
  EXPECT_EQ(merger.bytes_held(), 0);
  EXPECT_EQ(static_cast<int64_t>(sink.blocks.size()),
            image.format.block_columns() * image.format.block_rows());
}

void ExpectIdentity(Size size, int64_t tile, int64_t overlap, int channels, SampleType sample,
                    MergeKind kind, int64_t scale = 1) {
  SCOPED_TRACE(absl::StrCat(ToString(size), " tile ", tile, " overlap ", overlap, " channels ",
                            channels, " ", SampleTypeName(sample), " scale ", scale));
  const StagePlan plan = MakePlan(size, tile, overlap, scale);
  const TestImage image = RandomImage({plan.output(), channels, sample}, 7);
  ImageSink sink(image.format);
  MergeAll(plan, image, kind, 11, sink);
  EXPECT_TRUE(sink.image.samples == image.samples) << "the merged image differs";
  EXPECT_EQ(sink.hash.Finish(), image.Hash());
}

TEST(TileMerger, GivesBackTheImageThatTilesWereCutFrom) {
  constexpr int64_t kTile = 64;
  constexpr int64_t kSides[] = {1, 37, kTile - 1, kTile, kTile + 1, 3 * kTile + 1};
  for (SampleType sample :
       {SampleType::kU8, SampleType::kU16, SampleType::kF16, SampleType::kF32}) {
    for (int channels = 1; channels <= 4; ++channels) {
      for (int64_t side : kSides) {
        for (Size size : {Size{side, side}, Size{side, 1}, Size{1, side}, Size{101, side}}) {
          ExpectIdentity(size, kTile, 16, channels, sample, MergeKind::kBlend);
        }
      }
    }
  }
}

TEST(TileMerger, GivesBackImagesOfManyBlocks) {
  for (int64_t overlap : {0, 2, 90}) {
    ExpectIdentity({901, 1200}, 300, overlap, 3, SampleType::kU8, MergeKind::kBlend);
    ExpectIdentity({1300, 533}, 700, overlap, 1, SampleType::kU16, MergeKind::kBlend);
  }
  // Tiles much bigger and much smaller than a block.
  ExpectIdentity({700, 410}, 400, 40, 2, SampleType::kU8, MergeKind::kBlend, 4);
  ExpectIdentity({600, 520}, 16, 4, 1, SampleType::kU8, MergeKind::kBlend);
}

TEST(TileMerger, GivesBackTheImageWhenItCutsInsteadOfBlending) {
  for (int64_t overlap : {0, 2, 90}) {
    ExpectIdentity({901, 1200}, 300, overlap, 3, SampleType::kU8, MergeKind::kCut);
    ExpectIdentity({1, 700}, 300, overlap, 1, SampleType::kU16, MergeKind::kCut);
  }
}

TEST(TileMerger, SeesATileThatWasCutInTheWrongPlace) {
  const StagePlan plan = MakePlan({200, 200}, 64, 16);
  const TestImage image = RandomImage({plan.output(), 3, SampleType::kU8}, 7);
  ImageSink sink(image.format);
  TileMerger merger(plan, image.format, MergeKind::kBlend, sink);
  for (int64_t tile = 0; tile < plan.tile_count(); ++tile) {
    Rect rect = plan.Contribution({tile});
    if (tile == plan.tile_count() - 1) rect.y -= 1;
    ASSERT_TRUE(merger.AddTile({tile}, image.Cut(rect)).ok());
  }
  EXPECT_NE(sink.hash.Finish(), image.Hash());
}

// The tiles that contribute to a position of an axis, and the later one's weight.
struct AxisMix {
  int64_t first = 0;
  bool blended = false;
  uint32_t later = 0;
  bool second_half = false;  // of the blend zone
};

AxisMix MixAt(const Axis& axis, Window window, int64_t at) {
  for (const AxisSpan& span : axis.spans()) {
    if (at >= span.output.end) continue;
    if (!span.blended) return {span.first_tile, false, 0, false};
    const int64_t length = span.output.length();
    const int64_t j = at - span.output.begin;
    return {span.first_tile, true, WindowWeights(window, length)[static_cast<size_t>(j)],
            j >= length / 2};
  }
  ADD_FAILURE() << "no span holds " << at;
  return {};
}

// The rule itself, pixel by pixel.
TestImage Reference(const StagePlan& plan, const CanvasFormat& format, MergeKind kind,
                    const std::vector<std::vector<std::byte>>& tiles) {
  const auto sample = [&](int64_t column, int64_t row, int64_t x, int64_t y, int c) {
    const int64_t tile = plan.IndexAt({column, row}).value;
    const Rect rect = plan.Contribution({tile});
    return static_cast<uint32_t>(tiles[static_cast<size_t>(tile)][static_cast<size_t>(
        ((y - rect.y) * rect.width + x - rect.x) * format.channels + c)]);
  };
  TestImage image(format);
  for (int64_t y = 0; y < format.size.height; ++y) {
    const AxisMix my = MixAt(plan.y(), plan.window(), y);
    for (int64_t x = 0; x < format.size.width; ++x) {
      const AxisMix mx = MixAt(plan.x(), plan.window(), x);
      for (int c = 0; c < format.channels; ++c) {
        uint32_t value = 0;
        if (kind == MergeKind::kCut) {
          value = sample(mx.first + mx.second_half, my.first + my.second_half, x, y, c);
        } else {
          const int64_t right = mx.first + mx.blended;
          const int64_t below = my.first + my.blended;
          value = ((256 - my.later) * ((256 - mx.later) * sample(mx.first, my.first, x, y, c) +
                                       mx.later * sample(right, my.first, x, y, c)) +
                   my.later * ((256 - mx.later) * sample(mx.first, below, x, y, c) +
                               mx.later * sample(right, below, x, y, c)) +
                   32768) >>
                  16;
        }
        image.Pixel(x, y)[c] = static_cast<std::byte>(value);
      }
    }
  }
  return image;
}

TEST(TileMerger, BlendsAndCutsTilesThatDisagreeByTheRule) {
  for (int64_t scale : {1, 3}) {
    const StagePlan plan = MakePlan({642 / scale, 570 / scale}, 300 / scale, 60 / scale, scale);
    ASSERT_GE(plan.tile_count(), 9);
    const CanvasFormat format = {plan.output(), 2, SampleType::kU8};
    const Tiles tiles = DisagreeingTiles(plan, format, 3);
    for (MergeKind kind : {MergeKind::kBlend, MergeKind::kCut}) {
      ImageSink sink(format);
      TileMerger merger(plan, format, kind, sink);
      for (int64_t tile = plan.tile_count() - 1; tile >= 0; --tile) {
        ASSERT_TRUE(merger.AddTile({tile}, tiles[static_cast<size_t>(tile)]).ok());
      }
      ASSERT_TRUE(merger.done());
      EXPECT_TRUE(sink.image.samples == Reference(plan, format, kind, tiles).samples)
          << (kind == MergeKind::kCut ? "cut" : "blend") << " at scale " << scale;
    }
  }
}

TEST(TileMerger, RefusesATileTwiceAndChangesNothing) {
  const StagePlan plan = MakePlan({200, 100}, 64, 16);
  const TestImage image = RandomImage({plan.output(), 1, SampleType::kU8}, 1);
  ImageSink sink(image.format);
  TileMerger merger(plan, image.format, MergeKind::kBlend, sink);
  const std::vector<std::byte> tile = image.Cut(plan.Contribution({2}));
  ASSERT_TRUE(merger.AddTile({2}, tile).ok());
  const int64_t held = merger.bytes_held();
  const absl::Status again = merger.AddTile({2}, tile);
  EXPECT_EQ(again.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(again.message(), "merging: tile 2 was merged or left out before");
  EXPECT_EQ(merger.tiles_added(), 1);
  EXPECT_EQ(merger.bytes_held(), held);
}

TEST(TileMerger, RefusesAWrongByteCountAndTakesTheTileAfterwards) {
  const StagePlan plan = MakePlan({64, 64}, 64, 0);
  const TestImage image = RandomImage({plan.output(), 3, SampleType::kU8}, 1);
  ImageSink sink(image.format);
  TileMerger merger(plan, image.format, MergeKind::kBlend, sink);
  const absl::Status refused = merger.AddTile({0}, std::vector<std::byte>(64 * 64));
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(refused.message(),
            "merging: tile 0 has 4096 bytes where its 64x64+0+0 pixels need 12288");
  EXPECT_EQ(merger.tiles_added(), 0);
  EXPECT_EQ(merger.bytes_held(), 0);
  EXPECT_TRUE(merger.AddTile({0}, image.samples).ok());
  EXPECT_TRUE(merger.done());
}

TEST(TileMerger, RefusesATileThatThePlanDoesNotHave) {
  const StagePlan plan = MakePlan({64, 64}, 64, 0);
  const CanvasFormat format = {plan.output(), 1, SampleType::kU8};
  ImageSink sink(format);
  TileMerger merger(plan, format, MergeKind::kBlend, sink);
  for (int64_t tile : {-1, 1}) {
    const absl::Status refused = merger.AddTile({tile}, std::vector<std::byte>(64 * 64));
    EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(refused.message(),
              absl::StrCat("merging: there is no tile ", tile, ": the plan has 1"));
  }
}

// Takes some blocks, then has no room for the next.
class FullSink : public BlockSink {
 public:
  explicit FullSink(int room) : room_(room) {}
  absl::Status WriteBlock(int64_t /*column*/, int64_t /*row*/,
                          absl::Span<const std::byte> /*samples*/) override {
    return --room_ >= 0 ? absl::OkStatus() : absl::ResourceExhaustedError("no room");
  }

 private:
  int room_;
};

TEST(TileMerger, PassesTheSinksErrorOnAndDoesNotForgetIt) {
  const StagePlan plan = MakePlan({1600, 100}, 200, 0);
  const TestImage image = RandomImage({plan.output(), 1, SampleType::kU8}, 1);
  FullSink sink(1);
  TileMerger merger(plan, image.format, MergeKind::kBlend, sink);
  absl::Status first;
  int64_t tile = 0;
  for (; first.ok() && tile < plan.tile_count(); ++tile) {
    first = merger.AddTile({tile}, image.Cut(plan.Contribution({tile})));
  }
  EXPECT_EQ(first, absl::ResourceExhaustedError("no room"));
  ASSERT_LT(tile, plan.tile_count());
  EXPECT_EQ(merger.AddTile({tile}, image.Cut(plan.Contribution({tile}))), first);
  EXPECT_FALSE(merger.done());
}

TEST(TileMerger, HoldsTheWavefrontAndNotTheRowOfTiles) {
  const StagePlan plan = MakePlan({4096, 2048}, 256, 16);
  const TestImage image = RandomImage({plan.output(), 1, SampleType::kU8}, 1);
  ImageSink sink(image.format);
  TileMerger merger(plan, image.format, MergeKind::kBlend, sink);
  int64_t peak = 0;
  for (int64_t tile = 0; tile < plan.tile_count(); ++tile) {
    ASSERT_TRUE(merger.AddTile({tile}, image.Cut(plan.Contribution({tile}))).ok());
    peak = std::max(peak, merger.bytes_held());
  }
  // A row of blocks, the blend zones under a row of tiles, and a few of both that are being filled.
  constexpr int64_t kBlockRow = 4096 * 512;
  constexpr int64_t kStrip = 2 * 4096 * 16;
  EXPECT_LT(peak, kBlockRow + kStrip + 2 * 512 * 512 + 2 * 256 * 256);
  EXPECT_GT(peak, kBlockRow);
  EXPECT_EQ(merger.bytes_held(), 0);
}

}  // namespace
}  // namespace tilewright
