// A giant picture under a mask that marks next to nothing: only what is marked is computed, and the
// memory is that of a small job. Every computed block is held against a rendering of its region
// without a mask, a thousand others against the source.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "tests/cluster/cluster.h"
#include "tests/cluster/giant_tiff.h"
#include "tests/cluster/picture.h"
#include "tests/cluster/with_cluster.h"

namespace tilewright {
namespace {

constexpr int64_t kWidth = TILEWRIGHT_SPARSE_WIDTH;
constexpr int64_t kHeight = TILEWRIGHT_SPARSE_HEIGHT;
constexpr int64_t kSide = kGiantTileSide;
constexpr int64_t kColumns = (kWidth + kSide - 1) / kSide;
constexpr int64_t kRows = (kHeight + kSide - 1) / kSide;
constexpr bool kLong = kWidth * kHeight > 10'000'000'000;
constexpr int kCopiedBlocks = 1000;
// In kB. The tables of a hundred gigapixels take tens of MB in each of a few handles.
constexpr int64_t kPeakMax = (kLong ? 400 : 150) << 10;

using Block = std::pair<int64_t, int64_t>;  // column, row

// The blocks of the mask that mark something: in corners, inside, and side by side.
const std::set<Block> kMarked = {
    {0, 0},  {kColumns - 1, kRows - 1}, {kColumns / 2, kRows / 2}, {14, 3},
    {15, 3}, {kColumns - 1, 7}};

// A block of the mask that marks something: a few pixels inside, and faintly one in a corner, which
// lies in the overlap of tiles.
std::string MarkedTile() {
  std::string samples(kSide * kSide, '\0');
  for (int64_t y = 200; y < 230; ++y) {
    for (int64_t x = 100; x < 164; ++x) {
      samples[static_cast<size_t>(y * kSide + x)] = static_cast<char>(255);
    }
  }
  samples[0] = 100;
  return samples;
}

// Its exit status.
int RunTiffinfo(const std::string& path) {
  Command command;
  command.argv = {"/usr/bin/tiffinfo", path};
  command.out_path = command.err_path = path + ".tiffinfo";
  const absl::StatusOr<std::unique_ptr<Process>> process = Process::Start(command);
  if (!process.ok()) return -1;
  return (*process)->Wait(absl::Minutes(5)).value_or(-1);
}

class SparseMaskTest : public WithCluster, public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(StartCluster({"w"}));
    ASSERT_TRUE(WriteGiantTiff(Path("in.tif"),
                               {kWidth, kHeight, 3, {source_}, [](auto, auto) { return 0; }})
                    .ok());
    const auto marks = [](uint32_t column, uint32_t row) -> size_t {
      return kMarked.contains({column, row}) ? 1 : 0;
    };
    ASSERT_TRUE(
        WriteGiantTiff(Path("mask.tif"),
                       {kWidth, kHeight, 1, {std::string(kSide * kSide, '\0'), mask_}, marks})
            .ok());
  }

  std::string Path(const std::string& name) const { return cluster_->Path(name); }

  CliResult Render(const std::string& output, const std::vector<std::string>& flags) {
    std::vector<std::string> arguments = {
        "render", "-i",  Path("in.tif"), "-o", Path(output), "-n",  "gaussian-blur",
        "-t",     "512", "--overlap",    "32", "--progress", "none"};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    return cluster_->Cli(arguments, absl::Minutes(kLong ? 60 : 5));
  }

  int SourceAt(int64_t x, int64_t y, int64_t channel) const {
    const int64_t at = (y % kSide * kSide + x % kSide) * 3 + channel;
    return static_cast<uint8_t>(source_[static_cast<size_t>(at)]);
  }
  int64_t MaskAt(int64_t x, int64_t y) const {
    if (!kMarked.contains({x / kSide, y / kSide})) return 0;
    return static_cast<uint8_t>(mask_[static_cast<size_t>(y % kSide * kSide + x % kSide)]);
  }

  // The block and those around it, as far as there are any.
  static PictureRect Around(const Block& block) {
    const int64_t left = std::max<int64_t>(block.first - 1, 0) * kSide;
    const int64_t top = std::max<int64_t>(block.second - 1, 0) * kSide;
    return {static_cast<int>(left), static_cast<int>(top),
            static_cast<int>(std::min((block.first + 2) * kSide, kWidth) - left),
            static_cast<int>(std::min((block.second + 2) * kSide, kHeight) - top)};
  }

  const std::string source_ = TexturedTile();
  const std::string mask_ = MarkedTile();
};

TEST_F(SparseMaskTest, ComputesWhatIsMarkedAndCopiesTheRest) {
  const CliResult done = Render("out.tif", {"--mask", Path("mask.tif")});
  ASSERT_EQ(done.exit_code, 0) << done.err;
  const int64_t peak = PeakMemory(cluster_->coordinator().pid());
  const auto bytes = static_cast<int64_t>(std::filesystem::file_size(Path("out.tif")));
  std::printf("%s\npeak %lld kB, output %lld bytes\n", done.out.c_str(),
              static_cast<long long>(peak), static_cast<long long>(bytes));
  EXPECT_LT(peak, kPeakMax);
  EXPECT_GT(peak, 0);
  EXPECT_GT(bytes, kLong ? int64_t{4} << 30 : 0) << "not what this test is for";
  EXPECT_NE(done.out.find(" skipped"), std::string::npos) << done.out;
  const std::string copied =
      absl::StrCat(kColumns * kRows - static_cast<int64_t>(kMarked.size()), " blocks of the input");
  EXPECT_NE(done.out.find(copied), std::string::npos) << done.out;
  EXPECT_EQ(RunTiffinfo(Path("out.tif")), 0);

  std::set<Block> near;
  for (const Block& block : kMarked) {
    const PictureRect rect = Around(block);
    for (int64_t y = rect.y / kSide; y * kSide < rect.y + rect.height; ++y) {
      for (int64_t x = rect.x / kSide; x * kSide < rect.x + rect.width; ++x) near.insert({x, y});
    }
    const CliResult region = Render(
        "region.tif", {"--overwrite", "--region",
                       absl::StrCat(rect.x, ",", rect.y, ",", rect.width, ",", rect.height)});
    ASSERT_EQ(region.exit_code, 0) << region.err;
    const absl::StatusOr<Picture> whole = ReadPicture(Path("region.tif"));
    ASSERT_TRUE(whole.ok()) << whole.status();
    const absl::StatusOr<Picture> got = ReadPictureRect(Path("out.tif"), rect);
    ASSERT_TRUE(got.ok()) << got.status();
    ASSERT_EQ(got->samples.size(), whole->samples.size());
    int64_t wrong = 0, changed = 0;
    for (size_t i = 0; i < got->samples.size(); ++i) {
      const int64_t x = rect.x + static_cast<int64_t>(i) / 3 % rect.width;
      const int64_t y = rect.y + static_cast<int64_t>(i) / 3 / rect.width;
      const int64_t m = MaskAt(x, y);
      const int64_t source = SourceAt(x, y, static_cast<int64_t>(i) % 3);
      const int64_t mixed =
          (source * (255 - m) + std::to_integer<int64_t>(whole->samples[i]) * m + 127) / 255;
      wrong += std::to_integer<int64_t>(got->samples[i]) != mixed;
      changed += mixed != source;
    }
    EXPECT_EQ(wrong, 0) << "around block " << block.first << ", " << block.second;
    EXPECT_GT(changed, 500) << "the mask shows nothing";
  }

  std::mt19937_64 random(1);
  for (int i = 0; i < kCopiedBlocks;) {
    const Block block = {static_cast<int64_t>(random() % kColumns),
                         static_cast<int64_t>(random() % kRows)};
    if (near.contains(block)) continue;
    ++i;
    const PictureRect rect = {static_cast<int>(block.first * kSide),
                              static_cast<int>(block.second * kSide), kSide, kSide};
    const absl::StatusOr<Picture> got = ReadPictureRect(Path("out.tif"), rect);
    ASSERT_TRUE(got.ok()) << got.status();
    ASSERT_EQ(got->samples.size(), source_.size());
    ASSERT_EQ(std::memcmp(got->samples.data(), source_.data(), source_.size()), 0)
        << "block " << block.first << ", " << block.second;
  }
}

}  // namespace
}  // namespace tilewright
