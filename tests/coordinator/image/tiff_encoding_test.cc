// How the pixels of a TIFF are packed: codecs, levels, sides of tiles, and threads that do it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <tiffio.h>

#include <filesystem>
#include <opencv2/core.hpp>

#include "absl/strings/str_cat.h"
#include "coordinator/image/encoder_pool.h"
#include "coordinator/image/file_hash.h"
#include "coordinator/image/output_file.h"
#include "tests/coordinator/image/image_testing.h"

namespace tilewright {
namespace {

constexpr CanvasFormat kOdd = {{1100, 700}, 3, SampleType::kU8};

class TiffEncodingTest : public ::testing::Test {
 protected:
  // Renders with threads; the pixel hash that the output tells.
  uint64_t Render(const CanvasFormat& format, const TiffEncoding& encoding,
                  const std::vector<std::byte>& samples) {
    OutputOptions options;
    options.path = path_;
    options.format = format;
    options.encoding = encoding;
    options.overwrite = true;
    options.encoders = &pool_;
    auto output = OutputFile::Create(options);
    EXPECT_TRUE(output.ok()) << output.status();
    if (!output.ok()) return 0;
    const absl::Status written = WriteBlocks(**output, format, samples, 3);
    EXPECT_TRUE(written.ok()) << written;
    const absl::Status published = (*output)->Publish();
    EXPECT_TRUE(published.ok()) << published;
    return published.ok() ? (*output)->pixel_hash() : 0;
  }
  uintmax_t FileBytes() const { return std::filesystem::file_size(path_); }

  TempFolder folder_;
  const std::string path_ = folder_.path("a.tif");
  EncoderPool pool_{3, 2 << 20};  // room for two blocks
};

TEST_F(TiffEncodingTest, KeepsPixelsInTilesOfEverySideWithEveryCodec) {
  for (SampleType sample : {SampleType::kU8, SampleType::kU16}) {
    CanvasFormat format = kOdd;
    format.sample = sample;
    const std::vector<std::byte> samples = NoiseSamples(format, 5);
    for (Compression compression :
         {Compression::kNone, Compression::kDeflate, Compression::kZstd, Compression::kLzw}) {
      for (int64_t side : {128, 256, 512}) {
        TiffEncoding encoding;
        encoding.compression = compression;
        encoding.tile_side = side;
        SCOPED_TRACE(absl::StrCat(Describe(encoding), " side ", side));
        const uint64_t hash = Render(format, encoding, samples);
        const TiffImage image = ReadByLibtiff(path_);
        EXPECT_EQ(image.tile_side, side);
        EXPECT_TRUE(image.samples == samples) << "read by libtiff";
        EXPECT_TRUE(ReadAll(*OpenOrFail(path_)) == samples) << "read by libvips";
        EXPECT_EQ(hash, PixelHashOfFile(path_).value());
      }
    }
  }
}

TEST_F(TiffEncodingTest, GivesTheSamePixelHashWhateverTheEncoding) {
  const std::vector<std::byte> samples = NoiseSamples(kOdd, 5);
  const uint64_t hash = Render(kOdd, {}, samples);
  EXPECT_EQ(Render(kOdd, {Compression::kNone, 1, 95, 128}, samples), hash);
  std::vector<std::byte> other = samples;
  other.back() ^= std::byte{1};
  EXPECT_NE(Render(kOdd, {}, other), hash);
}

TEST_F(TiffEncodingTest, TakesFewerBytesAtAHigherLevel) {
  const std::vector<std::byte> samples = SmoothSamples(kOdd);
  for (Compression compression : {Compression::kDeflate, Compression::kZstd}) {
    Render(kOdd, {compression, 1, 95, 512}, samples);
    const uintmax_t fast = FileBytes();
    Render(kOdd, {compression, 9, 95, 512}, samples);
    EXPECT_LT(FileBytes(), fast);
    EXPECT_TRUE(ReadByLibtiff(path_).samples == samples);
  }
}

TEST_F(TiffEncodingTest, HoldsJpegThatOthersRead) {
  for (int channels : {1, 3}) {
    for (int64_t side : {128, 512}) {
      uintmax_t bytes_before = 0;
      for (int quality : {60, 95}) {
        SCOPED_TRACE(absl::StrCat(channels, " channels, side ", side, ", quality ", quality));
        const CanvasFormat format = {{1100, 700}, channels, SampleType::kU8};
        const std::vector<std::byte> samples = SmoothSamples(format);
        Render(format, {Compression::kJpeg, 1, quality, side}, samples);
        const cv::Mat wanted = ToMat(format, samples);
        const TiffImage by_libtiff = ReadByLibtiff(path_);
        ASSERT_EQ(by_libtiff.samples.size(), samples.size());
        const double most = quality == 95 ? 6.0 : 20.0;
        EXPECT_LE(cv::norm(ToMat(format, by_libtiff.samples), wanted, cv::NORM_INF), most);
        const std::vector<std::byte> by_vips = ReadAll(*OpenOrFail(path_));
        ASSERT_EQ(by_vips.size(), samples.size());
        EXPECT_LE(cv::norm(ToMat(format, by_vips), wanted, cv::NORM_INF), most);
        EXPECT_GT(FileBytes(), bytes_before);
        bytes_before = FileBytes();
      }
    }
  }
}

TEST(CheckEncoding, KnowsWhatCanBeWritten) {
  const auto text = [](const TiffEncoding& encoding, const CanvasFormat& format) {
    return std::string(CheckEncoding(encoding, format).message());
  };
  EXPECT_EQ(text({}, kOdd), "");
  EXPECT_EQ(text({Compression::kDeflate, 12, 95, 128}, kOdd), "");
  EXPECT_EQ(text({Compression::kZstd, 19, 95, 256}, kOdd), "");
  const std::string levels = " is out of range; give deflate 1 to 12, zstd 1 to 19";
  EXPECT_EQ(text({Compression::kDeflate, 13, 95, 512}, kOdd), "compression level 13" + levels);
  EXPECT_EQ(text({Compression::kZstd, 20, 95, 512}, kOdd), "compression level 20" + levels);
  EXPECT_EQ(text({Compression::kZstd, 0, 95, 512}, kOdd), "compression level 0" + levels);
  EXPECT_EQ(text({Compression::kNone, 1, 101, 512}, kOdd),
            "JPEG quality 101 is out of range; give 1 to 100");
  EXPECT_EQ(text({Compression::kNone, 1, 95, 384}, kOdd),
            "TIFF tiles of 384 pixels cannot be written; give 128, 256 or 512");
  EXPECT_EQ(text({Compression::kJpeg, 1, 95, 512}, {{10, 10}, 4, SampleType::kU8}),
            "JPEG compression holds 8 bit grey or RGB, and the output has 4 channels of u8; choose "
            "none, deflate, zstd or lzw");
  EXPECT_EQ(text({Compression::kJpeg, 1, 95, 512}, {{10, 10}, 3, SampleType::kU16}),
            "JPEG compression holds 8 bit grey or RGB, and the output has 3 channels of u16; "
            "choose none, deflate, zstd or lzw");
}

}  // namespace
}  // namespace tilewright
