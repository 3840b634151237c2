// Which tiles a masked job computes: held against a look at every pixel of every cell.

#include "coordinator/jobs/marked_tiles.h"

#include <vips/vips.h>

#include <filesystem>
#include <random>
#include <set>

#include "absl/strings/str_cat.h"
#include "coordinator/jobs/state_folder.h"
#include "coordinator/merge/cell_grid.h"
#include "gtest/gtest.h"

namespace tilewright {
namespace {

constexpr Size kSize = {500, 400};

class MarkedTilesTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { ASSERT_TRUE(StartImageLibrary("marked_tiles_test").ok()); }
  void SetUp() override {
    folder_ = absl::StrCat(testing::TempDir(), "/marked-", RandomId());
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  static StagePlan Plan(const std::optional<Rect>& region = std::nullopt) {
    PlanRequest request;
    request.image = kSize;
    request.tile = 96;
    request.halo = 4;
    request.overlap = 16;
    request.region = region;
    return StagePlan::Create(ModelGeometry(), request).value();
  }

  // The mask with these pixels marked, faintly.
  const Mask& Marking(const std::vector<std::pair<int64_t, int64_t>>& pixels) {
    std::vector<uint8_t> samples(static_cast<size_t>(kSize.area()));
    for (const auto& [x, y] : pixels) samples[static_cast<size_t>(y * kSize.width + x)] = 1;
    VipsImage* image = vips_image_new_from_memory_copy(
        samples.data(), samples.size(), static_cast<int>(kSize.width),
        static_cast<int>(kSize.height), 1, VIPS_FORMAT_UCHAR);
    const std::string path = absl::StrCat(folder_, "/mask", files_++, ".tif");
    EXPECT_EQ(vips_image_write_to_file(image, (path + "[tile]").c_str(), nullptr), 0);
    g_object_unref(image);
    reader_ = ImageReader::Open(path, {}).value();
    ImageInfo info;
    info.size = kSize;
    mask_ = Mask::Create(*reader_, info).value();
    return *mask_;
  }

  static std::set<int64_t> Of(const WantedTiles& wanted) {
    std::set<int64_t> tiles;
    for (int64_t i = 0; i < wanted.count(); ++i) tiles.insert(wanted.at(i).value);
    EXPECT_EQ(static_cast<int64_t>(tiles.size()), wanted.count());
    return tiles;
  }

  std::string folder_;
  int files_ = 0;
  std::unique_ptr<ImageReader> reader_;
  std::unique_ptr<Mask> mask_;
};

TEST_F(MarkedTilesTest, AreAllWithoutAMask) {
  const StagePlan plan = Plan();
  const WantedTiles all(plan);
  EXPECT_EQ(all.count(), plan.tile_count());
  EXPECT_EQ(all.skipped(), 0);
  EXPECT_EQ(all.at(3), TileIndex{3});
}

TEST_F(MarkedTilesTest, AreNoneUnderAnEmptyMask) {
  const StagePlan plan = Plan();
  const WantedTiles none = MarkedTiles(plan, &Marking({})).value();
  EXPECT_EQ(none.count(), 0);
  EXPECT_EQ(none.skipped(), plan.tile_count());
}

TEST_F(MarkedTilesTest, AreExactlyThoseThatACellWithAMarkedPixelNeeds) {
  const StagePlan plan = Plan();
  const CellAxis x(plan.x(), {0, kSize.width}, MergeKind::kBlend, plan.window());
  const CellAxis y(plan.y(), {0, kSize.height}, MergeKind::kBlend, plan.window());
  std::mt19937 random(5);
  std::vector<std::pair<int64_t, int64_t>> marks;
  // The corners of blend zones and their neighbours, where one pixel more or less decides.
  for (const AxisSpan& a : plan.x().spans()) {
    for (const AxisSpan& b : plan.y().spans()) {
      marks.push_back({a.output.begin, b.output.begin});
      marks.push_back({a.output.end - 1, b.output.end - 1});
    }
  }
  std::shuffle(marks.begin(), marks.end(), random);
  marks.resize(40);
  for (const auto& mark : marks) {
    SCOPED_TRACE(absl::StrCat(mark.first, ",", mark.second));
    std::set<int64_t> needed;
    for (int64_t tile = 0; tile < plan.tile_count(); ++tile) {
      const GridPlace place = plan.PlaceOf({tile});
      const Interval columns = x.CellsOfTile(place.column), rows = y.CellsOfTile(place.row);
      for (int64_t i = columns.begin; i < columns.end; ++i) {
        for (int64_t j = rows.begin; j < rows.end; ++j) {
          const Interval across = x.span(i).output, down = y.span(j).output;
          if (across.begin <= mark.first && mark.first < across.end && down.begin <= mark.second &&
              mark.second < down.end) {
            needed.insert(tile);
          }
        }
      }
    }
    ASSERT_GE(needed.size(), 1u);
    const WantedTiles wanted = MarkedTiles(plan, &Marking({mark})).value();
    EXPECT_EQ(Of(wanted), needed);
  }
}

TEST_F(MarkedTilesTest, OfAPixelInABlendZoneAreAllThatBlendThere) {
  const StagePlan plan = Plan();
  const AxisSpan across = plan.x().spans()[1], down = plan.y().spans()[1];
  ASSERT_TRUE(across.blended && down.blended);
  EXPECT_EQ(MarkedTiles(plan, &Marking({{across.output.begin, down.output.begin}}))->count(), 4);
}

TEST_F(MarkedTilesTest, OfARegionReachIt) {
  const StagePlan plan = Plan(Rect{100, 100, 20, 20});
  const WantedTiles wanted = MarkedTiles(plan, nullptr).value();
  EXPECT_GT(wanted.count(), 0);
  EXPECT_LE(wanted.count(), 4);
  for (int64_t i = 0; i < wanted.count(); ++i) {
    EXPECT_FALSE(plan.Contribution(wanted.at(i)).empty());
  }
  // A mask that marks nothing of the region leaves nothing to do.
  EXPECT_EQ(MarkedTiles(plan, &Marking({{400, 300}}))->count(), 0);
}

TEST_F(MarkedTilesTest, CannotBeChosenByAMaskThatWasChanged) {
  const StagePlan plan = Plan();
  const Mask& mask = Marking({{1, 1}});
  std::filesystem::remove(folder_ + "/mask0.tif");
  EXPECT_EQ(MarkedTiles(plan, &mask).status().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace tilewright
