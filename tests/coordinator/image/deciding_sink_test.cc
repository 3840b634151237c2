#include "coordinator/image/deciding_sink.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <memory>

#include "coordinator/merge/tile_merger.h"
#include "tests/coordinator/merge/merge_testing.h"

namespace tilewright {
namespace {

std::vector<int> Decide(const std::vector<float>& logits, int channels) {
  std::vector<std::byte> labels(logits.size() / static_cast<size_t>(channels));
  DecideGreatest({reinterpret_cast<const std::byte*>(logits.data()), logits.size() * sizeof(float)},
                 channels, absl::MakeSpan(labels));
  std::vector<int> numbers;
  for (std::byte label : labels) numbers.push_back(std::to_integer<int>(label));
  return numbers;
}

using Labels = std::vector<int>;

TEST(DecideGreatest, TakesTheFirstOfEqualOnes) {
  EXPECT_EQ(Decide({1, 3, 2, -5, -7, -5, 4, 4, 4}, 3), (Labels{1, 0, 0}));
  std::vector<float> many(kChannelsMax, -1);
  many.back() = 0;
  EXPECT_EQ(Decide(many, kChannelsMax), (Labels{kChannelsMax - 1}));
}

TEST(DecideGreatest, NeverTakesWhatIsNotANumber) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(Decide({nan, -2, -1, nan, nan, nan}, 3), (Labels{2, 0}));
}

// Each tile has logits of its own, so neighbours differ where they overlap.
class DecidedTilesTest : public ::testing::Test {
 protected:
  // What a merge of `tiles` writes, by way of `sink`.
  void Merge(const CanvasFormat& format, MergeKind kind, const Tiles& tiles, BlockSink& sink) {
    TileMerger merger(plan_, format, kind, sink);
    for (int64_t tile = 0; tile < plan_.tile_count(); ++tile) {
      const absl::Status added = merger.AddTile({tile}, tiles[static_cast<size_t>(tile)]);
      ASSERT_TRUE(added.ok()) << added;
    }
    EXPECT_TRUE(merger.done());
  }

  const StagePlan plan_ = MakePlan({700, 560}, 300, 40);
  const CanvasFormat logits_ = {plan_.output(), 5, SampleType::kF32, /*array=*/true};
  const Tiles tiles_ = DisagreeingTiles(plan_, logits_);
};

TEST_F(DecidedTilesTest, AreBlendedBeforeTheyAreDecided) {
  ImageSink labels(DecidedFormat(logits_));
  DecidingSink deciding(logits_, labels);
  ASSERT_NO_FATAL_FAILURE(Merge(logits_, MergeKind::kBlend, tiles_, deciding));

  ImageSink blended(logits_);
  ASSERT_NO_FATAL_FAILURE(Merge(logits_, MergeKind::kBlend, tiles_, blended));
  TestImage decided(DecidedFormat(logits_));
  DecideGreatest(blended.image.samples, logits_.channels, absl::MakeSpan(decided.samples));
  EXPECT_TRUE(labels.image.samples == decided.samples);

  // The control: labels that are decided tile by tile and cut differ, at the seams alone.
  Tiles own;
  for (const std::vector<std::byte>& tile : tiles_) {
    own.emplace_back(tile.size() / static_cast<size_t>(logits_.pixel_bytes()));
    DecideGreatest(tile, logits_.channels, absl::MakeSpan(own.back()));
  }
  ImageSink cut(DecidedFormat(logits_));
  ASSERT_NO_FATAL_FAILURE(Merge(DecidedFormat(logits_), MergeKind::kCut, own, cut));
  int64_t differ = 0;
  for (size_t i = 0; i < decided.samples.size(); ++i) {
    differ += cut.image.samples[i] != decided.samples[i] ? 1 : 0;
  }
  EXPECT_GT(differ, 1000);
  EXPECT_LT(differ, plan_.output().area() / 4);
}

TEST_F(DecidedTilesTest, PassErrorsOfWhatTheyAreWrittenTo) {
  class Full : public BlockSink {
    absl::Status WriteBlock(int64_t, int64_t, absl::Span<const std::byte>) override {
      return absl::ResourceExhaustedError("no room");
    }
  } full;
  DecidingSink deciding(logits_, full);
  const std::vector<std::byte> block(512 * 512 * 5 * sizeof(float));
  EXPECT_EQ(deciding.WriteBlock(0, 0, block), absl::ResourceExhaustedError("no room"));
}

}  // namespace
}  // namespace tilewright
