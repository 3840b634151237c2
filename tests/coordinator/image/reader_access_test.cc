// Where and in which order pixels can be read, by how many threads, and what becomes of a reader
// whose file is changed under it.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <tiffio.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <set>
#include <thread>

#include "absl/strings/str_cat.h"
#include "coordinator/image/decoded_copy.h"
#include "coordinator/image/image_reader.h"
#include "coordinator/image/tiled_tiff_reader.h"
#include "tests/coordinator/image/image_testing.h"

namespace tilewright {
namespace {

using ::testing::HasSubstr;

constexpr CanvasFormat kFormat = {{1100, 900}, 3, SampleType::kU8};

std::vector<std::byte> Cut(const std::vector<std::byte>& samples, const Rect& rect) {
  std::vector<std::byte> cut;
  for (int64_t y = rect.y; y < rect.bottom(); ++y) {
    const auto* first = samples.data() + (y * kFormat.size.width + rect.x) * 3;
    cut.insert(cut.end(), first, first + rect.width * 3);
  }
  return cut;
}

// The file `name`, options in brackets apart.
std::string Plain(const std::string& name) { return name.substr(0, name.find('[')); }

TEST(ReaderAccess, IsAnywhereInTiledTiffAndTopDownElsewhere) {
  TempFolder folder;
  const std::vector<std::byte> samples = SmoothSamples(kFormat);
  const auto access = [&](const std::string& name) {
    WriteByVips(folder.path(name), kFormat, samples);
    return OpenOrFail(folder.path(Plain(name)))->info().access;
  };
  EXPECT_EQ(access("a.tif[tile]"), ImageAccess::kAnywhere);
  EXPECT_EQ(access("b.tif[tile,bigtiff,compression=zstd]"), ImageAccess::kAnywhere);
  EXPECT_EQ(access("c.tif"), ImageAccess::kTopDown);
  EXPECT_EQ(access("d.png"), ImageAccess::kTopDown);
  EXPECT_EQ(access("e.jpg"), ImageAccess::kTopDown);
  EXPECT_EQ(access("f.png[interlace]"), ImageAccess::kWhole);
  EXPECT_EQ(access("g.jpg[interlace]"), ImageAccess::kWhole);
  EXPECT_EQ(access("h.webp"), ImageAccess::kWhole);
}

class Tiled : public ::testing::TestWithParam<const char*> {};

TEST_P(Tiled, TiffGivesAnyRectangleToSeveralThreads) {
  TempFolder folder;
  const std::string name = GetParam();
  const std::vector<std::byte> noise = NoiseSamples(kFormat, 5);
  WriteByVips(folder.path(name), kFormat, noise);
  const std::vector<std::byte> samples =
      ReadAll(*OpenOrFail(folder.path(Plain(name))));  // a JPEG's are not those written
  if (name.find("jpeg") == std::string::npos) {
    ASSERT_TRUE(samples == noise);
  }
  const auto reader = OpenOrFail(folder.path(Plain(name)));
  ASSERT_NE(reader, nullptr);
  ASSERT_EQ(reader->info().access, ImageAccess::kAnywhere);
  std::vector<std::thread> threads;
  std::atomic<int> wrong = 0;
  for (int t = 0; t < 8; ++t) {  // more than there are handles
    threads.emplace_back([&, t] {
      for (int64_t i = 0; i < 24; ++i) {
        const Rect rect = {(i * 211 + t * 97) % 1000, (i * 307 + t * 31) % 800, 100, 100};
        std::vector<std::byte> read(100 * 100 * 3);
        if (!reader->Read(rect, PadMode::kReflect, absl::MakeSpan(read)).ok()) ++wrong;
        if (read != Cut(samples, rect)) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

INSTANTIATE_TEST_SUITE_P(Codecs, Tiled,
                         ::testing::Values("a.tif[tile]", "a.tif[tile,bigtiff]",
                                           "a.tif[tile,compression=deflate]",
                                           "a.tif[tile,compression=deflate,predictor=horizontal]",
                                           "a.tif[tile,compression=lzw]",
                                           "a.tif[tile,compression=zstd]",
                                           "a.tif[tile,compression=jpeg,Q=90]",
                                           "a.tif[tile,tile-width=512,tile-height=48]"));

TEST(ReaderAccess, WindowOfRowsMovesDownAndForgets) {
  TempFolder folder;
  const std::vector<std::byte> samples = NoiseSamples(kFormat, 5);
  for (const std::string name : {"a.png", "a.tif"}) {
    SCOPED_TRACE(name);
    WriteByVips(folder.path(name), kFormat, samples);
    const auto reader = OpenOrFail(folder.path(name));
    ASSERT_NE(reader, nullptr);
    std::vector<std::byte> read(200 * 120 * 3);
    const auto status = [&](const Rect& rect) {
      read.resize(static_cast<size_t>(rect.area() * 3));
      return reader->Read(rect, PadMode::kReflect, absl::MakeSpan(read));
    };
    // Overlapping bands, the rows of each in any order of columns; one that skips rows; a taller
    // one.
    for (const Rect& rect : {Rect{900, 0, 200, 120}, Rect{0, 0, 200, 120}, Rect{500, 100, 200, 120},
                             Rect{0, 100, 200, 120}, Rect{3, 500, 200, 120}, Rect{7, 540, 100, 300},
                             Rect{1000, 839, 100, 61}}) {
      ASSERT_TRUE(status(rect).ok()) << ToString(rect) << ": " << status(rect);
      EXPECT_TRUE(read == Cut(samples, rect)) << ToString(rect);
    }
    const absl::Status gone = status({0, 0, 10, 10});
    EXPECT_EQ(gone.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(gone.message()), HasSubstr("row 0 was decoded and forgotten"));
    // It goes on all the same.
    EXPECT_TRUE(status({0, 880, 10, 20}).ok());
  }
}

// A grey mosaic of 64 × 64 tiles of 64 × 64 pixels: those in `zeros` are the second stored tile, of
// zeros, all others the first one, of 'a'. Where the first one lies in the file; 0: it failed.
uint64_t WriteMosaic(const std::string& path, const std::set<uint32_t>& zeros) {
  TIFF* tiff = TIFFOpen(path.c_str(), "w8");
  if (tiff == nullptr) return 0;
  TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, 64 * 64);
  TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, 64 * 64);
  TIFFSetField(tiff, TIFFTAG_TILEWIDTH, 64);
  TIFFSetField(tiff, TIFFTAG_TILELENGTH, 64);
  TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, 1);
  TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, 8);
  TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISBLACK);
  std::string tile(64 * 64, 'a');
  for (uint32_t i = 0; i < 64 * 64; ++i) {
    if (i == 1) tile.assign(64 * 64, '\0');
    if (TIFFWriteEncodedTile(tiff, i, tile.data(), 64 * 64) <= 0) return 0;
  }
  uint64_t* offsets = nullptr;
  if (TIFFGetField(tiff, TIFFTAG_TILEOFFSETS, &offsets) != 1) return 0;
  const uint64_t first = offsets[0];
  const uint64_t second = offsets[1];
  for (uint32_t i = 0; i < 64 * 64; ++i) offsets[i] = zeros.contains(i) ? second : first;
  TIFFClose(tiff);
  return first;
}

int64_t TilesDecoded(const ImageReader& reader) {
  return dynamic_cast<const TiledTiffReader&>(reader).tiles_decoded();
}

TEST(ReaderAccess, KnowsTilesOfZerosByTheirPlaceWithoutDecodingThemAgain) {
  TempFolder folder;
  const std::string path = folder.path("mask.tif");
  std::set<uint32_t> zeros;
  for (uint32_t i = 0; i < 64 * 64; ++i) {
    if (i != 1000) zeros.insert(i);
  }
  ASSERT_NE(WriteMosaic(path, zeros), 0u);
  const auto reader = OpenOrFail(path);
  ASSERT_NE(reader, nullptr);
  EXPECT_FALSE(reader->KnownZero({0, 0, 64, 64})) << "nothing was decoded yet";
  std::vector<std::byte> read(64 * 64);
  ASSERT_TRUE(reader->Read({0, 0, 64, 64}, PadMode::kZero, absl::MakeSpan(read)).ok());
  EXPECT_EQ(TilesDecoded(*reader), 1);
  EXPECT_TRUE(reader->KnownZero({64 * 30, 64 * 30, 64 * 34, 64 * 34}));
  EXPECT_TRUE(reader->KnownZero({100, 100, 300, 300}));
  const Rect other = {1000 % 64 * 64, 1000 / 64 * 64, 64, 64};
  EXPECT_FALSE(reader->KnownZero(other));
  EXPECT_FALSE(reader->KnownZero({other.x - 1, other.y - 1, 2, 2}));
  ASSERT_TRUE(reader->Read(other, PadMode::kZero, absl::MakeSpan(read)).ok());
  EXPECT_FALSE(reader->KnownZero(other)) << "it holds something";
  EXPECT_EQ(TilesDecoded(*reader), 2);
}

TEST(ReaderAccess, DecodesTilesThatLieAtOnePlaceOnce) {
  TempFolder folder;
  // The bytes of the stored tile are damaged after it was read, so that decoding it again would
  // show.
  const std::string path = folder.path("equal.tif");
  const uint64_t first = WriteMosaic(path, {});
  ASSERT_NE(first, 0u);

  const auto reader = OpenOrFail(path);
  ASSERT_NE(reader, nullptr);
  std::vector<std::byte> read(100 * 100);
  ASSERT_TRUE(reader->Read({0, 0, 100, 100}, PadMode::kZero, absl::MakeSpan(read)).ok());
  struct stat before;
  ASSERT_EQ(stat(path.c_str(), &before), 0);
  FILE* file = std::fopen(path.c_str(), "r+");
  std::fseek(file, static_cast<long>(first), SEEK_SET);
  std::fputs("damaged", file);
  std::fclose(file);
  const timespec times[2] = {before.st_atim, before.st_mtim};  // as if nobody had touched it
  ASSERT_EQ(utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
  ASSERT_TRUE(reader->Read({3000, 3500, 100, 100}, PadMode::kZero, absl::MakeSpan(read)).ok());
  EXPECT_TRUE(read == std::vector<std::byte>(100 * 100, std::byte{'a'}));
  EXPECT_EQ(TilesDecoded(*reader), 1);
  // The control: who decodes it now sees the damage.
  ASSERT_TRUE(OpenOrFail(path)->Read({0, 0, 100, 100}, PadMode::kZero, absl::MakeSpan(read)).ok());
  EXPECT_EQ(read[0], std::byte{'d'});
}

TEST(ReaderAccess, RefusesTilesThatAreTooLargeToHold) {
  TempFolder folder;
  const CanvasFormat format = {{20, 20}, 1, SampleType::kU8};
  WriteByVips(folder.path("a.tif[tile,tile-width=4112,tile-height=4112]"), format,
              NoiseSamples(format, 1));
  const absl::Status status = ImageReader::Open(folder.path("a.tif"), {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), HasSubstr("its tiles have 4112x4112 pixels"));
}

TEST(ReaderMemory, IsAWindowOfRowsWhereRowsComeInOrder) {
  ImageInfo info;
  info.size = {16384, 16384};
  info.channels = 3;
  info.access = ImageAccess::kAnywhere;
  info.tile_bytes = 512 * 512 * 3;
  EXPECT_EQ(ReaderMemory(info, 512), TiledTiffReader::kCacheBytesMax + 8 * 512 * 512 * 3);
  info.size = {100, 100};
  EXPECT_EQ(ReaderMemory(info, 512), 100 * 100 * 3 + 9 * 512 * 512 * 3);
  info.size = {16384, 16384};
  info.access = ImageAccess::kTopDown;
  EXPECT_EQ(ReaderMemory(info, 512), (512 + 64) * 16384 * 3);
  EXPECT_EQ(ReaderMemory(info, 1 << 20), (16384 + 64) * 16384 * 3);
  info.access = ImageAccess::kWhole;
  info.file_bytes = 1000;
  EXPECT_EQ(ReaderMemory(info, 512), (512 + 64 + 16384) * 16384 * 3 + 1000);
}

TEST(ReaderMemory, OfADecodedCopyIsThatOfReadingTheCopy) {
  TempFolder folder;
  const CanvasFormat format = {{1500, 700}, 3, SampleType::kU8};
  WriteByOpenCv(folder.path("a.png"), format, SmoothSamples(format));
  std::unique_ptr<ImageReader> rows = OpenOrFail(folder.path("a.png"));
  ASSERT_EQ(rows->info().access, ImageAccess::kTopDown);
  const ImageInfo before = InfoOfCopy(rows->info());
  EXPECT_EQ(before.format, "png");
  const std::string copy = folder.path("copy.tif");
  ASSERT_TRUE(WriteDecodedCopy(*OpenOrFail(folder.path("a.png")), copy).ok());
  const auto anywhere = ReadAnywhere(std::move(rows), folder.path(""));
  ASSERT_TRUE(anywhere.ok()) << anywhere.status();
  const int64_t bytes = ReaderMemory(OpenOrFail(copy)->info(), 512);
  EXPECT_GT(bytes, 8 * 512 * 512 * 3);
  EXPECT_EQ(ReaderMemory((*anywhere)->info(), 512), bytes);
  EXPECT_EQ(ReaderMemory(before, 512), bytes);
}

TEST(DecoderMemory, IsWhatTheLibraryKeepsOfRowsThatComeInOrder) {
  ImageInfo info;
  info.size = {16384, 16384};
  info.channels = 3;
  info.access = ImageAccess::kAnywhere;
  EXPECT_EQ(DecoderMemory(info), 0);
  info.access = ImageAccess::kTopDown;
  EXPECT_EQ(DecoderMemory(info), (512 + 3 * 64) * 16384 * 3);
  info.size.height = 100;
  EXPECT_EQ(DecoderMemory(info), 100 * 16384 * 3) << "there are no more rows";
}

class Changed : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    name_ = GetParam();
    WriteByVips(folder_.path(name_), kFormat, NoiseSamples(kFormat, 1));
    path_ = folder_.path(Plain(name_));
    reader_ = OpenOrFail(path_);
    ASSERT_NE(reader_, nullptr);
    ASSERT_TRUE(Read(0).ok()) << Read(0);
  }
  absl::Status Read(int64_t y) {
    std::vector<std::byte> read(1100 * 100 * 3);
    return reader_->Read({0, y, 1100, 100}, PadMode::kZero, absl::MakeSpan(read));
  }
  void ExpectNoticed(const std::string& what) {
    const absl::Status status = Read(800);
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
    EXPECT_EQ(status.message(),
              absl::StrCat("reading ", path_, ": the file ", what,
                           " while it was read; submit the job again when nobody writes to it"));
    EXPECT_EQ(reader_->CheckUnchanged(), status);
  }

  TempFolder folder_;
  std::string name_;
  std::string path_;
  std::unique_ptr<ImageReader> reader_;
};

TEST_P(Changed, FileThatStaysIsRead) { EXPECT_TRUE(Read(800).ok()) << Read(800); }

TEST_P(Changed, BytesAreNoticed) {
  FILE* file = std::fopen(path_.c_str(), "r+");
  std::fseek(file, 20'000, SEEK_SET);
  std::fputs("other pixels", file);
  std::fclose(file);
  ExpectNoticed("was changed");
}

TEST_P(Changed, SizeIsNoticedAndKillsNobody) {
  std::filesystem::resize_file(path_, std::filesystem::file_size(path_) / 4);
  ExpectNoticed("was changed");
}

TEST_P(Changed, PathThatNamesAnotherFileIsNoticed) {
  std::filesystem::copy_file(path_, path_ + ".new");
  std::filesystem::rename(path_ + ".new", path_);
  ExpectNoticed("was replaced by another file");
}

TEST_P(Changed, PathThatIsGoneIsNoticed) {
  std::filesystem::remove(path_);
  ExpectNoticed("was removed");
}

INSTANTIATE_TEST_SUITE_P(Formats, Changed,
                         ::testing::Values("a.png", "a.jpg", "a.webp", "a.tif", "a.tif[tile]"));

}  // namespace
}  // namespace tilewright
