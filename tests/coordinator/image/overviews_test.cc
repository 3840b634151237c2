// Reduced images: compared with means that are computed here, and read by other programs.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <vips/vips.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <random>

#include "absl/strings/str_cat.h"
#include "coordinator/image/encoder_pool.h"
#include "coordinator/image/output_file.h"
#include "coordinator/image/pyramid.h"
#include "coordinator/image/scratch_file.h"
#include "tests/coordinator/image/image_testing.h"

namespace tilewright {
namespace {

using ::testing::HasSubstr;

double SampleAt(const CanvasFormat& format, const std::vector<std::byte>& samples, int64_t index) {
  const std::byte* at = samples.data() + index * BytesPerSample(format.sample);
  uint16_t wide;
  float real;
  switch (format.sample) {
    case SampleType::kU8:
      return static_cast<double>(*at);
    case SampleType::kU16:
      std::memcpy(&wide, at, sizeof(wide));
      return wide;
    case SampleType::kF16:
      std::memcpy(&wide, at, sizeof(wide));
      return FloatFromHalf(wide);
    case SampleType::kF32:
      break;
  }
  std::memcpy(&real, at, sizeof(real));
  return real;
}

// The mean of each 2×2 pixels, of those that are there, in double.
std::vector<double> Halved(const CanvasFormat& format, const std::vector<std::byte>& samples) {
  std::vector<double> means;
  for (int64_t y = 0; y < format.size.height; y += 2) {
    for (int64_t x = 0; x < format.size.width; x += 2) {
      for (int c = 0; c < format.channels; ++c) {
        double sum = 0, count = 0;
        for (int64_t j = y; j < std::min(y + 2, format.size.height); ++j) {
          for (int64_t i = x; i < std::min(x + 2, format.size.width); ++i, ++count) {
            sum += SampleAt(format, samples, (j * format.size.width + i) * format.channels + c);
          }
        }
        means.push_back(sum / count);
      }
    }
  }
  return means;
}

// Whether `image` is `above` halved: integers rounded half up, floats within a rounding of the sum.
void ExpectHalved(const TiffImage& above, const TiffImage& image) {
  const std::vector<double> means = Halved(above.format, above.samples);
  ASSERT_EQ(static_cast<int64_t>(means.size()), image.format.size.area() * image.format.channels);
  const bool integer =
      image.format.sample == SampleType::kU8 || image.format.sample == SampleType::kU16;
  const double tolerance = image.format.sample == SampleType::kF16 ? 1e-3 : 1e-6;
  int64_t wrong = 0;
  for (size_t i = 0; i < means.size(); ++i) {
    const double value = SampleAt(image.format, image.samples, static_cast<int64_t>(i));
    if (integer ? value != std::floor(means[i] + 0.5) : std::abs(value - means[i]) > tolerance) {
      ++wrong;
    }
  }
  EXPECT_EQ(wrong, 0);
}

class OverviewsTest : public ::testing::Test {
 protected:
  void Render(const CanvasFormat& format, const std::vector<std::byte>& samples, uint64_t seed) {
    OutputOptions options;
    options.path = path_;
    options.format = format;
    options.metadata.orientation = 6;
    options.overviews = true;
    options.overwrite = true;
    options.encoders = &pool_;
    options.encoding.tile_side = 256;
    auto output = OutputFile::Create(options);
    ASSERT_TRUE(output.ok()) << output.status();
    const absl::Status written = WriteBlocks(**output, format, samples, seed);
    ASSERT_TRUE(written.ok()) << written;
    const absl::Status published = (*output)->Publish();
    ASSERT_TRUE(published.ok()) << published;
  }

  TempFolder folder_;
  const std::string path_ = folder_.path("a.tif");
  EncoderPool pool_{3, 4 << 20};
};

TEST_F(OverviewsTest, AreMeansInEveryTypeDownToABlock) {
  for (SampleType sample :
       {SampleType::kU8, SampleType::kU16, SampleType::kF16, SampleType::kF32}) {
    SCOPED_TRACE(SampleTypeName(sample));
    const CanvasFormat format = {{2051, 1537}, sample == SampleType::kU8 ? 4 : 1, sample};
    const std::vector<std::byte> samples = NoiseSamples(format, 2);
    ASSERT_NO_FATAL_FAILURE(Render(format, samples, 7));
    TiffImage above = ReadByLibtiff(path_);
    EXPECT_FALSE(above.reduced);
    EXPECT_TRUE(above.samples == samples);
    for (int level = 1; level < 4; ++level) {
      SCOPED_TRACE(absl::StrCat("level ", level));
      TiffImage image = ReadByLibtiff(path_, level);
      EXPECT_TRUE(image.reduced);
      EXPECT_EQ(image.tile_side, 256);
      ExpectHalved(above, image);
      above = std::move(image);
    }
    EXPECT_EQ(above.format.size, (Size{257, 193}));
  }
}

// Of labels 0 and 2, a mean would be label 1, which nothing in the picture has.
TEST_F(OverviewsTest, OfLabelsAreTheTopLeftOfEachFour) {
  CanvasFormat format = {{1101, 701}, 1, SampleType::kU8};
  format.labels = true;
  std::vector<std::byte> samples = NoiseSamples(format, 2);
  for (std::byte& sample : samples) sample &= std::byte{2};
  ASSERT_NO_FATAL_FAILURE(Render(format, samples, 7));
  TiffImage above = ReadByLibtiff(path_);
  EXPECT_TRUE(above.samples == samples);
  for (int level = 1; level < 3; ++level) {
    SCOPED_TRACE(absl::StrCat("level ", level));
    TiffImage image = ReadByLibtiff(path_, level);
    std::vector<std::byte> corners;
    for (int64_t y = 0; y < above.format.size.height; y += 2) {
      for (int64_t x = 0; x < above.format.size.width; x += 2) {
        corners.push_back(above.samples[static_cast<size_t>(y * above.format.size.width + x)]);
      }
    }
    EXPECT_TRUE(image.samples == corners);
    above = std::move(image);
  }
  // The control: the same samples as levels of grey are averaged.
  format.labels = false;
  ASSERT_NO_FATAL_FAILURE(Render(format, samples, 7));
  EXPECT_FALSE(ReadByLibtiff(path_, 1).samples == above.samples);
  EXPECT_THAT(ReadByLibtiff(path_, 1).samples, ::testing::Contains(std::byte{1}));
}

TEST_F(OverviewsTest, DoNotDependOnTheOrderOfBlocks) {
  const CanvasFormat format = {{2000, 1100}, 3, SampleType::kU8};
  const std::vector<std::byte> samples = NoiseSamples(format, 2);
  std::vector<TiffImage> first;
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    ASSERT_NO_FATAL_FAILURE(Render(format, samples, seed));
    for (int level = 0; level < PyramidLevels(format.size); ++level) {
      TiffImage image = ReadByLibtiff(path_, level);
      if (seed == 1) {
        first.push_back(std::move(image));
      } else {
        EXPECT_TRUE(image.samples == first[static_cast<size_t>(level)].samples);
      }
    }
  }
}

TEST_F(OverviewsTest, ArePagesForLibvips) {
  const CanvasFormat format = {{2051, 1537}, 3, SampleType::kU8};
  ASSERT_NO_FATAL_FAILURE(Render(format, SmoothSamples(format), 7));
  for (int level = 0; level < 4; ++level) {
    VipsImage* page = nullptr;
    ASSERT_EQ(vips_tiffload(path_.c_str(), &page, "page", level, nullptr), 0)
        << vips_error_buffer();
    const Size size = LevelFormat(format, level).size;
    EXPECT_EQ(vips_image_get_width(page), size.width);
    EXPECT_EQ(vips_image_get_height(page), size.height);
    EXPECT_EQ(vips_image_get_n_pages(page), 4);
    double mean = 0;
    EXPECT_EQ(vips_avg(page, &mean, nullptr), 0) << vips_error_buffer();
    EXPECT_NEAR(mean, 127.5, 8.0);
    g_object_unref(page);
  }
  VipsImage* small = nullptr;
  ASSERT_EQ(vips_thumbnail(path_.c_str(), &small, 200, nullptr), 0) << vips_error_buffer();
  EXPECT_EQ(std::max(vips_image_get_width(small), vips_image_get_height(small)), 200);
  g_object_unref(small);
}

TEST_F(OverviewsTest, AreNamedByTiffinfo) {
  if (std::system("command -v tiffinfo >/dev/null") != 0) GTEST_SKIP() << "no tiffinfo here";
  const CanvasFormat format = {{1100, 700}, 3, SampleType::kU8};
  ASSERT_NO_FATAL_FAILURE(Render(format, SmoothSamples(format), 7));
  FILE* pipe = popen(absl::StrCat("tiffinfo -D ", path_, " 2>&1").c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  std::string text;
  std::array<char, 4096> part;
  while (const size_t n = fread(part.data(), 1, part.size(), pipe)) text.append(part.data(), n);
  EXPECT_EQ(pclose(pipe), 0);
  EXPECT_THAT(text, HasSubstr("Image Width: 1100 Image Length: 700"));
  EXPECT_THAT(text, HasSubstr("Image Width: 550 Image Length: 350"));
  EXPECT_THAT(text, HasSubstr("Image Width: 275 Image Length: 175"));
  EXPECT_THAT(text, HasSubstr("Subfile Type: reduced-resolution image (1 = 0x1)"));
  EXPECT_THAT(text, ::testing::Not(HasSubstr("rror")));
  EXPECT_THAT(text, ::testing::Not(HasSubstr("arning")));
}

// Adds all blocks of a picture, those of reduced levels too; the most bytes held on the way.
int64_t Build(Pyramid& pyramid, const CanvasFormat& format, const std::vector<LevelBlock>& blocks,
              std::vector<LevelBlock>* built) {
  int64_t most = 0;
  const int levels = PyramidLevels(format.size);
  for (const LevelBlock& block : blocks) {
    LevelBlock above = block;
    while (above.level + 1 < levels) {
      auto next = pyramid.Add(above.level, above.column, above.row, above.samples);
      EXPECT_TRUE(next.ok()) << next.status();
      most = std::max(most, pyramid.bytes_held());
      if (!next.ok() || !next->has_value()) break;
      above = **std::move(next);
      built->push_back(above);
    }
  }
  return most;
}

TEST(Pyramid, KeepsInAFileWhatItsMemoryDoesNotHold) {
  TempFolder folder;
  const CanvasFormat format = {{6 * 512 + 10, 5 * 512 - 3}, 1, SampleType::kU8};
  std::vector<LevelBlock> blocks;
  std::mt19937 random(1);
  for (int64_t row = 0; row < format.block_rows(); ++row) {
    for (int64_t column = 0; column < format.block_columns(); ++column) {
      const Size size = format.BlockRect(column, row).size();
      blocks.push_back({0, column, row, NoiseSamples({size, 1, SampleType::kU8}, random())});
    }
  }
  std::shuffle(blocks.begin(), blocks.end(), random);
  const int levels = PyramidLevels(format.size);
  ScratchFile scratch(folder.path(""));
  Pyramid roomy({format, levels, &scratch});
  std::vector<LevelBlock> wanted, built;
  EXPECT_GT(Build(roomy, format, blocks, &wanted), 256 << 10);
  EXPECT_EQ(scratch.file_bytes(), 0);
  EXPECT_EQ(roomy.bytes_held(), 0);
  for (int64_t bound : {0, 256 << 10}) {
    Pyramid tight({format, levels, &scratch, bound});
    built.clear();
    EXPECT_LE(Build(tight, format, blocks, &built), bound);
    EXPECT_GT(scratch.file_bytes(), 0);
    EXPECT_LT(scratch.file_bytes(), format.size.area() / 4) << "slots are used again";
    ASSERT_EQ(built.size(), wanted.size());
    for (size_t i = 0; i < built.size(); ++i) {
      EXPECT_EQ(built[i].level, wanted[i].level);
      EXPECT_EQ(built[i].column, wanted[i].column);
      EXPECT_TRUE(built[i].samples == wanted[i].samples);
    }
  }
  EXPECT_TRUE(folder.List().empty()) << "the file has no name";
}

}  // namespace
}  // namespace tilewright
