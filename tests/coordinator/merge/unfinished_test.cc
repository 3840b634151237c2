// A merger that is ended before all tiles came: what waits for a tile is zero, everything else is
// as it would have been.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "coordinator/merge/tile_merger.h"
#include "tests/coordinator/merge/merge_testing.h"

namespace tilewright {
namespace {

TestImage Whole(const StagePlan& plan, const CanvasFormat& format, const Tiles& tiles) {
  ImageSink sink(format);
  TileMerger merger(plan, format, MergeKind::kBlend, sink);
  for (int64_t tile = 0; tile < plan.tile_count(); ++tile) {
    EXPECT_TRUE(merger.AddTile({tile}, tiles[static_cast<size_t>(tile)]).ok());
  }
  return sink.image;
}

TEST(Unfinished, PixelsThatWaitForATileAreZeroAndTheOthersFinal) {
  std::mt19937_64 random(5);
  for (int round = 0; round < 12; ++round) {
    const StagePlan plan = MakePlan({1300, 1100}, 300, 40);
    const CanvasFormat format = {plan.output(), 2, SampleType::kU8};
    const Tiles tiles = DisagreeingTiles(plan, format, static_cast<uint64_t>(round));
    const TestImage whole = Whole(plan, format, tiles);
    std::vector<int64_t> order(tiles.size());
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), random);
    const auto come = static_cast<size_t>(random() % tiles.size());
    const bool all = round % 2 == 1;
    SCOPED_TRACE(absl::StrCat("round ", round, ": ", come, " of ", tiles.size(), " tiles"));
    ImageSink sink(format);
    TileMerger merger(plan, format, MergeKind::kBlend, sink);
    for (size_t i = 0; i < come; ++i) {
      ASSERT_TRUE(merger.AddTile({order[i]}, tiles[static_cast<size_t>(order[i])]).ok());
    }
    const absl::Status written = merger.WriteUnfinished(all);
    ASSERT_TRUE(written.ok()) << written;
    const auto blocks = static_cast<size_t>(format.block_columns() * format.block_rows());
    if (all) {
      EXPECT_EQ(sink.blocks.size(), blocks);
    }
    EXPECT_FALSE(merger.AddTile({order[come]}, tiles[static_cast<size_t>(order[come])]).ok());
    // By the pixel: it waits if any tile that covers it has not come.
    TestImage expected = whole;
    for (int64_t tile = 0; tile < plan.tile_count(); ++tile) {
      const bool came = std::find(order.begin(), order.begin() + static_cast<int64_t>(come),
                                  tile) != order.begin() + static_cast<int64_t>(come);
      EXPECT_EQ(merger.settled({tile}), came);
      if (came) continue;
      const Rect rect = plan.Contribution({tile});
      expected.Paste(
          rect, std::vector<std::byte>(static_cast<size_t>(rect.area() * format.pixel_bytes())));
    }
    EXPECT_TRUE(sink.image.samples == expected.samples);
    EXPECT_FALSE(sink.image.samples == whole.samples);
  }
}

TEST(Unfinished, NothingIsWrittenTwiceWhenAllCame) {
  const StagePlan plan = MakePlan({700, 700}, 300, 40);
  const CanvasFormat format = {plan.output(), 1, SampleType::kU8};
  const Tiles tiles = DisagreeingTiles(plan, format);
  ImageSink sink(format);  // fails a block that comes twice
  TileMerger merger(plan, format, MergeKind::kBlend, sink);
  for (int64_t tile = 0; tile < plan.tile_count(); ++tile) {
    ASSERT_TRUE(merger.AddTile({tile}, tiles[static_cast<size_t>(tile)]).ok());
  }
  EXPECT_TRUE(merger.WriteUnfinished(true).ok());
  EXPECT_TRUE(sink.image.samples == Whole(plan, format, tiles).samples);
}

}  // namespace
}  // namespace tilewright
