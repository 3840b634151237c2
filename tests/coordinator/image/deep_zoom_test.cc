// Deep Zoom images: every tile of the full size lies where a viewer looks for it, with the pixels
// of the canvas.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <set>

#include "absl/strings/str_cat.h"
#include "coordinator/image/deep_zoom.h"
#include "coordinator/image/output_file.h"
#include "tests/coordinator/image/image_testing.h"

namespace tilewright {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// What a .dzi says that it is unless told otherwise: viewers compute places of tiles from it.
constexpr int kTileSide = 254;
constexpr int kTileOverlap = 1;

absl::Status RenderDeepZoom(const std::string& path, const CanvasFormat& format,
                            const std::vector<std::byte>& samples, bool overwrite = false) {
  OutputOptions options;
  options.path = path;
  options.format = format;
  options.overwrite = overwrite;
  options.export_program = ThisProgram();
  auto output = OutputFile::Create(options);
  if (!output.ok()) return output.status();
  const absl::Status written = WriteBlocks(**output, format, samples, 3);
  return written.ok() ? (*output)->Publish() : written;
}

// The greatest difference between the tiles of the full size below `level` and the canvas.
double WorstTile(const std::string& level, const std::string& extension, const cv::Mat& canvas) {
  double worst = 0;
  for (int row = 0; row * kTileSide < canvas.rows; ++row) {
    for (int column = 0; column * kTileSide < canvas.cols; ++column) {
      const std::string path = absl::StrCat(level, "/", column, "_", row, extension);
      const cv::Mat tile = cv::imread(path, cv::IMREAD_UNCHANGED);
      const cv::Rect place =
          cv::Rect(column * kTileSide - kTileOverlap, row * kTileSide - kTileOverlap,
                   kTileSide + 2 * kTileOverlap, kTileSide + 2 * kTileOverlap) &
          cv::Rect(0, 0, canvas.cols, canvas.rows);
      EXPECT_EQ(tile.size(), place.size()) << path;
      if (tile.size() != place.size()) return 1e9;
      worst = std::max(worst, cv::norm(tile, canvas(place), cv::NORM_INF));
    }
  }
  return worst;
}

TEST(DeepZoom, HoldsPhotographsAsJpegTilesAndAllElseAsPng) {
  TempFolder folder;
  const CanvasFormat photo = {{700, 515}, 3, SampleType::kU8};
  const std::vector<std::byte> smooth = SmoothSamples(photo);
  const absl::Status rendered = RenderDeepZoom(folder.path("a.dzi"), photo, smooth);
  ASSERT_TRUE(rendered.ok()) << rendered;
  EXPECT_THAT(folder.List(), ElementsAre("a.dzi", "a_files"));
  const std::string text = ReadFile(folder.path("a.dzi"));
  EXPECT_THAT(text, HasSubstr("Format=\"jpg\""));
  EXPECT_THAT(text, HasSubstr("Width=\"700\""));
  EXPECT_THAT(text, HasSubstr("Height=\"515\""));
  // 2^10 is the first power of two that holds 700.
  EXPECT_LE(WorstTile(folder.path("a_files/10"), ".jpg", ToMat(photo, smooth)), 12.0);

  for (const CanvasFormat& format : {CanvasFormat{{300, 260}, 4, SampleType::kU8},
                                     CanvasFormat{{300, 260}, 3, SampleType::kU16}}) {
    const std::vector<std::byte> noise = NoiseSamples(format, 4);
    const absl::Status exact = RenderDeepZoom(folder.path("b.dzi"), format, noise, true);
    ASSERT_TRUE(exact.ok()) << exact;
    EXPECT_EQ(WorstTile(folder.path("b_files/9"), ".png", ToMat(format, noise)), 0.0);
  }
}

TEST(DeepZoom, NeverMixesLabels) {
  TempFolder folder;
  CanvasFormat format = {{300, 260}, 1, SampleType::kU8};
  std::vector<std::byte> samples = NoiseSamples(format, 4);
  for (std::byte& sample : samples) sample = (sample & std::byte{1}) << 7;
  const auto values = [&](bool labels) {
    format.labels = labels;
    const absl::Status rendered = RenderDeepZoom(folder.path("a.dzi"), format, samples, true);
    EXPECT_TRUE(rendered.ok()) << rendered;
    // Half the size.
    const cv::Mat tile = cv::imread(
        absl::StrCat(folder.path("a_files/8/0_0"), labels ? ".png" : ".jpg"), cv::IMREAD_UNCHANGED);
    EXPECT_EQ(tile.size(), cv::Size(150, 130));
    return std::set<int>(tile.begin<uint8_t>(), tile.end<uint8_t>());
  };
  EXPECT_THAT(values(true), ElementsAre(0, 128));
  EXPECT_GT(values(false).size(), 2u) << "the control: levels of grey are averaged";
}

TEST(DeepZoom, IsReplacedOnlyWhenThatIsWanted) {
  TempFolder folder;
  const CanvasFormat format = {{300, 200}, 1, SampleType::kU16};
  const std::string path = folder.path("a.dzi");
  ASSERT_TRUE(RenderDeepZoom(path, format, NoiseSamples(format, 1)).ok());
  const std::vector<std::byte> second = NoiseSamples(format, 2);
  EXPECT_EQ(RenderDeepZoom(path, format, second).code(), absl::StatusCode::kAlreadyExists);
  // The folder alone is in the way too.
  ASSERT_EQ(unlink(path.c_str()), 0);
  EXPECT_EQ(RenderDeepZoom(path, format, second),
            absl::AlreadyExistsError(
                absl::StrCat("the tiles of ", path, " would lie in ", folder.path("a_files"),
                             ", which exists; use --overwrite to replace it")));
  const absl::Status replaced = RenderDeepZoom(path, format, second, /*overwrite=*/true);
  ASSERT_TRUE(replaced.ok()) << replaced;
  EXPECT_THAT(folder.List(), ElementsAre("a.dzi", "a_files"));
  EXPECT_EQ(WorstTile(folder.path("a_files/9"), ".png", ToMat(format, second)), 0.0);
}

TEST(DeepZoom, DoesNotReplaceAFileByItsTiles) {
  TempFolder folder;
  WriteFile(folder.path("a_files"), "somebody's");
  const CanvasFormat format = {{30, 20}, 1, SampleType::kU8};
  EXPECT_EQ(
      RenderDeepZoom(folder.path("a.dzi"), format, NoiseSamples(format, 1), /*overwrite=*/true)
          .code(),
      absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReadFile(folder.path("a_files")), "somebody's");
  EXPECT_THAT(folder.List(), ElementsAre("a_files"));
}

TEST(DeepZoom, LeavesNothingBehindWhenItsExportFails) {
  TempFolder tools, folder;
  WriteScript(tools.path("child"), "mkdir \"$3\"_files; echo x > \"$3\".dzi; exit 1");
  OutputOptions options;
  options.path = folder.path("a.dzi");
  options.format = {{30, 20}, 1, SampleType::kU8};
  options.export_program = tools.path("child");
  {
    auto output = OutputFile::Create(options);
    ASSERT_TRUE(output.ok()) << output.status();
    ASSERT_TRUE(WriteBlocks(**output, options.format, NoiseSamples(options.format, 1), 3).ok());
    EXPECT_EQ((*output)->Publish().code(), absl::StatusCode::kInternal);
  }
  EXPECT_TRUE(folder.List().empty());
}

TEST(DeepZoom, FitsOneArchive) {
  TempFolder folder;
  const CanvasFormat format = {{300, 260}, 3, SampleType::kU8};
  const absl::Status rendered = RenderDeepZoom(folder.path("a.szi"), format, SmoothSamples(format));
  ASSERT_TRUE(rendered.ok()) << rendered;
  EXPECT_THAT(folder.List(), ElementsAre("a.szi"));
  const std::string archive = ReadFile(folder.path("a.szi"));
  EXPECT_EQ(archive.substr(0, 2), "PK");
  EXPECT_THAT(archive, HasSubstr("image/image.dzi"));
  EXPECT_THAT(archive, HasSubstr("image/image_files/9/1_1.jpg"));
}

}  // namespace
}  // namespace tilewright
