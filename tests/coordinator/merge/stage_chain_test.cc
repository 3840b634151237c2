// What lies between two stages, against brute force over random pairs of plans.

#include "coordinator/merge/stage_chain.h"

#include <algorithm>
#include <random>
#include <set>
#include <vector>

#include "gtest/gtest.h"

namespace tilewright {
namespace {

// Side of what is brought to blocks of 512: a pixel of the test stands for so many.
struct Pair {
  StagePlan before;
  StagePlan next;
  CanvasFormat image;
};

Pair RandomPair(std::mt19937_64& random) {
  const auto draw = [&random](int64_t least, int64_t most) {
    return least + static_cast<int64_t>(random() % static_cast<uint64_t>(most - least + 1));
  };
  while (true) {
    ModelGeometry first, second;
    const int64_t scale = draw(1, 3);
    first.scale = *Scale::Create(scale == 3 ? 1 : scale, scale == 3 ? 2 : 1);
    first.alignment = scale == 3 ? 2 : 1;
    first.minimum = first.alignment;
    second.alignment = draw(0, 1) == 0 ? 1 : 64;
    second.minimum = second.alignment;
    second.pad_mode = static_cast<PadMode>(draw(0, 2));
    PlanRequest one, two;
    one.image = {draw(1, 2500), draw(1, 2500)};
    one.tile = draw(100, 900);
    one.halo = 2 * draw(0, 8);
    one.overlap = 4 * draw(0, 10);
    absl::StatusOr<StagePlan> before = StagePlan::Create(first, one);
    if (!before.ok()) continue;
    two.image = before->output();
    two.tile = draw(100, 900);
    two.halo = draw(0, 40);
    two.overlap = 2 * draw(0, 20);
    absl::StatusOr<StagePlan> next = StagePlan::Create(second, two);
    if (!next.ok()) continue;
    CanvasFormat image;
    image.size = before->output();
    return {*std::move(before), *std::move(next), image};
  }
}

// Blocks that a tile takes, pixel by pixel of its border columns and rows.
std::set<int64_t> BlocksTaken(const Pair& pair, const StageChain& chain, TileIndex tile) {
  const Rect rect = pair.next.InputRect(tile);
  const PadMode pad = pair.next.model().pad_mode;
  std::set<int64_t> columns, rows, blocks;
  for (int64_t x = rect.x; x < rect.right(); ++x) {
    const int64_t from = x < pair.image.size.width ? x : PadSource(x, pair.image.size.width, pad);
    if (from >= 0) columns.insert(from / kBlockSide);
  }
  for (int64_t y = rect.y; y < rect.bottom(); ++y) {
    const int64_t from = y < pair.image.size.height ? y : PadSource(y, pair.image.size.height, pad);
    if (from >= 0) rows.insert(from / kBlockSide);
  }
  for (const int64_t row : rows) {
    for (const int64_t column : columns) blocks.insert(chain.BlockIndex(column, row));
  }
  return blocks;
}

TEST(StageChain, KnowsWhoReadsWhatInBothDirections) {
  std::mt19937_64 random(7);
  int64_t padded = 0;
  for (int round = 0; round < 60; ++round) {
    const Pair pair = RandomPair(random);
    padded += !(pair.next.padded() == pair.next.image());
    StageChain chain(pair.before, MergeKind::kBlend, pair.image, pair.next);
    std::vector<std::set<int64_t>> taken;  // by tile
    for (int64_t tile = 0; tile < pair.next.tile_count(); ++tile) {
      taken.push_back(BlocksTaken(pair, chain, {tile}));
    }
    const int64_t columns = pair.image.block_columns();
    std::vector<int64_t> order(static_cast<size_t>(columns * pair.image.block_rows()));
    for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int64_t>(i);
    std::shuffle(order.begin(), order.end(), random);
    std::set<int64_t> added, complete, dropped;
    for (const int64_t block : order) {
      StageChain::Complete now;
      chain.AddBlock(block % columns, block / columns, &now);
      added.insert(block);
      EXPECT_TRUE(now.left_out.empty());
      for (const int64_t tile : now.tiles) EXPECT_TRUE(complete.insert(tile).second) << tile;
      for (int64_t tile = 0; tile < pair.next.tile_count(); ++tile) {
        const std::set<int64_t>& needs = taken[static_cast<size_t>(tile)];
        const bool all = std::includes(added.begin(), added.end(), needs.begin(), needs.end());
        ASSERT_EQ(complete.contains(tile), all) << "tile " << tile << " after block " << block;
        ASSERT_EQ(chain.IsComplete({tile}), all);
      }
      // Some that are complete are done.
      for (const int64_t tile : std::vector<int64_t>(complete.begin(), complete.end())) {
        if (dropped.contains(tile) || random() % 2 == 0) continue;
        dropped.insert(tile);
        const std::vector<int64_t> unneeded = chain.DropTile({tile});
        for (const int64_t under : taken[static_cast<size_t>(tile)]) {
          int64_t first = pair.next.tile_count();
          for (int64_t other = 0; other < pair.next.tile_count(); ++other) {
            if (!dropped.contains(other) && taken[static_cast<size_t>(other)].contains(under)) {
              first = std::min(first, other);
            }
          }
          const bool needed = first < pair.next.tile_count();
          ASSERT_EQ(chain.IsNeeded(under), needed) << "block " << under;
          ASSERT_EQ(chain.FirstReader(under), first) << "block " << under;
          ASSERT_EQ(std::count(unneeded.begin(), unneeded.end(), under), needed ? 0 : 1);
        }
      }
    }
    EXPECT_EQ(complete.size(), static_cast<size_t>(pair.next.tile_count()));
  }
  EXPECT_GT(padded, 5) << "few plans reached beyond their image";
}

TEST(StageChain, LeavesOutWhatTakesAPixelThatOnlyHolesMake) {
  std::mt19937_64 random(9);
  int64_t left_out = 0, tiles = 0;
  for (int round = 0; round < 60; ++round) {
    const Pair pair = RandomPair(random);
    StageChain chain(pair.before, MergeKind::kBlend, pair.image, pair.next);
    std::set<int64_t> holes;
    for (int i = 0; i < 3; ++i) {
      holes.insert(
          static_cast<int64_t>(random() % static_cast<uint64_t>(pair.before.tile_count())));
    }
    for (const int64_t hole : holes) chain.AddHole({hole});
    StageChain::Complete complete;
    for (int64_t row = 0; row < pair.image.block_rows(); ++row) {
      for (int64_t column = 0; column < pair.image.block_columns(); ++column) {
        chain.AddBlock(column, row, &complete);
      }
    }
    // Whether a pixel has a contributor, asked of the plan's contributions.
    const auto made = [&](int64_t x, int64_t y) {
      for (int64_t tile = 0; tile < pair.before.tile_count(); ++tile) {
        if (!holes.contains(tile) && pair.before.Contribution({tile}).Contains(Rect{x, y, 1, 1}))
          return true;
      }
      return false;
    };
    // All of a cell's pixels are alike: where contributions begin and end is enough.
    std::set<int64_t> xs, ys;
    for (int64_t tile = 0; tile < pair.before.tile_count(); ++tile) {
      const Rect rect = pair.before.Contribution({tile});
      xs.insert({rect.x, rect.right()});
      ys.insert({rect.y, rect.bottom()});
    }
    const std::set<int64_t> out(complete.left_out.begin(), complete.left_out.end());
    EXPECT_EQ(out.size() + complete.tiles.size(), static_cast<size_t>(pair.next.tile_count()));
    for (int64_t tile = 0; tile < pair.next.tile_count(); ++tile) {
      const Rect source = chain.Source({tile});
      std::set<int64_t> px = {source.x}, py = {source.y};
      for (const int64_t x : xs) {
        if (x > source.x && x < source.right()) px.insert(x);
      }
      for (const int64_t y : ys) {
        if (y > source.y && y < source.bottom()) py.insert(y);
      }
      bool whole = true;
      for (const int64_t y : py) {
        for (const int64_t x : px) whole = whole && made(x, y);
      }
      ASSERT_EQ(out.contains(tile), !whole) << "tile " << tile;
    }
    left_out += static_cast<int64_t>(out.size());
    tiles += pair.next.tile_count();
  }
  EXPECT_GT(left_out, 20);
  EXPECT_LT(left_out, tiles);
}

}  // namespace
}  // namespace tilewright
