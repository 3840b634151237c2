// Files that other tools made (tests/data/images): each gives the pixels, the type and the metadata
// that its maker put into it, or is refused with a sentence that says why.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "coordinator/image/image_reader.h"
#include "tests/coordinator/image/image_testing.h"

namespace tilewright {
namespace {

using ::testing::HasSubstr;

constexpr Size kSize = {40, 24};

struct FileCase {
  const char* name;
  int channels;
  SampleType sample;
  ImageAccess access;
};

class FormatFile : public ::testing::TestWithParam<FileCase> {};

TEST_P(FormatFile, GivesThePixelsThatItsMakerPutIntoIt) {
  const FileCase& file = GetParam();
  const auto reader = OpenOrFail(DataFile(file.name));
  ASSERT_NE(reader, nullptr);
  EXPECT_EQ(reader->info().size, kSize);
  EXPECT_EQ(reader->info().channels, file.channels);
  EXPECT_EQ(reader->info().has_alpha, file.channels == 2 || file.channels == 4);
  EXPECT_EQ(reader->info().sample, file.sample);
  EXPECT_EQ(reader->info().access, file.access);
  EXPECT_TRUE(ReadAll(*reader) == RampSamples({kSize, file.channels, file.sample}));
}

constexpr auto kU8 = SampleType::kU8;
constexpr auto kU16 = SampleType::kU16;
constexpr auto kF32 = SampleType::kF32;

INSTANTIATE_TEST_SUITE_P(
    Files, FormatFile,
    ::testing::Values(FileCase{"grey8.png", 1, kU8, ImageAccess::kTopDown},
                      FileCase{"grey_alpha8.png", 2, kU8, ImageAccess::kTopDown},
                      FileCase{"rgb8.png", 3, kU8, ImageAccess::kTopDown},
                      FileCase{"rgba8.png", 4, kU8, ImageAccess::kTopDown},
                      FileCase{"grey16.png", 1, kU16, ImageAccess::kTopDown},
                      FileCase{"rgb8.webp", 3, kU8, ImageAccess::kWhole},
                      FileCase{"rgb8_lzw.tif", 3, kU8, ImageAccess::kTopDown},
                      FileCase{"rgb8_planes.tif", 3, kU8, ImageAccess::kTopDown},
                      FileCase{"grey8_white_is_zero.tif", 1, kU8, ImageAccess::kTopDown},
                      FileCase{"rgb16.tif", 3, kU16, ImageAccess::kTopDown},
                      FileCase{"rgb16_big_endian.tif", 3, kU16, ImageAccess::kAnywhere},
                      FileCase{"rgba16_tiled.tif", 4, kU16, ImageAccess::kAnywhere},
                      FileCase{"rgb32f.tif", 3, kF32, ImageAccess::kTopDown},
                      FileCase{"rgb32f_tiled.tif", 3, kF32, ImageAccess::kAnywhere},
                      FileCase{"grey32f_tiled.tif", 1, kF32, ImageAccess::kAnywhere}),
    [](const auto& which) {
      std::string name = which.param.name;
      for (char& c : name) c = c == '.' ? '_' : c;
      return name;
    });

// One of `samples` at (x, y), u8.
int At(const std::vector<std::byte>& samples, int channels, int x, int y, int c) {
  return static_cast<int>(samples[static_cast<size_t>((y * kSize.width + x) * channels + c)]);
}

TEST(FormatFiles, PaletteIsLookedUp) {
  constexpr int kPalette[4][3] = {{10, 20, 30}, {200, 0, 0}, {0, 200, 0}, {0, 0, 200}};
  for (const char* name : {"palette.png", "palette.tif", "palette.gif"}) {
    SCOPED_TRACE(name);
    const auto reader = OpenOrFail(DataFile(name));
    ASSERT_NE(reader, nullptr);
    ASSERT_EQ(reader->info().channels, 3);
    const std::vector<std::byte> samples = ReadAll(*reader);
    for (int y = 0; y < kSize.height; ++y) {
      for (int x = 0; x < kSize.width; ++x) {
        for (int c = 0; c < 3; ++c) {
          ASSERT_EQ(At(samples, 3, x, y, c), kPalette[(x + y) % 4][c]) << x << "," << y;
        }
      }
    }
  }
}

TEST(FormatFiles, BilevelIsGreyOfItsTwoEnds) {
  const auto reader = OpenOrFail(DataFile("bilevel.tif"));
  ASSERT_NE(reader, nullptr);
  ASSERT_EQ(reader->info().channels, 1);
  ASSERT_EQ(reader->info().sample, kU8);
  const std::vector<std::byte> samples = ReadAll(*reader);
  for (int x = 0; x < kSize.width; ++x) EXPECT_EQ(At(samples, 1, x, 3, 0), (x + 3) % 2 * 255);
}

TEST(FormatFiles, CmykIsConvertedToRgb) {
  for (const char* name : {"cmyk.tif", "cmyk.jpg"}) {
    SCOPED_TRACE(name);
    const auto reader = OpenOrFail(DataFile(name));
    ASSERT_NE(reader, nullptr);
    ASSERT_EQ(reader->info().channels, 3);
    EXPECT_FALSE(reader->info().has_alpha);
    // What describes the ink does not describe the light.
    EXPECT_FALSE(reader->info().metadata.icc_profile.empty());
    const std::vector<std::byte> samples = ReadAll(*reader);
    // Columns of eight pixels: white, cyan, magenta, yellow, black.
    const auto sample = [&](int column, int c) { return At(samples, 3, column * 8 + 4, 12, c); };
    for (int c = 0; c < 3; ++c) {
      EXPECT_GE(sample(0, c), 250) << "white";
      EXPECT_LE(sample(4, c), 70) << "black";
      for (int ink = 1; ink <= 3; ++ink) {
        if (c == ink - 1) {
          EXPECT_LE(sample(ink, c), 240) << "ink " << ink << " takes no light " << c;
          for (int other = 0; other < 3; ++other) {
            if (other == c) continue;
            EXPECT_GT(sample(ink, other), sample(ink, c)) << "ink " << ink;
          }
        }
      }
    }
  }
}

TEST(FormatFiles, PremultipliedAlphaIsTakenOutOfTheColours) {
  const auto reader = OpenOrFail(DataFile("rgba16_premultiplied.tif"));
  ASSERT_NE(reader, nullptr);
  EXPECT_TRUE(reader->info().has_alpha);
  const std::vector<std::byte> stored = RampSamples({kSize, 4, kU16});
  const std::vector<std::byte> samples = ReadAll(*reader);
  const auto at = [](const std::vector<std::byte>& from, size_t i) {
    uint16_t value;
    std::memcpy(&value, &from[2 * i], 2);
    return static_cast<double>(value);
  };
  for (size_t pixel = 0; pixel < 960; ++pixel) {
    const double alpha = at(stored, 4 * pixel + 3);
    EXPECT_EQ(at(samples, 4 * pixel + 3), alpha);
    for (size_t c = 0; c < 3 && alpha > 0; ++c) {
      const double colour = std::min(at(stored, 4 * pixel + c) * 65535 / alpha, 65535.0);
      EXPECT_NEAR(at(samples, 4 * pixel + c), colour, 1) << pixel;
    }
  }
}

TEST(FormatFiles, ProfileResolutionOrientationAndXmpAreRead) {
  for (const char* name : {"metadata.jpg", "metadata.webp", "metadata.tif"}) {
    SCOPED_TRACE(name);
    const auto reader = OpenOrFail(DataFile(name));
    ASSERT_NE(reader, nullptr);
    const ImageMetadata& metadata = reader->info().metadata;
    EXPECT_EQ(reader->info().size, kSize);  // as stored
    EXPECT_EQ(metadata.orientation, 6);
    ASSERT_GT(metadata.icc_profile.size(), 128u);
    EXPECT_EQ(std::memcmp(&metadata.icc_profile[36], "acsp", 4), 0);
    const std::string xmp(reinterpret_cast<const char*>(metadata.xmp.data()), metadata.xmp.size());
    EXPECT_THAT(xmp, HasSubstr("<x:xmpmeta"));
    if (std::string(name) != "metadata.webp") {  // it holds none
      EXPECT_NEAR(metadata.x_pixels_per_mm, 300 / 25.4, 1e-3);
      EXPECT_NEAR(metadata.y_pixels_per_mm, 150 / 25.4, 1e-3);
    }
  }
}

TEST(FormatFiles, ValuesThatAreNoColoursAreAnArray) {
  const auto reader = OpenOrFail(DataFile("array_five_channels.tif"));
  ASSERT_NE(reader, nullptr);
  EXPECT_EQ(reader->info().channels, 5);
  EXPECT_TRUE(reader->info().array);
  EXPECT_FALSE(reader->info().has_alpha);
  EXPECT_TRUE(ReadAll(*reader) == RampSamples({kSize, 5, SampleType::kU8}));
}

TEST(FormatFiles, ThatCannotBeReadSayWhy) {
  const auto refusal = [](const std::string& name) {
    const absl::Status status = ImageReader::Open(DataFile(name), {}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    return std::string(status.message());
  };
  EXPECT_THAT(refusal("refused_f64.tif"), HasSubstr("samples out of range"));
  EXPECT_THAT(refusal("refused_u32.tif"),
              HasSubstr("its samples are of type 'uint'; unsigned 8 or 16 bit integers and 32 bit "
                        "floats can be read"));
  EXPECT_THAT(refusal("refused_planes_in_tiles.tif"),
              HasSubstr("each channel has tiles of its own; put them together first"));
  EXPECT_THAT(refusal("refused_lab.tif"), HasSubstr("convert it to RGB or grey first"));
}

}  // namespace
}  // namespace tilewright
