// Blocks of JPEG tiles that a mask does not mark: copied with the tables that they need, so that
// every reader finds the pixels of the input, in whatever order it reads.

#include <gtest/gtest.h>
#include <tiffio.h>
#include <vips/vips.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "coordinator/image/encoder_pool.h"
#include "coordinator/image/jpeg_tables.h"
#include "coordinator/image/mask.h"
#include "coordinator/image/masking_sink.h"
#include "coordinator/image/output_file.h"
#include "coordinator/image/tile_encoder.h"
#include "tests/coordinator/image/image_testing.h"

namespace tilewright {
namespace {

constexpr Size kJpegPicture = {1100, 700};  // 3 × 2 blocks
constexpr int64_t kJpegSide = 256;
constexpr int64_t kJpegColumns = 5;  // of tiles
using JpegSamples = std::vector<std::byte>;

// Whether the mask marks a pixel of the block that holds the tile.
bool JpegTileIsMarked(int64_t tile) {
  return tile / kJpegColumns < 2 && tile % kJpegColumns / 2 == 1;
}

struct JpegMaking {
  const char* name;
  int channels;
  int quality;
  int photometric;
  int step;         // of chroma
  int tables_mode;  // libtiff's: bit 0 quantisation, bit 1 Huffman tables for all tiles
};

void WriteJpegTiles(const std::string& path, const JpegMaking& making, const JpegSamples& samples) {
  TIFF* const tiff = TIFFOpen(path.c_str(), "w8");
  ASSERT_NE(tiff, nullptr);
  TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, static_cast<uint32_t>(kJpegPicture.width));
  TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, static_cast<uint32_t>(kJpegPicture.height));
  TIFFSetField(tiff, TIFFTAG_TILEWIDTH, static_cast<uint32_t>(kJpegSide));
  TIFFSetField(tiff, TIFFTAG_TILELENGTH, static_cast<uint32_t>(kJpegSide));
  TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, making.channels);
  TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, 8);
  TIFFSetField(tiff, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG);
  TIFFSetField(tiff, TIFFTAG_COMPRESSION, COMPRESSION_JPEG);
  TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, making.photometric);
  if (making.photometric == PHOTOMETRIC_YCBCR) {
    TIFFSetField(tiff, TIFFTAG_YCBCRSUBSAMPLING, making.step, making.step);
    TIFFSetField(tiff, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
  }
  TIFFSetField(tiff, TIFFTAG_JPEGQUALITY, making.quality);
  TIFFSetField(tiff, TIFFTAG_JPEGTABLESMODE, making.tables_mode);
  const auto pixel = static_cast<size_t>(making.channels);
  JpegSamples tile(static_cast<size_t>(kJpegSide * kJpegSide) * pixel);
  for (int64_t y = 0; y < kJpegPicture.height; y += kJpegSide) {
    for (int64_t x = 0; x < kJpegPicture.width; x += kJpegSide) {
      const auto width = static_cast<size_t>(std::min(kJpegSide, kJpegPicture.width - x));
      for (int64_t row = y; row < std::min(y + kJpegSide, kJpegPicture.height); ++row) {
        std::memcpy(&tile[static_cast<size_t>((row - y) * kJpegSide) * pixel],
                    &samples[static_cast<size_t>(row * kJpegPicture.width + x) * pixel],
                    width * pixel);
      }
      const uint32_t index =
          TIFFComputeTile(tiff, static_cast<uint32_t>(x), static_cast<uint32_t>(y), 0, 0);
      ASSERT_GT(TIFFWriteEncodedTile(tiff, index, tile.data(), static_cast<tmsize_t>(tile.size())),
                0);
    }
  }
  TIFFClose(tiff);
}

// Its tiles as libtiff alone decodes them in that order, and how they are stored.
struct JpegTiles {
  std::vector<JpegSamples> decoded;
  std::vector<std::string> stored;
};
JpegTiles ReadJpegTiles(const std::string& path, bool backwards) {
  JpegTiles tiles;
  TIFF* const tiff = TIFFOpen(path.c_str(), "r");
  EXPECT_NE(tiff, nullptr);
  if (tiff == nullptr) return tiles;
  uint16_t photometric = 0;
  TIFFGetField(tiff, TIFFTAG_PHOTOMETRIC, &photometric);
  if (photometric == PHOTOMETRIC_YCBCR) {
    TIFFSetField(tiff, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
  }
  std::vector<uint32_t> order(TIFFNumberOfTiles(tiff));
  std::iota(order.begin(), order.end(), 0u);
  if (backwards) std::reverse(order.begin(), order.end());
  tiles.decoded.resize(order.size());
  tiles.stored.resize(order.size());
  for (const uint32_t index : order) {
    JpegSamples& samples = tiles.decoded[index];
    samples.resize(static_cast<size_t>(TIFFTileSize(tiff)));
    const auto size = static_cast<tmsize_t>(samples.size());
    EXPECT_EQ(TIFFReadEncodedTile(tiff, index, samples.data(), size), size) << index;
  }
  for (const uint32_t index : order) {
    std::string& stored = tiles.stored[index];
    stored.resize(TIFFGetStrileByteCount(tiff, index));
    TIFFReadRawTile(tiff, index, stored.data(), static_cast<tmsize_t>(stored.size()));
  }
  TIFFClose(tiff);
  return tiles;
}

// All pixels as libvips alone reads them, by threads.
JpegSamples ReadByVips(const std::string& path) {
  VipsImage* const image = vips_image_new_from_file(path.c_str(), nullptr);
  EXPECT_NE(image, nullptr) << vips_error_buffer();
  if (image == nullptr) return {};
  size_t bytes = 0;
  void* const pixels = vips_image_write_to_memory(image, &bytes);
  EXPECT_NE(pixels, nullptr) << vips_error_buffer();
  const auto* const first = static_cast<const std::byte*>(pixels);
  JpegSamples samples(first, first + bytes);
  g_free(pixels);
  g_object_unref(image);
  return samples;
}

class JpegBlocks : public ::testing::Test {
 protected:
  void SetUp() override {
    JpegSamples marks(static_cast<size_t>(kJpegPicture.area()));
    for (size_t x = 600; x < 700; ++x) {
      marks[100 * kJpegPicture.width + x] = std::byte{255};  // in the second block of the first row
    }
    WriteByVips(folder_.path("mask.tif[tile]"), {kJpegPicture, 1, SampleType::kU8}, marks);
  }
  // How an output of in.tif is packed that takes its tiles.
  std::optional<TiffEncoding> Encoding() {
    const std::optional<TileStorage> storage = OpenOrFail(folder_.path("in.tif"))->info().storage;
    if (!storage.has_value()) return std::nullopt;
    TiffEncoding encoding;
    encoding.compression = Compression::kJpeg;
    encoding.tile_side = storage->side;
    encoding.jpeg = storage->jpeg;
    if (storage->jpeg.tables.empty()) return encoding;
    const std::optional<int> quality = QualityOf(*storage);
    if (!quality.has_value()) return std::nullopt;
    encoding.jpeg_quality = *quality;
    return encoding;
  }
  // Writes out.tif, in.tif with the inverse of its samples where the mask marks them.
  int64_t Render(const TiffEncoding& encoding, bool overviews) {
    const auto source = OpenOrFail(folder_.path("in.tif"));
    const auto mask_reader = OpenOrFail(folder_.path("mask.tif"));
    auto mask = Mask::Create(*mask_reader, source->info());
    OutputOptions options;
    options.path = folder_.path("out.tif");
    options.format = {kJpegPicture, source->info().channels, SampleType::kU8};
    options.encoding = encoding;
    options.overviews = overviews;
    options.overwrite = true;
    options.encoders = &pool_;
    EXPECT_TRUE(StoresAlike(*source->info().storage, options.format, encoding));
    auto output = OutputFile::Create(options);
    EXPECT_TRUE(output.ok() && mask.ok()) << output.status() << mask.status();
    MaskingSink sink(options.format, 0, 0, *source, **mask, /*copies=*/true, **output);
    for (int64_t row = 0; row < options.format.block_rows(); ++row) {
      for (int64_t column = 0; column < options.format.block_columns(); ++column) {
        const Rect rect = options.format.BlockRect(column, row);
        JpegSamples block(static_cast<size_t>(rect.area() * options.format.pixel_bytes()));
        EXPECT_TRUE(source->Read(rect, PadMode::kZero, absl::MakeSpan(block)).ok());
        for (std::byte& sample : block) sample = ~sample;
        const absl::Status written = sink.WriteBlock(column, row, block);
        EXPECT_TRUE(written.ok()) << written;
      }
    }
    const absl::Status published = (*output)->Publish();
    EXPECT_TRUE(published.ok()) << published;
    return (*output)->blocks_copied();
  }

  TempFolder folder_;
  EncoderPool pool_{2, 8 << 20};
};

TEST_F(JpegBlocks, AreReadAsInTheInputWhoeverMadeItAndInWhateverOrder) {
  for (const JpegMaking& making : {
           JpegMaking{"all tables shared", 3, 80, PHOTOMETRIC_YCBCR, 2, 3},
           JpegMaking{"no chroma left out", 3, 92, PHOTOMETRIC_YCBCR, 1, 3},
           JpegMaking{"some tables shared", 3, 75, PHOTOMETRIC_YCBCR, 2, 1},
           JpegMaking{"no table shared", 3, 75, PHOTOMETRIC_YCBCR, 2, 0},
           JpegMaking{"stored as RGB", 3, 75, PHOTOMETRIC_RGB, 1, 3},
           JpegMaking{"RGB, some tables", 3, 60, PHOTOMETRIC_RGB, 1, 1},
           JpegMaking{"grey", 1, 85, PHOTOMETRIC_MINISBLACK, 1, 3},
       }) {
    for (const bool overviews : {false, true}) {
      SCOPED_TRACE(absl::StrCat(making.name, overviews ? ", overviews" : ""));
      const CanvasFormat format = {kJpegPicture, making.channels, SampleType::kU8};
      WriteJpegTiles(folder_.path("in.tif"), making, SmoothSamples(format));
      const std::optional<TiffEncoding> encoding = Encoding();
      ASSERT_TRUE(encoding.has_value());
      if (making.tables_mode != 0) {
        EXPECT_EQ(encoding->jpeg_quality, making.quality);
      }
      EXPECT_EQ(Render(*encoding, overviews), 5);
      const JpegTiles before = ReadJpegTiles(folder_.path("in.tif"), false);
      const JpegTiles after = ReadJpegTiles(folder_.path("out.tif"), false);
      const JpegTiles backwards = ReadJpegTiles(folder_.path("out.tif"), true);
      ASSERT_EQ(after.decoded.size(), before.decoded.size());
      int changed = 0;
      for (size_t i = 0; i < before.decoded.size(); ++i) {
        EXPECT_TRUE(after.decoded[i] == backwards.decoded[i]) << i;
        if (JpegTileIsMarked(static_cast<int64_t>(i))) {
          changed += after.decoded[i] == before.decoded[i] ? 0 : 1;
        } else {
          EXPECT_TRUE(after.stored[i] == before.stored[i]) << i;
          EXPECT_TRUE(after.decoded[i] == before.decoded[i]) << i;
        }
      }
      EXPECT_GE(changed, 1);
      // libvips, which decodes tiles by itself.
      const JpegSamples by_vips = ReadByVips(folder_.path("out.tif"));
      EXPECT_TRUE(by_vips == ReadAll(*OpenOrFail(folder_.path("out.tif"))));
      // Where something was marked it is the inverse, nearly.
      const size_t at = (100 * 1100 + 650) * static_cast<size_t>(making.channels);
      const JpegSamples source = ReadByVips(folder_.path("in.tif"));
      EXPECT_NE(by_vips[at], source[at]);
      if (overviews) {
        EXPECT_EQ(ReadByLibtiff(folder_.path("out.tif"), 1).format.size, (Size{550, 350}));
      }
    }
  }
}

TEST_F(JpegBlocks, AreCopiedFromWhatLibvipsWrote) {
  const CanvasFormat format = {kJpegPicture, 3, SampleType::kU8};
  for (const int quality : {70, 90}) {
    WriteByVips(
        absl::StrCat(folder_.path("in.tif"),
                     "[tile,tile-width=256,tile-height=256,compression=jpeg,Q=", quality, "]"),
        format, SmoothSamples(format));
    const std::optional<TiffEncoding> encoding = Encoding();
    ASSERT_TRUE(encoding.has_value());
    EXPECT_EQ(encoding->jpeg_quality, quality);
    EXPECT_EQ(Render(*encoding, false), 5);
  }
}

// JpegTiles of one size at that quality, with the tables that are not shared.
JpegSamples JpegTile(int quality, const std::optional<JpegLayout>& layout,
                     JpegSamples* tables = nullptr) {
  const CanvasFormat format = {{64, 64}, 3, SampleType::kU8};
  TiffEncoding encoding = {Compression::kJpeg, 1, quality, 64};
  encoding.jpeg = layout;
  TileEncoder encoder(format, encoding);
  JpegSamples samples = NoiseSamples(format, 1);
  const auto tile = encoder.Encode(absl::MakeSpan(samples));
  EXPECT_TRUE(tile.ok()) << tile.status();
  if (tables != nullptr) *tables = encoder.tables();
  return {tile->begin(), tile->end()};
}

// A file's tables of that quality: libtiff's way of writing them.
JpegSamples JpegTablesOf(int quality) {
  TempFolder folder;
  WriteByVips(absl::StrCat(folder.path("a.tif"), "[tile,compression=jpeg,Q=", quality, "]"),
              {{64, 64}, 3, SampleType::kU8}, NoiseSamples({{64, 64}, 3, SampleType::kU8}, 1));
  return OpenOrFail(folder.path("a.tif"))->info().storage->jpeg.tables;
}

TEST(JpegTables, OfATileMustNotSpoilThoseOfOthers) {
  const JpegSamples tables = JpegTablesOf(75);
  ASSERT_FALSE(tables.empty());
  const JpegLayout layout = {true, 2, tables};
  JpegSamples needed;
  const JpegSamples abbreviated = JpegTile(75, layout, &needed);
  EXPECT_TRUE(needed == tables);
  EXPECT_TRUE(ReadsAlone(abbreviated, tables));
  EXPECT_FALSE(ReadsAlone(abbreviated, {})) << "its tables are missing";
  const JpegSamples whole = JpegTile(75, std::nullopt);
  EXPECT_TRUE(ReadsAlone(whole, {}));
  EXPECT_FALSE(ReadsAlone(JpegTile(50, std::nullopt), tables))
      << "a reader would keep its tables for the tiles that follow";
  EXPECT_FALSE(ReadsAlone(tables, {})) << "no pixels";
  EXPECT_FALSE(ReadsAlone(whole, whole)) << "no tables";
  EXPECT_EQ(QualityOf({64, Compression::kJpeg, false, 3, SampleType::kU8, layout}), 75);
}

TEST(JpegTables, ThatAreTornOrOfAnotherKindAreNone) {
  const JpegSamples whole = JpegTile(75, std::nullopt);
  const auto stream = ParseJpegStream(whole);
  ASSERT_TRUE(stream.ok()) << stream.status();
  EXPECT_TRUE(stream->pixels);
  EXPECT_TRUE(stream->HasQuantTables() && stream->HasHuffmanTables());
  EXPECT_EQ(stream->tables.size(), 6u);
  EXPECT_EQ(stream->used.size(), 6u);
  size_t scan = 0;
  while (!(whole[scan] == std::byte{0xFF} && whole[scan + 1] == std::byte{0xDA})) ++scan;
  for (size_t bytes = 0; bytes < scan + 10; ++bytes) {
    EXPECT_FALSE(ParseJpegStream(absl::MakeConstSpan(whole).first(bytes)).ok()) << bytes;
  }
  JpegSamples progressive = whole;
  for (size_t i = 0; i + 1 < scan; ++i) {
    if (whole[i] == std::byte{0xFF} && whole[i + 1] == std::byte{0xC0}) {
      progressive[i + 1] = std::byte{0xC2};
    }
  }
  EXPECT_FALSE(ParseJpegStream(progressive).ok());
  // Tables that no encoder of libtiff would give.
  JpegSamples odd = JpegTablesOf(75);
  odd[odd.size() / 2] ^= std::byte{1};
  EXPECT_EQ(QualityOf({64, Compression::kJpeg, false, 3, SampleType::kU8, {true, 2, odd}}),
            std::nullopt);
}

}  // namespace
}  // namespace tilewright
