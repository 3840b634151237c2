// Outputs of another size than the canvas: compared with what OpenCV makes of it, which knows
// nothing of ours.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <tiffio.h>

#include <cstring>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "absl/strings/str_cat.h"
#include "coordinator/image/output_file.h"
#include "tests/coordinator/image/image_testing.h"

namespace tilewright {
namespace {

using ::testing::ElementsAre;

OutputOptions Resampled(const std::string& path, const CanvasFormat& format, Size size) {
  OutputOptions options;
  options.path = path;
  options.format = format;
  options.resampled = size;
  options.export_program = ThisProgram();
  return options;
}

absl::Status RenderTo(const OutputOptions& options, const std::vector<std::byte>& samples) {
  auto output = OutputFile::Create(options);
  if (!output.ok()) return output.status();
  const absl::Status written = WriteBlocks(**output, options.format, samples, 3);
  return written.ok() ? (*output)->Publish() : written;
}

TEST(Resampled, LooksAsAnotherLibraryResamplesIt) {
  TempFolder folder;
  const CanvasFormat format = {{640, 480}, 3, SampleType::kU8};
  const std::vector<std::byte> smooth = SmoothSamples(format);
  const cv::Mat canvas = ToMat(format, smooth);
  for (const Size size : {Size{960, 720}, Size{214, 160}, Size{641, 480}}) {
    for (const char* name : {"a.png", "a.tif"}) {
      SCOPED_TRACE(absl::StrCat(ToString(size), " ", name));
      const absl::Status rendered = RenderTo(Resampled(folder.path(name), format, size), smooth);
      ASSERT_TRUE(rendered.ok()) << rendered;
      EXPECT_THAT(folder.List(), ElementsAre(name));
      const cv::Mat ours = cv::imread(folder.path(name), cv::IMREAD_UNCHANGED);
      const cv::Size wanted(static_cast<int>(size.width), static_cast<int>(size.height));
      ASSERT_EQ(ours.size(), wanted);
      cv::Mat theirs;
      cv::resize(canvas, theirs, wanted, 0, 0,
                 wanted.width < canvas.cols ? cv::INTER_AREA : cv::INTER_CUBIC);
      // Their filters differ at the border.
      const cv::Rect inside(8, 8, wanted.width - 16, wanted.height - 16);
      EXPECT_LE(cv::norm(ours(inside), theirs(inside), cv::NORM_INF), 6.0);
      // Half a pixel to the side would be seen: a picture that was not moved is nearer.
      cv::Mat moved;
      const cv::Mat half = (cv::Mat_<double>(2, 3) << 1, 0, 0.5, 0, 1, 0.5);
      cv::warpAffine(theirs, moved, half, wanted);
      EXPECT_LT(cv::norm(ours(inside), theirs(inside), cv::NORM_L2),
                cv::norm(ours(inside), moved(inside), cv::NORM_L2));
      ASSERT_EQ(unlink(folder.path(name).c_str()), 0);
    }
  }
}

TEST(Resampled, KeepsConstantsAndHidesWhatIsTransparent) {
  TempFolder folder;
  // Opaque grey to the left; to the right white that nobody sees.
  const CanvasFormat format = {{100, 60}, 4, SampleType::kU16};
  std::vector<std::byte> samples;
  for (int64_t y = 0; y < format.size.height; ++y) {
    for (int64_t x = 0; x < format.size.width; ++x) {
      const uint16_t value = x < 50 ? 20'000 : 65'535;
      const uint16_t pixel[] = {value, value, value, static_cast<uint16_t>(x < 50 ? 65'535 : 0)};
      const auto* bytes = reinterpret_cast<const std::byte*>(pixel);
      samples.insert(samples.end(), bytes, bytes + sizeof(pixel));
    }
  }
  const absl::Status rendered =
      RenderTo(Resampled(folder.path("a.png"), format, {151, 91}), samples);
  ASSERT_TRUE(rendered.ok()) << rendered;
  const cv::Mat ours = cv::imread(folder.path("a.png"), cv::IMREAD_UNCHANGED);
  ASSERT_EQ(ours.type(), CV_16UC4);
  for (int y = 0; y < ours.rows; ++y) {
    for (int x = 0; x < ours.cols; ++x) {
      const auto pixel = ours.at<cv::Vec<uint16_t, 4>>(y, x);
      if (pixel[3] < 1000) continue;
      // White would shine through at the edge if colours were mixed without regard to alpha.
      ASSERT_NEAR(pixel[0], 20'000, 40) << x << "," << y << " alpha " << pixel[3];
    }
  }
}

TEST(Resampled, IsATiffPackedAsAsked) {
  TempFolder folder;
  const CanvasFormat format = {{900, 700}, 3, SampleType::kU16};
  OutputOptions options = Resampled(folder.path("a.tif"), format, {1800, 1400});
  options.encoding.compression = Compression::kZstd;
  options.encoding.level = 3;
  options.encoding.tile_side = 256;
  options.metadata.orientation = 6;
  options.metadata.icc_profile = SrgbProfile();
  options.overviews = true;
  const absl::Status rendered = RenderTo(options, NoiseSamples(format, 7));
  ASSERT_TRUE(rendered.ok()) << rendered;
  TIFF* tiff = TIFFOpen(options.path.c_str(), "r");
  ASSERT_NE(tiff, nullptr);
  uint32_t width = 0, tile = 0;
  uint16_t compression = 0, orientation = 0, predictor = 0;
  TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &width);
  TIFFGetField(tiff, TIFFTAG_TILEWIDTH, &tile);
  TIFFGetField(tiff, TIFFTAG_COMPRESSION, &compression);
  TIFFGetField(tiff, TIFFTAG_ORIENTATION, &orientation);
  TIFFGetField(tiff, TIFFTAG_PREDICTOR, &predictor);
  EXPECT_EQ(width, 1800u);
  EXPECT_EQ(tile, 256u);
  EXPECT_EQ(compression, COMPRESSION_ZSTD);
  EXPECT_EQ(orientation, 6);
  EXPECT_EQ(predictor, PREDICTOR_HORIZONTAL);
  EXPECT_EQ(TIFFNumberOfDirectories(tiff), 4);  // 1800, 900, 450, 225
  TIFFClose(tiff);
  const auto reader = OpenOrFail(options.path);
  ASSERT_NE(reader, nullptr);
  EXPECT_TRUE(reader->info().metadata.icc_profile == options.metadata.icc_profile);
}

TEST(Resampled, IsHeldAgainstTheLimitsOfItsFormat) {
  TempFolder folder;
  const CanvasFormat format = {{9'000, 30}, 3, SampleType::kU8};
  // The canvas would fit a WebP, what is made of it does not; and the other way round.
  EXPECT_EQ(
      OutputFile::Create(Resampled(folder.path("a.webp"), format, {18'000, 60})).status().code(),
      absl::StatusCode::kInvalidArgument);
  const CanvasFormat wide = {{18'000, 60}, 3, SampleType::kU8};
  EXPECT_TRUE(OutputFile::Create(Resampled(folder.path("a.webp"), wide, {9'000, 30})).ok());
}

}  // namespace
}  // namespace tilewright
