#include "coordinator/image/output_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <tiffio.h>

#include "absl/strings/str_cat.h"
#include "tests/coordinator/image/image_testing.h"

namespace tilewright {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

OutputOptions TiffOptions(const std::string& path, const CanvasFormat& format) {
  OutputOptions options;
  options.path = path;
  options.format = format;
  return options;
}

void Render(const OutputOptions& options, const std::vector<std::byte>& samples) {
  auto output = OutputFile::Create(options);
  ASSERT_TRUE(output.ok()) << output.status();
  const absl::Status written = WriteBlocks(**output, options.format, samples, 3);
  ASSERT_TRUE(written.ok()) << written;
  const absl::Status published = (*output)->Publish();
  ASSERT_TRUE(published.ok()) << published;
}

TEST(OutputFile, HoldsEveryTypeAndChannelCountInEveryCompression) {
  TempFolder folder;
  for (SampleType sample :
       {SampleType::kU8, SampleType::kU16, SampleType::kF16, SampleType::kF32}) {
    for (int channels = 1; channels <= 4; ++channels) {
      for (Compression compression :
           {Compression::kNone, Compression::kDeflate, Compression::kZstd, Compression::kLzw}) {
        SCOPED_TRACE(absl::StrCat(SampleTypeName(sample), " x ", channels, " compression ",
                                  static_cast<int>(compression)));
        const CanvasFormat format = {{530, 25}, channels, sample};
        const std::vector<std::byte> samples = NoiseSamples(format, 9);
        OutputOptions options = TiffOptions(folder.path("a.tif"), format);
        options.encoding.compression = compression;
        options.overwrite = true;
        Render(options, samples);
        EXPECT_TRUE(ReadByLibtiff(options.path).samples == samples) << "read by libtiff";
        if (sample == SampleType::kF16) continue;  // libvips reads no such TIFF
        const auto reader = OpenOrFail(options.path);
        ASSERT_NE(reader, nullptr);
        EXPECT_EQ(reader->info().sample, sample);
        EXPECT_EQ(reader->info().channels, channels);
        EXPECT_TRUE(ReadAll(*reader) == samples) << "read by libvips";
      }
    }
  }
  EXPECT_THAT(folder.List(), ElementsAre("a.tif"));
}

TEST(OutputFile, HoldsSmallAndOddSizes) {
  TempFolder folder;
  for (Size size : {Size{1, 1}, Size{511, 1}, Size{1, 513}, Size{512, 512}, Size{1025, 1024}}) {
    SCOPED_TRACE(ToString(size));
    const CanvasFormat format = {size, 3, SampleType::kU8};
    const std::vector<std::byte> samples = NoiseSamples(format, 9);
    OutputOptions options = TiffOptions(folder.path("a.tif"), format);
    options.overwrite = true;
    Render(options, samples);
    EXPECT_TRUE(ReadByLibtiff(options.path).samples == samples);
    EXPECT_TRUE(ReadAll(*OpenOrFail(options.path)) == samples);
  }
}

TEST(OutputFile, IsATiledBigTiffThatSaysWhatItsChannelsAre) {
  TempFolder folder;
  for (int channels = 1; channels <= 4; ++channels) {
    const CanvasFormat format = {{20, 20}, channels, SampleType::kU16};
    OutputOptions options = TiffOptions(folder.path("a.tif"), format);
    options.overwrite = true;
    Render(options, NoiseSamples(format, 9));
    EXPECT_EQ(ReadFile(options.path).substr(0, 4), std::string("II+\0", 4));
    TIFF* tiff = TIFFOpen(options.path.c_str(), "r");
    ASSERT_NE(tiff, nullptr);
    uint32_t tile_width = 0;
    uint16_t photometric = 0, extra_count = 0;
    uint16_t* extra = nullptr;
    EXPECT_EQ(TIFFGetField(tiff, TIFFTAG_TILEWIDTH, &tile_width), 1);
    EXPECT_EQ(TIFFGetField(tiff, TIFFTAG_PHOTOMETRIC, &photometric), 1);
    EXPECT_EQ(TIFFGetFieldDefaulted(tiff, TIFFTAG_EXTRASAMPLES, &extra_count, &extra), 1);
    EXPECT_EQ(tile_width, 512u);
    EXPECT_EQ(photometric, channels >= 3 ? PHOTOMETRIC_RGB : PHOTOMETRIC_MINISBLACK);
    ASSERT_EQ(extra_count, channels % 2 == 0 ? 1 : 0);
    if (extra_count == 1) {
      EXPECT_EQ(extra[0], EXTRASAMPLE_UNASSALPHA);
    }
    TIFFClose(tiff);
  }
}

TEST(OutputFile, KeepsProfileResolutionAndOrientation) {
  TempFolder folder;
  const CanvasFormat format = {{30, 20}, 3, SampleType::kU8};
  for (double pixels_per_mm : {300 / 25.4, 11.811, 0.1, 0.0}) {
    OutputOptions options = TiffOptions(folder.path("a.tif"), format);
    options.overwrite = true;
    options.metadata.icc_profile = SrgbProfile();
    options.metadata.xmp = std::vector<std::byte>(300, std::byte{'<'});
    options.metadata.x_pixels_per_mm = pixels_per_mm;
    options.metadata.y_pixels_per_mm = pixels_per_mm * 2;
    options.metadata.orientation = 6;
    Render(options, NoiseSamples(format, 9));
    const ImageMetadata metadata = OpenOrFail(options.path)->info().metadata;
    EXPECT_TRUE(metadata.icc_profile == options.metadata.icc_profile);
    EXPECT_TRUE(metadata.xmp == options.metadata.xmp);
    EXPECT_NEAR(metadata.x_pixels_per_mm, pixels_per_mm, 1e-6 * pixels_per_mm);
    EXPECT_NEAR(metadata.y_pixels_per_mm, pixels_per_mm * 2, 1e-6 * pixels_per_mm);
    EXPECT_EQ(metadata.orientation, 6);
  }
}

TEST(OutputFile, AppearsUnderItsNameOnlyWhenItIsComplete) {
  TempFolder folder;
  const CanvasFormat format = {{600, 20}, 1, SampleType::kU8};
  const OutputOptions options = TiffOptions(folder.path("a.tif"), format);
  auto output = OutputFile::Create(options);
  ASSERT_TRUE(output.ok()) << output.status();
  EXPECT_THAT(folder.List(), ElementsAre("a.tif.partial"));
  ASSERT_TRUE((*output)->WriteBlock(0, 0, std::vector<std::byte>(512 * 20)).ok());
  const absl::Status incomplete = (*output)->Publish();
  EXPECT_EQ(incomplete.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(incomplete.message(),
            absl::StrCat("publishing ", options.path, ": 1 of 2 blocks were never written"));
  EXPECT_THAT(folder.List(), ElementsAre("a.tif.partial"));
  ASSERT_TRUE((*output)->WriteBlock(1, 0, std::vector<std::byte>(88 * 20)).ok());
  ASSERT_TRUE((*output)->Publish().ok());
  EXPECT_THAT(folder.List(), ElementsAre("a.tif"));
}

TEST(OutputFile, LeavesNothingBehindWhenItIsNotPublished) {
  TempFolder folder;
  const CanvasFormat format = {{600, 20}, 1, SampleType::kU8};
  {
    auto output = OutputFile::Create(TiffOptions(folder.path("a.tif"), format));
    ASSERT_TRUE(output.ok()) << output.status();
    ASSERT_TRUE((*output)->WriteBlock(0, 0, std::vector<std::byte>(512 * 20)).ok());
  }
  EXPECT_THAT(folder.List(), IsEmpty());
}

TEST(OutputFile, RefusesBlocksThatDoNotBelongToIt) {
  TempFolder folder;
  const CanvasFormat format = {{600, 20}, 1, SampleType::kU8};
  auto output = OutputFile::Create(TiffOptions(folder.path("a.tif"), format));
  ASSERT_TRUE(output.ok()) << output.status();
  const std::vector<std::byte> block(88 * 20);
  EXPECT_EQ((*output)->WriteBlock(2, 0, block).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ((*output)->WriteBlock(1, -1, block).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ((*output)->WriteBlock(0, 0, block).code(), absl::StatusCode::kInvalidArgument);
  ASSERT_TRUE((*output)->WriteBlock(1, 0, block).ok());
  EXPECT_EQ((*output)->WriteBlock(1, 0, block).code(), absl::StatusCode::kFailedPrecondition);
}

TEST(ParseCompression, KnowsItsNames) {
  EXPECT_EQ(ParseCompression("none").value(), Compression::kNone);
  EXPECT_EQ(ParseCompression("deflate").value(), Compression::kDeflate);
  EXPECT_EQ(ParseCompression("zstd").value(), Compression::kZstd);
  EXPECT_EQ(ParseCompression("lzw").value(), Compression::kLzw);
  EXPECT_EQ(ParseCompression("jpeg").value(), Compression::kJpeg);
  EXPECT_EQ(ParseCompression("lzma").status(),
            absl::InvalidArgumentError(
                "unknown compression 'lzma'; choose none, deflate, zstd, lzw or jpeg"));
}

TEST(OutputKindOf, GoesByTheExtension) {
  EXPECT_EQ(OutputKindOf("/a/b.tif").value(), OutputKind::kTiff);
  EXPECT_EQ(OutputKindOf("/a/b.TIFF").value(), OutputKind::kTiff);
  EXPECT_EQ(OutputKindOf("/a/b.png").value(), OutputKind::kPng);
  EXPECT_EQ(OutputKindOf("/a/b.jpg").value(), OutputKind::kJpeg);
  EXPECT_EQ(OutputKindOf("/a/b.JPEG").value(), OutputKind::kJpeg);
  EXPECT_EQ(OutputKindOf("/a/b.webp").value(), OutputKind::kWebp);
  EXPECT_EQ(OutputKindOf("/a/b.npy").value(), OutputKind::kNpy);
  for (const char* path : {"/a/b", "/a/b.gif", "/a.png/b", "tif"}) {
    EXPECT_EQ(OutputKindOf(path).status(),
              absl::InvalidArgumentError(
                  absl::StrCat("output ", path,
                               ": its extension names no format that can be written; use "
                               ".tif, .tiff, .png, .jpg, .jpeg, .webp, .dzi, .szi or .npy")));
  }
}

TEST(CheckOutputFormat, KnowsWhatTheFormatsHold) {
  const auto code = [](OutputKind kind, Size size, int channels, SampleType sample) {
    return CheckOutputFormat(kind, {size, channels, sample}).code();
  };
  constexpr auto kGood = absl::StatusCode::kOk;
  constexpr auto kBad = absl::StatusCode::kInvalidArgument;
  EXPECT_EQ(code(OutputKind::kJpeg, {65'500, 65'500}, 3, SampleType::kU8), kGood);
  EXPECT_EQ(code(OutputKind::kJpeg, {65'501, 1}, 3, SampleType::kU8), kBad);
  EXPECT_EQ(code(OutputKind::kJpeg, {10, 10}, 4, SampleType::kU8), kBad);
  EXPECT_EQ(code(OutputKind::kJpeg, {10, 10}, 2, SampleType::kU8), kBad);
  EXPECT_EQ(code(OutputKind::kJpeg, {10, 10}, 1, SampleType::kU16), kBad);
  EXPECT_EQ(code(OutputKind::kWebp, {16'383, 1}, 4, SampleType::kU8), kGood);
  EXPECT_EQ(code(OutputKind::kWebp, {1, 16'384}, 4, SampleType::kU8), kBad);
  EXPECT_EQ(code(OutputKind::kWebp, {10, 10}, 3, SampleType::kU16), kBad);
  EXPECT_EQ(code(OutputKind::kPng, {1'000'000, 1}, 4, SampleType::kU16), kGood);
  EXPECT_EQ(code(OutputKind::kPng, {1'000'001, 1}, 1, SampleType::kU8), kBad);
  EXPECT_EQ(code(OutputKind::kPng, {10, 10}, 3, SampleType::kF32), kBad);
  EXPECT_EQ(code(OutputKind::kTiff, {1'000'001, 1}, 4, SampleType::kF32), kGood);
  EXPECT_EQ(code(OutputKind::kTiff, {0, 10}, 3, SampleType::kU8), kBad);
  EXPECT_EQ(code(OutputKind::kTiff, {10, 10}, 5, SampleType::kU8), kBad);
  EXPECT_EQ(code(OutputKind::kNpy, {1'000'001, 1}, 4, SampleType::kF32), kGood);
  EXPECT_EQ(code(OutputKind::kNpy, {10, 10}, 3, SampleType::kF16), kBad);
  EXPECT_EQ(CheckOutputFormat(OutputKind::kJpeg, {{70'000, 10}, 3, SampleType::kU8}).message(),
            "JPEG cannot hold the output's 70000x10 pixels, only 65500 a side; write .tif");
}

}  // namespace
}  // namespace tilewright
