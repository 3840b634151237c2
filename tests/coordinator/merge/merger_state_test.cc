// A merger that is saved at any moment, lost, and restored from what was saved gives the pixels of
// one that was not disturbed, and asks for no tile again.

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <numeric>
#include <random>
#include <vector>

#include "absl/strings/str_cat.h"
#include "coordinator/merge/tile_merger.h"
#include "tests/coordinator/merge/merge_testing.h"

namespace tilewright {
namespace {

// One life of a merger, with all that is on disks.
struct Life {
  Life(const StagePlan& plan, const CanvasFormat& format, int64_t bytes_max)
      : sink(format), merger(plan, format, MergeKind::kBlend, sink, &scratch) {
    merger.set_bytes_max(bytes_max);
  }
  FakeScratch scratch;
  ImageSink sink;
  TileMerger merger;
};

// What a crash leaves: all that was on disks when the state was taken.
struct Saved {
  MergerState state;
  FakeScratch scratch;
  ImageSink sink;
};

class MergerStateTest : public ::testing::Test {
 protected:
  // A job whose merger dies `deaths` times; each life goes on from the last state of the one
  // before.
  uint64_t HashAfter(int deaths, uint64_t seed) {
    random_.seed(seed);
    auto life = std::make_unique<Life>(plan_, format_, bytes_max_);
    auto saved =
        std::make_unique<Saved>(Saved{life->merger.Save().value(), life->scratch, life->sink});
    while (true) {
      std::vector<int64_t> order;
      for (int64_t tile = 0; tile < plan_.tile_count(); ++tile) {
        if (!life->merger.settled({tile})) order.push_back(tile);
      }
      std::shuffle(order.begin(), order.end(), random_);
      const bool dies = deaths-- > 0;
      const size_t end = dies ? random_() % (order.size() + 1) : order.size();
      for (size_t i = 0; i < end; ++i) {
        Add(*life, order[i]);
        if (random_() % 3 != 0) continue;
        saved =
            std::make_unique<Saved>(Saved{life->merger.Save().value(), life->scratch, life->sink});
      }
      if (!dies) break;
      if (damage_ != nullptr) damage_(*saved);
      life = std::make_unique<Life>(plan_, format_, bytes_max_);
      life->scratch = saved->scratch;
      life->sink.image = saved->sink.image;
      life->sink.hash = saved->sink.hash;
      life->sink.blocks = saved->sink.blocks;
      const absl::Status restored = life->merger.Restore(saved->state);
      EXPECT_TRUE(restored.ok()) << restored;
    }
    EXPECT_TRUE(life->merger.done());
    EXPECT_EQ(life->merger.bytes_held(), 0);
    EXPECT_EQ(life->merger.bytes_spilled(), 0);
    EXPECT_TRUE(life->scratch.empty());
    return life->sink.hash.Finish();
  }

  void Add(Life& life, int64_t tile) {
    const bool hole = tile == hole_;
    const absl::Status added = hole
                                   ? life.merger.AddHole({tile})
                                   : life.merger.AddTile({tile}, tiles_[static_cast<size_t>(tile)]);
    ASSERT_TRUE(added.ok()) << added;
  }

  void UsePlan(const StagePlan& plan, int channels) {
    plan_ = plan;
    format_ = {plan.output(), channels, SampleType::kU8};
    tiles_ = DisagreeingTiles(plan_, format_);
    hole_ = plan_.tile_count() / 2;
    bytes_max_ = std::numeric_limits<int64_t>::max();
  }

  std::mt19937_64 random_;
  StagePlan plan_ = MakePlan({700, 700}, 160, 32);
  CanvasFormat format_;
  Tiles tiles_;
  int64_t hole_ = -1;
  int64_t bytes_max_ = 0;
  void (*damage_)(Saved&) = nullptr;
};

TEST_F(MergerStateTest, LeavesNoTraceInThePixels) {
  std::mt19937 random(11);
  const auto pick = [&random](int64_t from, int64_t to) {
    return from + static_cast<int64_t>(random() % static_cast<unsigned>(to - from + 1));
  };
  for (int round = 0; round < 30; ++round) {
    const int64_t tile = pick(60, 300);
    UsePlan(MakePlan({pick(1, 900), pick(1, 900)}, tile, 2 * pick(0, tile / 8), pick(1, 2)),
            static_cast<int>(pick(1, 3)));
    SCOPED_TRACE(absl::StrCat("round ", round, ": ", plan_.Canonical()));
    const uint64_t undisturbed = HashAfter(0, 1);
    for (int64_t bytes_max : {std::numeric_limits<int64_t>::max(), int64_t{0}}) {
      bytes_max_ = bytes_max;
      ASSERT_EQ(HashAfter(1, static_cast<uint64_t>(round)), undisturbed);
      ASSERT_EQ(HashAfter(5, static_cast<uint64_t>(round)), undisturbed);
    }
  }
}

TEST_F(MergerStateTest, ForgottenPixelsShow) {
  UsePlan(MakePlan({700, 700}, 160, 32), 3);
  const uint64_t undisturbed = HashAfter(0, 1);
  ASSERT_EQ(HashAfter(1, 2), undisturbed);
  int shown = 0;
  // The pixels of one strip that waits for its neighbours are gone.
  damage_ = [](Saved& saved) { saved.scratch.forgets = true; };
  for (uint64_t seed = 2; seed < 7; ++seed) shown += HashAfter(1, seed) != undisturbed;
  // A strip is not in the state at all: its neighbours are blended without it.
  damage_ = [](Saved& saved) {
    if (saved.state.tiles.empty()) return;
    saved.scratch.Drop(saved.state.tiles.back().slot);
    saved.state.tiles.pop_back();
  };
  for (uint64_t seed = 2; seed < 7; ++seed) shown += HashAfter(1, seed) != undisturbed;
  EXPECT_GE(shown, 8) << "of 10 runs";
}

TEST_F(MergerStateTest, IsWrittenOnceWhileItStaysTheSame) {
  UsePlan(MakePlan({2000, 700}, 160, 32), 3);
  Life life(plan_, format_, bytes_max_);
  for (int64_t tile = 0; tile < plan_.tile_count() / 2; ++tile) Add(life, tile);
  ASSERT_TRUE(life.merger.Save().ok());
  const int64_t first = life.scratch.puts;
  EXPECT_GT(first, 10);
  ASSERT_TRUE(life.merger.Save().ok());
  EXPECT_EQ(life.scratch.puts, first) << "nothing has changed";
  Add(life, plan_.tile_count() / 2);
  ASSERT_TRUE(life.merger.Save().ok());
  EXPECT_GT(life.scratch.puts, first);
  EXPECT_LT(life.scratch.puts, first + first / 2) << "only what a tile touches has changed";
}

TEST_F(MergerStateTest, OfAnotherPlanIsRefused) {
  UsePlan(MakePlan({700, 700}, 160, 32), 3);
  Life life(plan_, format_, bytes_max_);
  for (int64_t tile = 0; tile < 10; ++tile) Add(life, tile);
  const MergerState good = life.merger.Save().value();
  const auto restore = [this](const MergerState& state) {
    Life other(plan_, format_, bytes_max_);
    return other.merger.Restore(state).code();
  };
  ASSERT_EQ(restore(good), absl::StatusCode::kOk);
  ASSERT_FALSE(good.tiles.empty());
  ASSERT_FALSE(good.blocks.empty());
  std::vector<MergerState> bad(6, good);
  bad[0].settled.pop_back();
  bad[1].tiles[0].tile = plan_.tile_count() - 1;  // was never added
  bad[2].tiles[0].rect.x += 1000;
  bad[3].tiles[0].slot.bytes++;
  bad[4].blocks[0].index = 1'000'000;
  bad[5].tiles.push_back(bad[5].tiles[0]);
  for (size_t i = 0; i < bad.size(); ++i) {
    EXPECT_EQ(restore(bad[i]), absl::StatusCode::kInvalidArgument) << "the state number " << i;
  }
  UsePlan(MakePlan({701, 700}, 160, 32), 1);
  EXPECT_EQ(restore(good), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace tilewright
