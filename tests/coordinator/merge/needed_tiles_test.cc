// Which tiles of a stage the next one needs, against brute force over random pairs of plans: every
// pixel that a wanted tile reads has all its contributors, and no tile is there for nothing. And a
// merger that gets only those.

#include "coordinator/merge/needed_tiles.h"

#include <map>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "coordinator/merge/padding.h"
#include "coordinator/merge/tile_merger.h"
#include "gtest/gtest.h"
#include "tests/coordinator/merge/merge_testing.h"

namespace tilewright {
namespace {

class Draw {
 public:
  explicit Draw(uint64_t seed) : random_(seed) {}
  int64_t Between(int64_t least, int64_t most) {
    return least + static_cast<int64_t>(random_() % static_cast<uint64_t>(most - least + 1));
  }

 private:
  std::mt19937_64 random_;
};

struct TwoStages {
  StagePlan before;
  StagePlan next;
  MergeKind merge;
};

TwoStages DrawTwoStages(Draw& draw) {
  while (true) {
    const std::pair<int64_t, int64_t> scales[] = {{1, 1}, {2, 1}, {1, 2}, {3, 2}};
    const auto [p, q] = scales[draw.Between(0, 3)];
    ModelGeometry first, second;
    first.scale = *Scale::Create(p, q);
    first.alignment = first.minimum = q;
    second.alignment = second.minimum = draw.Between(0, 1) == 0 ? 1 : 8;
    second.pad_mode = static_cast<PadMode>(draw.Between(0, 2));
    PlanRequest one, two;
    one.image = {draw.Between(1, 160), draw.Between(1, 160)};
    one.tile = draw.Between(12, 60);
    one.halo = 2 * draw.Between(0, 3);
    one.overlap = 4 * draw.Between(0, 3);
    const absl::StatusOr<StagePlan> before = StagePlan::Create(first, one);
    if (!before.ok()) continue;
    two.image = before->output();
    two.tile = draw.Between(12, 90);
    two.halo = draw.Between(0, 6);
    two.overlap = 2 * draw.Between(0, 4);
    const absl::StatusOr<StagePlan> next = StagePlan::Create(second, two);
    if (!next.ok()) continue;
    return {*before, *next, draw.Between(0, 3) == 0 ? MergeKind::kCut : MergeKind::kBlend};
  }
}

WantedTiles DrawWanted(Draw& draw, const StagePlan& plan) {
  const int64_t one_in = draw.Between(1, 8);
  std::vector<int64_t> tiles;
  for (int64_t tile = 0; tile < plan.tile_count(); ++tile) {
    if (draw.Between(1, one_in) == 1) tiles.push_back(tile);
  }
  return WantedTiles(plan, std::move(tiles));
}

// Tiles of `before` whose samples are in a pixel that one of the wanted tiles reads: the tiles of
// each pixel by brute force, along each axis.
std::set<int64_t> NeededByBruteForce(const TwoStages& pair, const WantedTiles& wanted) {
  // A cut merge takes a pixel from the tile on whose side of the cut it lies.
  const auto contributors = [&pair](const Axis& axis, int64_t at) {
    std::set<int64_t> tiles;
    for (int64_t tile = 0; tile < axis.tile_count(); ++tile) {
      const Interval part = axis.Contribution(tile);
      if (part.begin <= at && at < part.end) tiles.insert(tile);
    }
    if (pair.merge == MergeKind::kBlend || tiles.size() == 1) return tiles;
    for (const AxisSpan& span : axis.spans()) {
      if (!span.blended || at < span.output.begin || at >= span.output.end) continue;
      const int64_t cut = span.output.begin + span.output.length() / 2;
      return std::set<int64_t>{span.first_tile + (at < cut ? 0 : 1)};
    }
    ADD_FAILURE() << "two tiles at " << at << " in no blend zone";
    return tiles;
  };
  const PadMode pad = pair.next.model().pad_mode;
  const auto under = [&](const Axis& axis, Interval input, int64_t size) {
    std::set<int64_t> tiles;
    for (int64_t at = input.begin; at < input.end; ++at) {
      const int64_t from = at < size ? at : PadSource(at, size, pad);
      if (from < 0) continue;
      tiles.merge(contributors(axis, from));
    }
    return tiles;
  };
  std::set<int64_t> needed;
  for (int64_t number = 0; number < wanted.count(); ++number) {
    const Rect input = pair.next.InputRect(wanted.at(number));
    const Size image = pair.before.output();
    for (const int64_t row : under(pair.before.y(), input.vertical(), image.height)) {
      for (const int64_t column : under(pair.before.x(), input.horizontal(), image.width)) {
        needed.insert(pair.before.IndexAt({column, row}).value);
      }
    }
  }
  return needed;
}

TEST(NeededTiles, AreThoseOfAPixelThatAWantedTileReads) {
  Draw draw(3);
  int64_t needed_in_all = 0, tiles_in_all = 0;
  for (int round = 0; round < 400; ++round) {
    const TwoStages pair = DrawTwoStages(draw);
    const WantedTiles wanted = DrawWanted(draw, pair.next);
    SCOPED_TRACE(absl::StrCat("round ", round, ": ", pair.before.Canonical(), " then ",
                              pair.next.Canonical()));
    const WantedTiles needed = NeededTiles(pair.before, pair.merge, pair.next, wanted);
    std::set<int64_t> found;
    for (int64_t number = 0; number < needed.count(); ++number) {
      ASSERT_TRUE(found.insert(needed.at(number).value).second);
      ASSERT_EQ(needed.NumberOf(needed.at(number)), number);
    }
    ASSERT_EQ(found, NeededByBruteForce(pair, wanted));
    int64_t skipped = 0;
    needed.ForEachSkipped([&](TileIndex tile) {
      EXPECT_FALSE(found.contains(tile.value));
      EXPECT_FALSE(needed.NumberOf(tile).has_value());
      ++skipped;
    });
    EXPECT_EQ(skipped, needed.skipped());
    needed_in_all += needed.count();
    tiles_in_all += pair.before.tile_count();
  }
  EXPECT_GT(needed_in_all, tiles_in_all / 10);
  EXPECT_LT(needed_in_all, tiles_in_all * 9 / 10) << "little was skipped";
}

TEST(NeededTiles, OfNothingAreNoneAndOfAllAreAll) {
  Draw draw(4);
  const TwoStages pair = DrawTwoStages(draw);
  EXPECT_EQ(NeededTiles(pair.before, pair.merge, pair.next, WantedTiles(pair.next, {})).count(), 0);
  EXPECT_EQ(NeededTiles(pair.before, pair.merge, pair.next, WantedTiles(pair.next)).skipped(), 0);
}

// Takes blocks whose samples are not all filled.
class BlocksSink : public BlockSink {
 public:
  absl::Status WriteBlock(int64_t column, int64_t row,
                          absl::Span<const std::byte> samples) override {
    const bool first = blocks.insert({{column, row}, {samples.begin(), samples.end()}}).second;
    EXPECT_TRUE(first) << "block " << column << "," << row << " comes twice";
    return absl::OkStatus();
  }

  std::map<std::pair<int64_t, int64_t>, std::vector<std::byte>> blocks;
};

TEST(TileMerger, GivesTheNeededPixelsOfTheWholeFromWantedTilesAlone) {
  Draw draw(6);
  int64_t blocks_left = 0, pixels = 0, rounds_spilled = 0;
  for (int round = 0; round < 25; ++round) {
    const StagePlan plan = MakePlan({draw.Between(600, 1700), draw.Between(600, 1700)},
                                    draw.Between(80, 300), 4 * draw.Between(0, 5));
    const StagePlan next = MakePlan(plan.output(), draw.Between(80, 300), 4 * draw.Between(0, 5));
    CanvasFormat format;
    format.size = plan.output();
    format.channels = 1;
    const int64_t one_in = draw.Between(1, 60);
    std::vector<int64_t> of_next;
    for (int64_t tile = 0; tile < next.tile_count(); ++tile) {
      if (draw.Between(1, one_in) == 1) of_next.push_back(tile);
    }
    const WantedTiles read(next, std::move(of_next));
    const WantedTiles wanted = NeededTiles(plan, MergeKind::kBlend, next, read);
    SCOPED_TRACE(absl::StrCat("round ", round, ": ", plan.Canonical()));
    const Tiles tiles = DisagreeingTiles(plan, format, static_cast<uint64_t>(round));
    ImageSink whole(format);
    TileMerger all(plan, format, MergeKind::kBlend, whole);
    for (int64_t tile = 0; tile < plan.tile_count(); ++tile) {
      ASSERT_TRUE(all.AddTile({tile}, tiles[static_cast<size_t>(tile)]).ok());
    }
    BlocksSink sink;
    FakeScratch scratch;
    TileMerger merger(plan, format, MergeKind::kBlend, sink, &scratch, &wanted);
    merger.set_bytes_max(draw.Between(0, 1) == 0 ? 0 : int64_t{1} << 30);
    std::vector<int64_t> order;
    for (int64_t number = 0; number < wanted.count(); ++number) order.push_back(number);
    for (size_t i = order.size(); i > 1; --i) {
      std::swap(order[i - 1],
                order[static_cast<size_t>(draw.Between(0, static_cast<int64_t>(i) - 1))]);
    }
    for (const int64_t number : order) {
      EXPECT_FALSE(merger.done());
      const TileIndex tile = wanted.at(number);
      ASSERT_TRUE(merger.AddTile(tile, tiles[static_cast<size_t>(tile.value)]).ok());
    }
    EXPECT_TRUE(merger.done());
    EXPECT_EQ(merger.bytes_held() + merger.bytes_spilled(), 0);
    EXPECT_TRUE(scratch.empty());
    rounds_spilled += scratch.puts > 0;
    wanted.ForEachSkipped([&](TileIndex tile) {
      EXPECT_TRUE(
          absl::IsAlreadyExists(merger.AddTile(tile, tiles[static_cast<size_t>(tile.value)])));
    });
    for (int64_t number = 0; number < read.count(); ++number) {
      const Rect source = next.InputRect(read.at(number));
      for (int64_t y = source.y; y < source.bottom(); ++y) {
        for (int64_t x = source.x; x < source.right(); ++x) {
          const auto found = sink.blocks.find({x / kBlockSide, y / kBlockSide});
          ASSERT_NE(found, sink.blocks.end()) << x << "," << y;
          const Rect block = format.BlockRect(x / kBlockSide, y / kBlockSide);
          const auto at = static_cast<size_t>((y - block.y) * block.width + x - block.x);
          ASSERT_EQ(found->second[at], *whole.image.Pixel(x, y)) << x << "," << y;
          ++pixels;
        }
      }
    }
    blocks_left +=
        format.block_columns() * format.block_rows() - static_cast<int64_t>(sink.blocks.size());
  }
  EXPECT_GT(blocks_left, 5) << "blocks that nobody needs were made";
  EXPECT_GT(pixels, 100'000);
  EXPECT_GT(rounds_spilled, 5);
}

}  // namespace
}  // namespace tilewright
