// Blocks that a mask does not mark: they go to the output as the input stores them, where both
// store tiles alike, and are decoded and encoded where they do not.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <tiffio.h>

#include <cstring>
#include <functional>

#include "absl/strings/str_cat.h"
#include "coordinator/image/mask.h"
#include "coordinator/image/masking_sink.h"
#include "coordinator/image/output_file.h"
#include "tests/coordinator/image/image_testing.h"

namespace tilewright {
namespace {

using ::testing::HasSubstr;

constexpr Size kPictureSize = {1100, 700};  // 3 × 2 blocks

// The tiles of a TIFF as libtiff alone finds them stored, row by row.
std::vector<std::string> RawTiles(const std::string& path) {
  std::vector<std::string> tiles;
  TIFF* tiff = TIFFOpen(path.c_str(), "r");
  EXPECT_NE(tiff, nullptr);
  for (uint32_t i = 0; tiff != nullptr && i < TIFFNumberOfTiles(tiff); ++i) {
    std::string& tile = tiles.emplace_back(TIFFGetStrileByteCount(tiff, i), '\0');
    EXPECT_EQ(TIFFReadRawTile(tiff, i, tile.data(), static_cast<tmsize_t>(tile.size())),
              static_cast<tmsize_t>(tile.size()));
  }
  if (tiff != nullptr) TIFFClose(tiff);
  return tiles;
}

// Written by libtiff alone, in deflated tiles of 256, without those that `leave_out` names.
void WriteByLibtiff(const std::string& path, const char* mode, const CanvasFormat& format,
                    const std::vector<std::byte>& samples, int predictor, int fill_order = 1,
                    const std::function<bool(uint32_t)>& leave_out = nullptr) {
  TIFF* tiff = TIFFOpen(path.c_str(), mode);
  ASSERT_NE(tiff, nullptr);
  constexpr int64_t kSide = 256;
  TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, static_cast<uint32_t>(format.size.width));
  TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, static_cast<uint32_t>(format.size.height));
  TIFFSetField(tiff, TIFFTAG_TILEWIDTH, static_cast<uint32_t>(kSide));
  TIFFSetField(tiff, TIFFTAG_TILELENGTH, static_cast<uint32_t>(kSide));
  TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, format.channels);
  TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, 8 * BytesPerSample(format.sample));
  TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_RGB);
  TIFFSetField(tiff, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG);
  TIFFSetField(tiff, TIFFTAG_COMPRESSION, COMPRESSION_ADOBE_DEFLATE);
  TIFFSetField(tiff, TIFFTAG_PREDICTOR, predictor);
  TIFFSetField(tiff, TIFFTAG_FILLORDER, fill_order);
  const int64_t pixel = format.pixel_bytes();
  std::vector<std::byte> tile(static_cast<size_t>(kSide * kSide * pixel));
  for (int64_t y = 0; y < format.size.height; y += kSide) {
    for (int64_t x = 0; x < format.size.width; x += kSide) {
      const uint32_t index =
          TIFFComputeTile(tiff, static_cast<uint32_t>(x), static_cast<uint32_t>(y), 0, 0);
      if (leave_out != nullptr && leave_out(index)) continue;
      const Rect part =
          Intersect({x, y, kSide, kSide}, {0, 0, format.size.width, format.size.height});
      for (int64_t row = 0; row < part.height; ++row) {
        std::memcpy(tile.data() + row * kSide * pixel,
                    samples.data() + ((y + row) * format.size.width + x) * pixel,
                    static_cast<size_t>(part.width * pixel));
      }
      ASSERT_GT(TIFFWriteEncodedTile(tiff, index, tile.data(), static_cast<tmsize_t>(tile.size())),
                0);
    }
  }
  TIFFClose(tiff);
}

class CopiedBlocks : public ::testing::Test {
 protected:
  struct Outcome {
    uint64_t pixel_hash = 0;
    int64_t copied = 0;
  };

  void SetUp() override {
    std::vector<std::byte> marks(static_cast<size_t>(kPictureSize.area()));
    marks[100 * kPictureSize.width + 600] = std::byte{255};  // in the second block of the first row
    WriteByVips(folder_.path("mask.tif[tile]"), {kPictureSize, 1, SampleType::kU8}, marks);
    mask_reader_ = OpenOrFail(folder_.path("mask.tif"));
    ASSERT_NE(mask_reader_, nullptr);
  }

  // Writes out.tif with threads: the input in.tif, but for the pixel that the mask marks, of which
  // it has `results`.
  Outcome Render(const CanvasFormat& format, const TiffEncoding& encoding, bool copies,
                 const std::vector<std::byte>& results) {
    OutputOptions options;
    options.path = folder_.path("out.tif");
    options.format = format;
    options.encoding = encoding;
    options.overwrite = true;
    options.encoders = &pool_;
    const auto source = OpenOrFail(folder_.path("in.tif"));
    auto output = OutputFile::Create(options);
    auto mask = Mask::Create(*mask_reader_, source->info());
    EXPECT_TRUE(output.ok() && mask.ok()) << output.status() << mask.status();
    MaskingSink sink(format, 0, 0, *source, **mask, copies, **output);
    for (int64_t row = 0; row < format.block_rows(); ++row) {
      for (int64_t column = 0; column < format.block_columns(); ++column) {
        const Rect rect = format.BlockRect(column, row);
        const std::vector<std::byte> block(results.begin(),
                                           results.begin() + rect.area() * format.pixel_bytes());
        const absl::Status written = sink.WriteBlock(column, row, block);
        EXPECT_TRUE(written.ok()) << written;
      }
    }
    const absl::Status published = (*output)->Publish();
    EXPECT_TRUE(published.ok()) << published;
    return {(*output)->pixel_hash(), (*output)->blocks_copied()};
  }

  bool Alike(const CanvasFormat& format, const TiffEncoding& encoding) const {
    const auto source = OpenOrFail(folder_.path("in.tif"));
    const std::optional<TileStorage>& storage = source->info().storage;
    return storage.has_value() && StoresAlike(*storage, format, encoding);
  }

  TempFolder folder_;
  EncoderPool pool_{3, 8 << 20};  // room for a few blocks
  std::unique_ptr<ImageReader> mask_reader_;
};

TEST_F(CopiedBlocks, AreStoredAsTheInputHasThem) {
  for (const SampleType sample : {SampleType::kU8, SampleType::kU16}) {
    const CanvasFormat format = {kPictureSize, 3, sample};
    const std::vector<std::byte> samples = NoiseSamples(format, 1);
    const std::vector<std::byte> results = NoiseSamples(format, 2);
    for (const Compression compression :
         {Compression::kDeflate, Compression::kZstd, Compression::kLzw}) {
      for (const int64_t side : {128, 512}) {
        const bool predictor = side == 512;
        SCOPED_TRACE(
            absl::StrCat(SampleTypeName(sample), " ", CompressionName(compression), " ", side));
        WriteByVips(absl::StrCat(folder_.path("in.tif"), "[tile,tile-width=", side, ",tile-height=",
                                 side, ",predictor=", predictor ? "horizontal" : "none",
                                 ",compression=", CompressionName(compression), "]"),
                    format, samples);
        TiffEncoding encoding;
        encoding.compression = compression;
        encoding.level = 3;
        encoding.tile_side = side;
        encoding.predictor = predictor;
        ASSERT_TRUE(Alike(format, encoding));
        const Outcome encoded = Render(format, encoding, /*copies=*/false, results);
        EXPECT_EQ(encoded.copied, 0);
        const Outcome copied = Render(format, encoding, /*copies=*/true, results);
        EXPECT_EQ(copied.copied, 5);
        EXPECT_EQ(copied.pixel_hash, encoded.pixel_hash);

        const std::vector<std::string> from = RawTiles(folder_.path("in.tif"));
        const std::vector<std::string> to = RawTiles(folder_.path("out.tif"));
        ASSERT_EQ(from.size(), to.size());
        const int64_t columns = (kPictureSize.width + side - 1) / side;
        for (size_t i = 0; i < from.size(); ++i) {
          const int64_t x = static_cast<int64_t>(i) % columns * side;
          const int64_t y = static_cast<int64_t>(i) / columns * side;
          const bool marked = y < kBlockSide && x >= kBlockSide && x < 2 * kBlockSide;
          if (!marked) {
            EXPECT_TRUE(from[i] == to[i]) << i;
          }
        }
        std::vector<std::byte> expected = samples;
        const auto pixel = static_cast<size_t>(format.pixel_bytes());
        const size_t at = (100 * 1100 + 600) * pixel;
        std::memcpy(&expected[at], &results[(100 * 512 + 600 - 512) * pixel], pixel);
        EXPECT_TRUE(ReadByLibtiff(folder_.path("out.tif")).samples == expected);
      }
    }
  }
}

TEST_F(CopiedBlocks, AreNoneWhereTheOutputStoresTilesOtherwise) {
  const CanvasFormat format = {kPictureSize, 3, SampleType::kU8};
  const auto write = [&](const std::string& options) {
    WriteByVips(folder_.path("in.tif[tile,tile-width=256,tile-height=256," + options + "]"), format,
                NoiseSamples(format, 1));
  };
  TiffEncoding same;
  same.tile_side = 256;
  write("compression=deflate,predictor=horizontal");
  EXPECT_TRUE(Alike(format, same));
  TiffEncoding level = same;
  level.level = 9;
  EXPECT_TRUE(Alike(format, level));
  TiffEncoding codec = same;
  codec.compression = Compression::kZstd;
  EXPECT_FALSE(Alike(format, codec));
  TiffEncoding side = same;
  side.tile_side = 512;
  EXPECT_FALSE(Alike(format, side));
  EXPECT_FALSE(Alike({kPictureSize, 1, SampleType::kU8}, same));
  EXPECT_FALSE(Alike({kPictureSize, 3, SampleType::kU16}, same));
  write("compression=deflate,predictor=none");
  EXPECT_FALSE(Alike(format, same));
  TiffEncoding plain = same;
  plain.predictor = false;
  EXPECT_TRUE(Alike(format, plain));
  write("compression=jpeg");
  EXPECT_FALSE(Alike(format, same));
  TiffEncoding jpeg = same;
  jpeg.compression = Compression::kJpeg;
  EXPECT_FALSE(Alike(format, jpeg));
  write("compression=none");
  TiffEncoding none = same;
  none.compression = Compression::kNone;
  EXPECT_FALSE(Alike(format, none));
  WriteByVips(folder_.path("in.tif[tile,tile-width=256,tile-height=128,compression=deflate]"),
              format, NoiseSamples(format, 1));
  EXPECT_FALSE(Alike(format, same));
}

TEST_F(CopiedBlocks, AreNoneWhereBytesOrBitsComeInAnotherOrder) {
  TiffEncoding encoding;
  encoding.tile_side = 256;
  const CanvasFormat bytes = {kPictureSize, 3, SampleType::kU8};
  const CanvasFormat words = {kPictureSize, 3, SampleType::kU16};
  const std::string path = folder_.path("in.tif");
  WriteByLibtiff(path, "wl", words, NoiseSamples(words, 1), PREDICTOR_HORIZONTAL);
  EXPECT_TRUE(Alike(words, encoding));
  WriteByLibtiff(path, "wb", words, NoiseSamples(words, 1), PREDICTOR_HORIZONTAL);
  EXPECT_FALSE(Alike(words, encoding));
  WriteByLibtiff(path, "wb", bytes, NoiseSamples(bytes, 1), PREDICTOR_HORIZONTAL);
  EXPECT_TRUE(Alike(bytes, encoding));  // of which there is but one order
  const Outcome copied = Render(bytes, encoding, /*copies=*/true, NoiseSamples(bytes, 2));
  EXPECT_EQ(copied.copied, 5);
  EXPECT_EQ(copied.pixel_hash,
            Render(bytes, encoding, /*copies=*/false, NoiseSamples(bytes, 2)).pixel_hash);
  WriteByLibtiff(path, "wl", bytes, NoiseSamples(bytes, 1), PREDICTOR_HORIZONTAL,
                 FILLORDER_LSB2MSB);
  EXPECT_FALSE(Alike(bytes, encoding));
}

TEST_F(CopiedBlocks, AreWholeTilesOfTheInput) {
  const CanvasFormat format = {kPictureSize, 3, SampleType::kU8};
  WriteByVips(folder_.path("in.tif[tile,tile-width=256,tile-height=256,compression=deflate]"),
              format, NoiseSamples(format, 1));
  const auto reader = OpenOrFail(folder_.path("in.tif"));
  const auto tiles = [&](const Rect& rect) -> size_t {
    const auto stored = reader->ReadStored(rect);
    EXPECT_TRUE(stored.ok()) << stored.status();
    return stored.ok() && stored->has_value() ? (*stored)->tile_bytes.size() : 0;
  };
  EXPECT_EQ(tiles({0, 0, 512, 512}), 4u);
  EXPECT_EQ(tiles({256, 256, 512, 444}), 4u);  // down to the last row
  EXPECT_EQ(tiles({1024, 512, 76, 188}), 1u);
  EXPECT_EQ(tiles({255, 0, 512, 512}), 0u);
  EXPECT_EQ(tiles({0, 1, 512, 512}), 0u);
  // Pixels beside a region stay where they are.
  EXPECT_EQ(tiles({0, 0, 512, 500}), 0u);
  EXPECT_EQ(tiles({768, 0, 300, 512}), 0u);
}

TEST_F(CopiedBlocks, AreNotMadeOfWhatIsDamagedOrMissing) {
  const CanvasFormat format = {kPictureSize, 3, SampleType::kU8};
  const std::vector<std::byte> samples = NoiseSamples(format, 1);
  const auto first_block = [&] {
    OutputOptions options;
    options.path = folder_.path("out.tif");
    options.format = format;
    options.encoding.tile_side = 256;
    auto output = OutputFile::Create(options);
    EXPECT_TRUE(output.ok()) << output.status();
    const auto source = OpenOrFail(folder_.path("in.tif"));
    auto mask = Mask::Create(*mask_reader_, source->info());
    EXPECT_TRUE(mask.ok()) << mask.status();
    MaskingSink sink(format, 0, 0, *source, **mask, /*copies=*/true, **output);
    const absl::Status status = sink.WriteBlock(0, 0, std::vector<std::byte>(512 * 512 * 3));
    EXPECT_EQ((*output)->blocks_copied(), status.ok() ? 1 : 0);
    EXPECT_EQ(sink.input_error(), status);
    return status;
  };
  const std::string path = folder_.path("in.tif");
  WriteByLibtiff(path, "wl", format, samples, PREDICTOR_HORIZONTAL);
  EXPECT_TRUE(first_block().ok()) << first_block();

  std::string bytes = ReadFile(path);
  const std::string tile = RawTiles(path)[1];
  const size_t at = bytes.find(tile) + tile.size() / 2;
  bytes[at] = static_cast<char>(~bytes[at]);
  WriteFile(path, bytes);
  const absl::Status damaged = first_block();
  EXPECT_EQ(damaged.code(), absl::StatusCode::kDataLoss) << damaged;

  WriteByLibtiff(path, "wl", format, samples, PREDICTOR_HORIZONTAL, FILLORDER_MSB2LSB,
                 [](uint32_t index) { return index == 1; });
  const absl::Status missing = first_block();
  EXPECT_EQ(missing.code(), absl::StatusCode::kDataLoss) << missing;
  EXPECT_THAT(std::string(missing.message()), HasSubstr("tile 1 is not in the file"));
}

}  // namespace
}  // namespace tilewright
