// Masks and regions through real processes: what is not marked stays as it is, sample by sample,
// what is marked is what the whole rendering has there, and nothing else is computed.

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/cluster/cluster.h"
#include "tests/cluster/picture.h"
#include "tests/cluster/with_cluster.h"

namespace tilewright {
namespace {

constexpr int kWidth = 700;
constexpr int kHeight = 500;

int SampleAt(const Picture& picture, size_t i) {
  if (picture.bits == 8) return static_cast<int>(picture.samples[i]);
  uint16_t value;
  std::memcpy(&value, &picture.samples[2 * i], 2);
  return value;
}

class MaskTest : public WithCluster, public testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(StartCluster({"w"}));
    source_ = NoisePicture(kWidth, kHeight, 3, GetParam(), 1);
    ASSERT_TRUE(WritePicture(source_, cluster_->Path("in.png")).ok());
    mask_ = Picture{kWidth, kHeight, 1, 8, std::vector<std::byte>(kWidth * kHeight)};
  }

  void Mark(int x, int y, int width, int height, int value) {
    for (int row = y; row < y + height; ++row) {
      for (int column = x; column < x + width; ++column) {
        mask_.samples[static_cast<size_t>(row * kWidth + column)] = static_cast<std::byte>(value);
      }
    }
  }

  // Renders and reads the output.
  Picture Render(const std::string& name, const std::vector<std::string>& flags) {
    const std::string output = cluster_->Path(name + ".tif");
    std::vector<std::string> arguments = {
        "render",    "-i", cluster_->Path(input_), "-o",  output, "-n", "gaussian-blur", "-t", "96",
        "--overlap", "16", "--progress",           "none"};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    report_ = cluster_->Cli(arguments);
    EXPECT_EQ(report_.exit_code, 0) << report_.err;
    const absl::StatusOr<Picture> picture = ReadPicture(output);
    EXPECT_TRUE(picture.ok()) << picture.status();
    return picture.value_or(Picture());
  }
  Picture RenderMasked(const std::string& name, std::vector<std::string> flags = {}) {
    EXPECT_TRUE(WritePicture(mask_, cluster_->Path(name + "-mask.png")).ok());
    flags.insert(flags.end(), {"--mask", cluster_->Path(name + "-mask.png")});
    return Render(name, flags);
  }

  // Sample by sample: the source, the whole rendering, or what is between.
  void ExpectComposed(const Picture& got, const Picture& whole) {
    ASSERT_EQ(got.samples.size(), source_.samples.size());
    int wrong = 0;
    for (size_t i = 0; i < static_cast<size_t>(kWidth * kHeight * 3); ++i) {
      const int64_t m = static_cast<int64_t>(mask_.samples[i / 3]);
      const int64_t mixed = (SampleAt(source_, i) * (255 - m) + SampleAt(whole, i) * m + 127) / 255;
      wrong += SampleAt(got, i) != mixed;
    }
    EXPECT_EQ(wrong, 0);
  }

  // Of the last report.
  std::string PixelHash() const {
    const size_t at = report_.out.find("pixel hash");
    return at == std::string::npos ? "" : report_.out.substr(at, report_.out.find('\n', at) - at);
  }

  std::string input_ = "in.png";
  Picture source_;
  Picture mask_;
  CliResult report_;
};

TEST_P(MaskTest, TakesWhatIsMarkedAndKeepsTheRest) {
  const Picture whole = Render("whole", {});
  ASSERT_NE(Difference(whole, source_), "equal");
  Mark(80, 70, 1, 1, 255);      // in the corner of four tiles
  Mark(300, 200, 60, 40, 255);  // over several
  Mark(320, 210, 20, 20, 100);  // half of it
  Mark(699, 499, 1, 1, 1);      // the last pixel, faintly
  ExpectComposed(RenderMasked("masked"), whole);
  EXPECT_NE(report_.out.find(" skipped"), std::string::npos) << report_.out;
}

TEST_P(MaskTest, ThatIsEmptyComputesNothing) {
  const Picture got = RenderMasked("empty");
  EXPECT_EQ(Difference(got, source_), "equal");
  EXPECT_NE(report_.out.find(", 0 attempts"), std::string::npos) << report_.out;
}

TEST_P(MaskTest, OfSeveralStagesTakesWhatTheLastOneMakes) {
  const std::vector<std::string> then = {"--then", "gaussian-blur,tile=120,overlap=8", "--json"};
  const Picture whole = Render("whole", then);
  EXPECT_EQ(Difference(RenderMasked("empty", then), source_), "equal");
  EXPECT_NE(report_.out.find("\"attempts\":0,"), std::string::npos) << report_.out;
  Mark(112, 111, 3, 2, 255);    // where tiles of the last stage blend
  Mark(320, 210, 20, 20, 100);  // faintly
  ExpectComposed(RenderMasked("masked", then), whole);
  ASSERT_TRUE(report_.json.has_value());
  const auto& fields = report_.json->fields();
  const auto& plan = fields.at("plan").struct_value().fields();
  const double skipped = plan.at("skipped_tiles").number_value();
  EXPECT_GT(skipped, 20);
  EXPECT_EQ(fields.at("attempts").number_value(), fields.at("tiles").number_value() - skipped);
}

TEST_P(MaskTest, ThatMarksEverythingIsTheWholeRendering) {
  const Picture whole = Render("whole", {});
  Mark(0, 0, kWidth, kHeight, 255);
  EXPECT_EQ(Difference(RenderMasked("full"), whole), "equal");
  EXPECT_EQ(report_.out.find(" skipped"), std::string::npos) << report_.out;
}

TEST_P(MaskTest, AndARegionGiveTheRegionsPart) {
  const Picture whole = Render("whole", {});
  const Picture part = Render("part", {"--region", "100,90,333,222"});
  ASSERT_EQ(part.width, 333);
  ASSERT_EQ(part.height, 222);
  Mark(150, 100, 9, 9, 255);
  ASSERT_TRUE(WritePicture(mask_, cluster_->Path("mask.png")).ok());
  const Picture masked =
      Render("masked", {"--region", "100,90,333,222", "--mask", cluster_->Path("mask.png")});
  ASSERT_EQ(masked.samples.size(), part.samples.size());
  int wrong = 0;
  for (int y = 0; y < 222; ++y) {
    for (int x = 0; x < 333 * 3; ++x) {
      const auto here = static_cast<size_t>(y * 333 * 3 + x);
      const auto there = static_cast<size_t>((y + 90) * kWidth * 3 + 300 + x);
      wrong += SampleAt(part, here) != SampleAt(whole, there);
      const bool marked = mask_.samples[there / 3] != std::byte{0};
      wrong += SampleAt(masked, here) != SampleAt(marked ? whole : source_, there);
    }
  }
  EXPECT_EQ(wrong, 0);
}

TEST_P(MaskTest, TakesBlocksAsTheyAreStoredWhereTheOutputStoresThemAlike) {
  const std::string tiled =
      "[tile,tile-width=256,tile-height=256,predictor=horizontal,compression=";
  ASSERT_TRUE(WritePicture(source_, cluster_->Path("in.tif") + tiled + "zstd]").ok());
  input_ = "in.tif";
  Mark(20, 30, 40, 40, 255);  // in the first of two blocks
  ASSERT_TRUE(WritePicture(mask_, cluster_->Path("mask.png")).ok());
  const auto masked = [this](const std::string& name, std::vector<std::string> flags) {
    flags.insert(flags.end(), {"--mask", cluster_->Path("mask.png")});
    return Render(name, flags);
  };
  const Picture copied = masked("copied", {"--compression", "zstd", "--tiff-tile", "256"});
  EXPECT_NE(report_.out.find("1 block of the input as stored"), std::string::npos) << report_.out;
  const std::string hash = PixelHash();
  EXPECT_NE(hash, "");
  const Picture encoded = masked("encoded", {"--compression", "zstd", "--tiff-tile", "512"});
  EXPECT_EQ(report_.out.find("as stored"), std::string::npos) << report_.out;
  EXPECT_EQ(PixelHash(), hash);
  EXPECT_EQ(Difference(copied, encoded), "equal");
  EXPECT_NE(Difference(copied, source_), "equal");
  // A region whose blocks are no tiles of the input.
  masked("part", {"--compression", "zstd", "--tiff-tile", "256", "--region", "1,0,650,490"});
  EXPECT_EQ(report_.out.find("as stored"), std::string::npos) << report_.out;
}

TEST_P(MaskTest, KeepsBlocksOfJpegTilesBitByBit) {
  if (GetParam() != 8) GTEST_SKIP() << "JPEG tiles have 8 bits";
  ASSERT_TRUE(WritePicture(source_, cluster_->Path("in.tif[tile,tile-width=256,tile-height=256,"
                                                   "compression=jpeg,Q=80]"))
                  .ok());
  input_ = "in.tif";
  const absl::StatusOr<Picture> stored = ReadPicture(cluster_->Path("in.tif"));
  ASSERT_TRUE(stored.ok()) << stored.status();
  Mark(20, 30, 40, 40, 255);  // in the first of two blocks
  ASSERT_TRUE(WritePicture(mask_, cluster_->Path("mask.png")).ok());
  // Samples that differ from the input's in the block that nothing marks.
  const auto changed = [&](const std::string& name, std::vector<std::string> flags) {
    flags.insert(flags.end(), {"--mask", cluster_->Path("mask.png"), "--compression", "jpeg"});
    const Picture got = Render(name, flags);
    EXPECT_NE(Difference(got, *stored), "equal");
    int count = 0;
    for (int y = 0; y < kHeight; ++y) {
      for (int x = 512 * 3; x < kWidth * 3; ++x) {
        const auto i = static_cast<size_t>(y * kWidth * 3 + x);
        count += got.samples[i] == stored->samples[i] ? 0 : 1;
      }
    }
    return count;
  };
  EXPECT_EQ(changed("copied", {}), 0);
  EXPECT_NE(report_.out.find("1 block of the input as stored"), std::string::npos) << report_.out;
  EXPECT_GT(changed("encoded", {"--jpeg-quality", "60"}), 1000) << "the control: encoded again";
  EXPECT_NE(report_.err.find("only until it is compressed"), std::string::npos) << report_.err;
}

INSTANTIATE_TEST_SUITE_P(Bits, MaskTest, testing::Values(8, 16));

}  // namespace
}  // namespace tilewright
