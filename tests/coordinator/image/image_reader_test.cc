#include "coordinator/image/image_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <libdeflate.h>
#include <vips/vips.h>

#include <cstdio>
#include <cstring>
#include <opencv2/imgcodecs.hpp>

#include "absl/strings/str_cat.h"
#include "coordinator/image/file_hash.h"
#include "coordinator/merge/pixel_hash.h"
#include "tests/coordinator/image/image_testing.h"

namespace tilewright {
namespace {

using ::testing::HasSubstr;

TEST(ImageReader, GivesThePixelsThatOtherToolsWrote) {
  TempFolder folder;
  struct Case {
    const char* name;
    int channels;
    SampleType sample;
    const char* format;
  };
  constexpr Case kCases[] = {
      {"a.png", 1, SampleType::kU8, "png"},   {"b.png", 3, SampleType::kU8, "png"},
      {"c.png", 4, SampleType::kU8, "png"},   {"d.png", 1, SampleType::kU16, "png"},
      {"e.png", 3, SampleType::kU16, "png"},  {"f.png", 4, SampleType::kU16, "png"},
      {"g.tif", 1, SampleType::kU8, "tiff"},  {"h.tif", 3, SampleType::kU16, "tiff"},
      {"i.tif", 3, SampleType::kF32, "tiff"}, {"j.tif", 4, SampleType::kU8, "tiff"}};
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.name);
    const CanvasFormat format = {{83, 41}, c.channels, c.sample};
    const std::vector<std::byte> samples = NoiseSamples(format, 5);
    WriteByOpenCv(folder.path(c.name), format, samples);
    const auto reader = OpenOrFail(folder.path(c.name));
    ASSERT_NE(reader, nullptr);
    EXPECT_EQ(reader->info().size, format.size);
    EXPECT_EQ(reader->info().channels, c.channels);
    EXPECT_EQ(reader->info().has_alpha, c.channels == 4);
    EXPECT_EQ(reader->info().sample, c.sample);
    EXPECT_EQ(reader->info().format, c.format);
    EXPECT_TRUE(ReadAll(*reader) == samples);
  }
}

TEST(ImageReader, ReadsGreyWithAlpha) {
  TempFolder folder;
  for (SampleType sample : {SampleType::kU8, SampleType::kU16}) {
    const CanvasFormat format = {{20, 31}, 2, sample};
    const std::vector<std::byte> samples = NoiseSamples(format, 5);
    WriteByVips(folder.path("a.png"), format, samples);
    const auto reader = OpenOrFail(folder.path("a.png"));
    ASSERT_NE(reader, nullptr);
    EXPECT_EQ(reader->info().channels, 2);
    EXPECT_TRUE(reader->info().has_alpha);
    EXPECT_TRUE(ReadAll(*reader) == samples);
  }
}

TEST(ImageReader, TakesTheTypeFromTheContainerAndNotFromTheValues) {
  TempFolder folder;
  const CanvasFormat format = {{8, 8}, 1, SampleType::kU16};
  WriteByOpenCv(folder.path("dark.png"), format, std::vector<std::byte>(128, std::byte{0}));
  EXPECT_EQ(OpenOrFail(folder.path("dark.png"))->info().sample, SampleType::kU16);
}

TEST(ImageReader, DecodesJpegAsOpenCvDoes) {
  TempFolder folder;
  const CanvasFormat format = {{301, 203}, 3, SampleType::kU8};
  WriteByOpenCv(folder.path("a.jpg"), format, SmoothSamples(format));
  const auto reader = OpenOrFail(folder.path("a.jpg"));
  ASSERT_NE(reader, nullptr);
  const std::vector<std::byte> samples = ReadAll(*reader);
  const cv::Mat theirs = cv::imread(folder.path("a.jpg"), cv::IMREAD_UNCHANGED);
  EXPECT_LE(cv::norm(ToMat(format, samples), theirs, cv::NORM_INF), 2.0);
}

// A PNG of 2 x 1 pixels with a palette, byte by byte.
std::string PalettePng() {
  const auto chunk = [](const std::string& type, const std::string& data) {
    const auto big = [](uint32_t v) {
      return std::string{static_cast<char>(v >> 24), static_cast<char>(v >> 16),
                         static_cast<char>(v >> 8), static_cast<char>(v)};
    };
    const std::string body = type + data;
    return big(static_cast<uint32_t>(data.size())) + body +
           big(libdeflate_crc32(0, body.data(), body.size()));
  };
  const std::string row = {0, 1, 0};  // no filter, colour 1, colour 0
  std::string packed(64, '\0');
  libdeflate_compressor* compressor = libdeflate_alloc_compressor(1);
  packed.resize(
      libdeflate_zlib_compress(compressor, row.data(), row.size(), packed.data(), packed.size()));
  libdeflate_free_compressor(compressor);
  const std::string header = {0, 0, 0, 2, 0, 0, 0, 1, 8, 3, 0, 0, 0};
  const std::string palette = {10, 20, 30, 40, 50, 60};
  return std::string("\x89PNG\r\n\x1a\n", 8) + chunk("IHDR", header) + chunk("PLTE", palette) +
         chunk("IDAT", packed) + chunk("IEND", "");
}

TEST(ImageReader, ExpandsAPalette) {
  TempFolder folder;
  WriteFile(folder.path("a.png"), PalettePng());
  const auto reader = OpenOrFail(folder.path("a.png"));
  ASSERT_NE(reader, nullptr);
  EXPECT_EQ(reader->info().channels, 3);
  const std::vector<std::byte> expected = {std::byte{40}, std::byte{50}, std::byte{60},
                                           std::byte{10}, std::byte{20}, std::byte{30}};
  EXPECT_TRUE(ReadAll(*reader) == expected);
}

TEST(ImageReader, PadsBeyondTheRightAndBottomBorder) {
  TempFolder folder;
  for (Size size : {Size{5, 4}, Size{1, 7}, Size{6, 1}, Size{1, 1}}) {
    const CanvasFormat format = {size, 3, SampleType::kU16};
    const std::vector<std::byte> samples = NoiseSamples(format, 5);
    const std::string path = folder.path("a.png");
    WriteByOpenCv(path, format, samples);
    const auto reader = OpenOrFail(path);
    ASSERT_NE(reader, nullptr);
    for (PadMode pad : {PadMode::kReflect, PadMode::kReplicate, PadMode::kZero}) {
      for (Rect rect : {Rect{0, 0, 23, 19}, Rect{size.width - 1, size.height - 1, 9, 11},
                        Rect{0, 0, size.width, size.height}, Rect{size.width / 2, 0, 1, 30}}) {
        SCOPED_TRACE(absl::StrCat(ToString(size), " ", ToString(rect)));
        std::vector<std::byte> read(static_cast<size_t>(rect.area() * format.pixel_bytes()),
                                    std::byte{0xAA});
        ASSERT_TRUE(reader->Read(rect, pad, absl::MakeSpan(read)).ok());
        std::vector<std::byte> expected;
        for (int64_t y = rect.y; y < rect.bottom(); ++y) {
          for (int64_t x = rect.x; x < rect.right(); ++x) {
            const int64_t from_x = PadSource(x, size.width, pad);
            const int64_t from_y = PadSource(y, size.height, pad);
            for (int64_t b = 0; b < format.pixel_bytes(); ++b) {
              expected.push_back(
                  from_x < 0 || from_y < 0
                      ? std::byte{0}
                      : samples[static_cast<size_t>(
                            (from_y * size.width + from_x) * format.pixel_bytes() + b)]);
            }
          }
        }
        EXPECT_TRUE(read == expected);
      }
    }
  }
}

TEST(ImageReader, RefusesRectanglesThatDoNotStartInsideAndWrongBuffers) {
  TempFolder folder;
  const CanvasFormat format = {{5, 4}, 1, SampleType::kU8};
  WriteByOpenCv(folder.path("a.png"), format, NoiseSamples(format, 5));
  const auto reader = OpenOrFail(folder.path("a.png"));
  ASSERT_NE(reader, nullptr);
  std::vector<std::byte> four(4);
  for (Rect rect : {Rect{-1, 0, 2, 2}, Rect{0, -1, 2, 2}, Rect{5, 0, 2, 2}, Rect{0, 4, 2, 2},
                    Rect{0, 0, 0, 4}, Rect{0, 0, 3, 2}}) {
    EXPECT_EQ(reader->Read(rect, PadMode::kZero, absl::MakeSpan(four)).code(),
              absl::StatusCode::kInvalidArgument)
        << ToString(rect);
  }
}

TEST(ImageReader, TakesBracketsInAFileNameAsTheyAre) {
  TempFolder folder;
  const CanvasFormat format = {{5, 4}, 1, SampleType::kU8};
  WriteByOpenCv(folder.path("a.png"), format, NoiseSamples(format, 5));
  ASSERT_EQ(std::rename(folder.path("a.png").c_str(), folder.path("photo[2].png").c_str()), 0);
  EXPECT_NE(OpenOrFail(folder.path("photo[2].png")), nullptr);
  EXPECT_EQ(ImageReader::Open(folder.path("a.png[page=0]"), {}).status().code(),
            absl::StatusCode::kNotFound);
}

TEST(ImageReader, CarriesProfileResolutionAndOrientationAndDoesNotTurnThePixels) {
  TempFolder folder;
  const CanvasFormat format = {{40, 20}, 3, SampleType::kU8};
  const std::vector<std::byte> samples = NoiseSamples(format, 5);
  const std::vector<std::byte> profile = SrgbProfile();
  for (const char* name : {"a.tif", "a.png", "a.jpg"}) {
    SCOPED_TRACE(name);
    VipsImage* image = vips_image_new_from_memory_copy(samples.data(), samples.size(), 40, 20, 3,
                                                       VIPS_FORMAT_UCHAR);
    image->Type = VIPS_INTERPRETATION_sRGB;
    image->Xres = 300 / 25.4;
    image->Yres = 150 / 25.4;
    vips_image_set_int(image, VIPS_META_ORIENTATION, 6);
    vips_image_set_blob_copy(image, VIPS_META_ICC_NAME, profile.data(), profile.size());
    ASSERT_EQ(vips_image_write_to_file(image, folder.path(name).c_str(), nullptr), 0);
    g_object_unref(image);

    const auto reader = OpenOrFail(folder.path(name));
    ASSERT_NE(reader, nullptr);
    EXPECT_EQ(reader->info().size, (Size{40, 20}));
    EXPECT_TRUE(reader->info().metadata.icc_profile == profile);
    EXPECT_NEAR(reader->info().metadata.x_pixels_per_mm, 300 / 25.4, 1e-3);
    EXPECT_NEAR(reader->info().metadata.y_pixels_per_mm, 150 / 25.4, 1e-3);
    // libvips 8.14 does not write the orientation of a PNG.
    if (std::string(name) != "a.png") {
      EXPECT_EQ(reader->info().metadata.orientation, 6);
    }
  }
}

TEST(ImageReader, LeavesUnsaidWhatTheFileDoesNotSay) {
  TempFolder folder;
  const CanvasFormat format = {{5, 4}, 1, SampleType::kU8};
  for (const char* name : {"a.png", "a.tif", "a.jpg", "a.webp"}) {
    SCOPED_TRACE(name);
    WriteByOpenCv(folder.path(name), format, NoiseSamples(format, 5));
    const auto reader = OpenOrFail(folder.path(name));
    ASSERT_NE(reader, nullptr);
    const ImageMetadata& metadata = reader->info().metadata;
    EXPECT_TRUE(metadata.icc_profile.empty());
    EXPECT_EQ(metadata.x_pixels_per_mm, 0);
    EXPECT_EQ(metadata.y_pixels_per_mm, 0);
    EXPECT_EQ(metadata.orientation, 1);
  }
}

TEST(ImageReader, RefusesChannelsThatAreNotGreyOrRgb) {
  TempFolder folder;
  const CanvasFormat many = {{8, 8}, 65, SampleType::kU8};
  WriteByVips(folder.path("many.tif"), many, NoiseSamples(many, 1));
  const absl::Status channels = ImageReader::Open(folder.path("many.tif"), {}).status();
  EXPECT_EQ(channels.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(channels.message(),
            absl::StrCat("opening ", folder.path("many.tif"),
                         ": it has 65 channels; 1 (grey), 2 (grey, alpha), 3 (RGB) and 4 (RGB, "
                         "alpha) can be read, and TIFF arrays of up to 64"));

  // Lab, made by libvips.
  const CanvasFormat format = {{8, 8}, 3, SampleType::kF32};
  const std::vector<std::byte> samples = NoiseSamples(format, 1);
  VipsImage* image =
      vips_image_new_from_memory_copy(samples.data(), samples.size(), 8, 8, 3, VIPS_FORMAT_FLOAT);
  image->Type = VIPS_INTERPRETATION_LAB;
  ASSERT_EQ(vips_image_write_to_file(image, folder.path("lab.tif").c_str(), nullptr), 0);
  g_object_unref(image);
  const absl::Status lab = ImageReader::Open(folder.path("lab.tif"), {}).status();
  EXPECT_EQ(lab.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(lab.message()),
              HasSubstr("its colours are 'lab'; convert it to RGB or grey first"));
}

TEST(ImageReader, ChecksLimitsOnTheHeader) {
  TempFolder folder;
  const CanvasFormat format = {{200, 100}, 3, SampleType::kU16};
  WriteByOpenCv(folder.path("a.png"), format, NoiseSamples(format, 5));
  // Only the header is left: a limit that needed pixels would see damage first.
  const std::string bytes = ReadFile(folder.path("a.png"));
  WriteFile(folder.path("a.png"), bytes.substr(0, 300));
  const auto status = [&](ImageLimits limits) {
    return ImageReader::Open(folder.path("a.png"), limits).status();
  };
  const absl::Status side = status({199, 1 << 30});
  EXPECT_EQ(side.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(side.message(), absl::StrCat("opening ", folder.path("a.png"),
                                         ": 200x100 pixels; the limit is 199 pixels a side"));
  const absl::Status decoded = status({200, 119'999});
  EXPECT_EQ(decoded.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(decoded.message(),
            absl::StrCat("opening ", folder.path("a.png"),
                         ": 200x100 pixels of 6 bytes; the limit is 119999 decoded bytes"));
  EXPECT_TRUE(status({200, 120'000}).ok()) << status({200, 120'000});
}

TEST(PixelHashOfFile, IsTheHashOfTheDecodedBlocksWhateverTheFormat) {
  TempFolder folder;
  const CanvasFormat format = {{1030, 700}, 3, SampleType::kU8};
  const std::vector<std::byte> samples = NoiseSamples(format, 5);
  WriteByOpenCv(folder.path("a.png"), format, samples);
  WriteByVips(folder.path("b.tif[tile,compression=lzw]"), format, samples);
  std::vector<std::byte> other = samples;
  other[other.size() / 2] ^= std::byte{1};
  WriteByOpenCv(folder.path("c.png"), format, other);

  PixelHash expected(format);
  for (int64_t row = 0; row < format.block_rows(); ++row) {
    for (int64_t column = 0; column < format.block_columns(); ++column) {
      const Rect rect = format.BlockRect(column, row);
      std::vector<std::byte> block;
      for (int64_t y = rect.y; y < rect.bottom(); ++y) {
        const auto* first = &samples[static_cast<size_t>((y * 1030 + rect.x) * 3)];
        block.insert(block.end(), first, first + rect.width * 3);
      }
      expected.AddBlock(column, row, block);
    }
  }
  EXPECT_EQ(PixelHashOfFile(folder.path("a.png")).value(), expected.Finish());
  EXPECT_EQ(PixelHashOfFile(folder.path("b.tif")).value(), expected.Finish());
  EXPECT_NE(PixelHashOfFile(folder.path("c.png")).value(), expected.Finish());
  EXPECT_EQ(PixelHashOfFile(folder.path("d.png")).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace tilewright
