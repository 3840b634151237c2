// Arrays: images whose channels are values and no colours, written and read, by us and by others.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <tiffio.h>

#include "absl/strings/str_cat.h"
#include "coordinator/image/output_file.h"
#include "tests/coordinator/image/image_testing.h"

namespace tilewright {
namespace {

using ::testing::HasSubstr;

CanvasFormat ArrayOf(int channels, SampleType sample) {
  return {{530, 20}, channels, sample, /*array=*/true};
}

absl::Status WriteArray(const std::string& path, const CanvasFormat& format,
                        const std::vector<std::byte>& samples) {
  OutputOptions options;
  options.path = path;
  options.format = format;
  options.encoding.tile_side = UsualTileSide(format);
  auto output = OutputFile::Create(options);
  if (!output.ok()) return output.status();
  const absl::Status written = WriteBlocks(**output, format, samples, 5);
  return written.ok() ? (*output)->Publish() : written;
}

TEST(ArrayFile, HoldsUpToSixtyFourChannels) {
  TempFolder folder;
  for (const int channels : {2, 4, 5, 12, 64}) {
    for (const SampleType sample : {SampleType::kU8, SampleType::kU16, SampleType::kF32}) {
      SCOPED_TRACE(absl::StrCat(channels, " x ", SampleTypeName(sample)));
      const CanvasFormat format = ArrayOf(channels, sample);
      const std::vector<std::byte> samples = NoiseSamples(format, 3);
      const std::string path = folder.path(absl::StrCat(channels, SampleTypeName(sample), ".tif"));
      const absl::Status written = WriteArray(path, format, samples);
      ASSERT_TRUE(written.ok()) << written;
      const auto reader = OpenOrFail(path);
      ASSERT_NE(reader, nullptr);
      EXPECT_EQ(reader->info().channels, channels);
      EXPECT_EQ(reader->info().sample, sample);
      EXPECT_EQ(reader->info().access, ImageAccess::kAnywhere);
      EXPECT_TRUE(ReadAll(*reader) == samples);
      // Two channels are grey and alpha to all that read TIFFs.
      EXPECT_EQ(reader->info().array, channels != 2);
      EXPECT_EQ(reader->info().has_alpha, channels == 2);
    }
  }
}

TEST(ArrayFile, HasTilesThatAreReadAgain) {
  EXPECT_EQ(UsualTileSide({{9, 9}, 4, SampleType::kU16}), 512);
  EXPECT_EQ(UsualTileSide(ArrayOf(16, SampleType::kF32)), 512);
  EXPECT_EQ(UsualTileSide(ArrayOf(17, SampleType::kF32)), 256);
  EXPECT_EQ(UsualTileSide(ArrayOf(64, SampleType::kF32)), 256);
}

TEST(ArrayFile, SaysThatItsChannelsAreNoColours) {
  TempFolder folder;
  const CanvasFormat format = ArrayOf(4, SampleType::kF32);
  ASSERT_TRUE(WriteArray(folder.path("a.tif"), format, NoiseSamples(format, 3)).ok());
  TIFF* tiff = TIFFOpen(folder.path("a.tif").c_str(), "r");
  ASSERT_NE(tiff, nullptr);
  uint16_t photometric = 0, extra_count = 0;
  const uint16_t* extra = nullptr;
  TIFFGetField(tiff, TIFFTAG_PHOTOMETRIC, &photometric);
  TIFFGetField(tiff, TIFFTAG_EXTRASAMPLES, &extra_count, &extra);
  EXPECT_EQ(photometric, PHOTOMETRIC_MINISBLACK);
  ASSERT_EQ(extra_count, 3);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(extra[i], EXTRASAMPLE_UNSPECIFIED);
  TIFFClose(tiff);
}

TEST(ArrayFile, IsATiffAndNothingElse) {
  TempFolder folder;
  EXPECT_THAT(
      std::string(WriteArray(folder.path("a.png"), ArrayOf(4, SampleType::kU8), {}).message()),
      HasSubstr("PNG cannot hold 4 channels that are no colours; write .tif or .npy"));
  EXPECT_EQ(WriteArray(folder.path("a.tif"), ArrayOf(65, SampleType::kU8), {}).code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace tilewright
