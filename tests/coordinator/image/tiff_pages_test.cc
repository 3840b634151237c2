// TIFFs of several images, made by another tool (tests/data/images): which of them are pages, what
// each page holds, and what is said of one that is not there.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <thread>

#include "absl/strings/str_cat.h"
#include "coordinator/image/image_reader.h"
#include "coordinator/image/tiff_pages.h"
#include "tests/coordinator/image/image_testing.h"

namespace tilewright {
namespace {

using ::testing::HasSubstr;

// The upper left part of the picture that make.py paints.
std::vector<std::byte> RampOf(Size size) {
  std::vector<std::byte> samples;
  for (int64_t y = 0; y < size.height; ++y) {
    for (int64_t x = 0; x < size.width; ++x) {
      for (int64_t c = 0; c < 3; ++c) {
        samples.push_back(static_cast<std::byte>((7 * x + 13 * y + 50 * c) % 256));
      }
    }
  }
  return samples;
}

std::unique_ptr<ImageReader> OpenPage(const std::string& path, int64_t page) {
  absl::StatusOr<std::unique_ptr<ImageReader>> reader = ImageReader::Open(path, {}, page);
  EXPECT_TRUE(reader.ok()) << reader.status();
  return reader.ok() ? *std::move(reader) : nullptr;
}

absl::Status StatusOfPage(const std::string& path, int64_t page) {
  return ImageReader::Open(path, {}, page).status();
}

template <typename Number>
void Put(std::string& bytes, size_t at, Number number) {
  std::memcpy(&bytes[at], &number, sizeof(number));
}

TEST(TiffPages, AreTheImagesThatAreNoPartOfAnother) {
  struct Page {
    Size size;
    ImageAccess access;
  };
  const std::vector<Page> pages = {{{40, 24}, ImageAccess::kAnywhere},
                                   {{20, 10}, ImageAccess::kTopDown},
                                   {{40, 24}, ImageAccess::kAnywhere}};
  for (size_t i = 0; i < pages.size(); ++i) {
    SCOPED_TRACE(i);
    const auto reader = OpenPage(DataFile("pages.tif"), static_cast<int64_t>(i));
    ASSERT_NE(reader, nullptr);
    EXPECT_EQ(reader->info().pages, 3);
    EXPECT_EQ(reader->info().size, pages[i].size);
    EXPECT_EQ(reader->info().access, pages[i].access);
    std::vector<std::byte> expected = RampOf(pages[i].size);
    if (i == 2) {
      for (std::byte& sample : expected) sample = ~sample;
    }
    EXPECT_TRUE(ReadAll(*reader) == expected);
  }
  EXPECT_EQ(OpenOrFail(DataFile("rgb16.tif"))->info().pages, 1);
  EXPECT_EQ(OpenOrFail(DataFile("rgb8.png"))->info().pages, 1);
}

TEST(TiffPages, AreReadBySeveralThreads) {
  const auto reader = OpenPage(DataFile("pages.tif"), 2);
  ASSERT_NE(reader, nullptr);
  const std::vector<std::byte> first = ReadAll(*OpenPage(DataFile("pages.tif"), 0));
  std::vector<std::thread> threads;
  std::atomic<int> wrong = 0;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20; ++i) {
        const std::vector<std::byte> read = ReadAll(*reader);
        if (!std::equal(read.begin(), read.end(), first.begin(),
                        [](std::byte a, std::byte b) { return a == ~b; })) {
          ++wrong;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(TiffPages, ThatAreNotThereAreRefusedWithTheirNumber) {
  EXPECT_EQ(
      StatusOfPage(DataFile("pages.tif"), 3),
      absl::OutOfRangeError(absl::StrCat("opening ", DataFile("pages.tif"),
                                         ": page 3 was asked for, and it has 3 pages, 0 to 2")));
  const absl::Status png = StatusOfPage(DataFile("rgb8.png"), 1);
  EXPECT_EQ(png.code(), absl::StatusCode::kOutOfRange) << png;
  EXPECT_THAT(std::string(png.message()),
              HasSubstr("page 1 was asked for, and it holds one image, page 0"));
}

TEST(TiffPages, OfAFileOfReducedImagesAloneIsTheFirst) {
  EXPECT_EQ(OpenPage(DataFile("reduced_only.tif"), 0)->info().pages, 1);
  EXPECT_EQ(StatusOfPage(DataFile("reduced_only.tif"), 1).code(), absl::StatusCode::kOutOfRange);
}

TEST(TiffPages, OfAPyramidAreTheImageAlone) {
  TempFolder folder;
  const CanvasFormat format = {{600, 520}, 3, SampleType::kU8};
  WriteByVips(folder.path("a.tif[tile,pyramid]"), format, SmoothSamples(format));
  EXPECT_EQ(ReadByLibtiff(folder.path("a.tif"), 1).format.size, (Size{300, 260}));
  EXPECT_EQ(OpenPage(folder.path("a.tif"), 0)->info().pages, 1);
}

TEST(TiffPages, WhoseChainIsDamagedAreRefused) {
  TempFolder folder;
  std::string bytes = ReadFile(DataFile("pages.tif"));
  // Where the last directory names the next one: behind its entries.
  const auto file = FileWatch::Open(DataFile("pages.tif"));
  ASSERT_TRUE(file.ok()) << file.status();
  const absl::StatusOr<TiffPage> last = FindTiffPage(**file, 2);
  ASSERT_TRUE(last.ok()) << last.status();
  uint16_t entries = 0;
  std::memcpy(&entries, &bytes[last->offset], sizeof(entries));
  const size_t next = last->offset + 2 + 12 * size_t{entries};
  const auto status_with = [&](uint32_t offset) {
    Put(bytes, next, offset);
    WriteFile(folder.path("a.tif"), bytes);
    return StatusOfPage(folder.path("a.tif"), 0);
  };
  EXPECT_TRUE(status_with(0).ok()) << status_with(0);
  for (const uint32_t offset : {uint32_t{8}, uint32_t{1'000'000}}) {
    const absl::Status damaged = status_with(offset);
    EXPECT_EQ(damaged.code(), absl::StatusCode::kDataLoss) << damaged;
    EXPECT_THAT(std::string(damaged.message()),
                HasSubstr(absl::StrCat(folder.path("a.tif"),
                                       ": the tiff file is truncated or "
                                       "damaged (behind directory 4: ")));
  }
}

TEST(TiffPages, AreNoMoreThanTheLimit) {
  struct Entry {
    uint16_t tag, type;
    uint32_t count, value;
  };
  // Grey, 1×1, in one strip.
  const std::vector<Entry> entries = {{256, 3, 1, 1}, {257, 3, 1, 1}, {258, 3, 1, 8},
                                      {259, 3, 1, 1}, {262, 3, 1, 1}, {273, 4, 1, 8},
                                      {277, 3, 1, 1}, {278, 3, 1, 1}, {279, 4, 1, 1}};
  const size_t directory_bytes = 2 + 12 * entries.size() + 4;
  const auto with = [&](int64_t count) {
    constexpr size_t kFirst = 10;
    std::string bytes(kFirst + static_cast<size_t>(count) * directory_bytes, '\0');
    bytes.replace(0, 4, std::string("II*\0", 4));
    Put(bytes, 4, static_cast<uint32_t>(kFirst));
    for (int64_t i = 0; i < count; ++i) {
      const size_t at = kFirst + static_cast<size_t>(i) * directory_bytes;
      Put(bytes, at, static_cast<uint16_t>(entries.size()));
      for (size_t e = 0; e < entries.size(); ++e) Put(bytes, at + 2 + 12 * e, entries[e]);
      const bool last = i + 1 == count;
      Put(bytes, at + directory_bytes - 4, static_cast<uint32_t>(last ? 0 : at + directory_bytes));
    }
    return bytes;
  };
  TempFolder folder;
  WriteFile(folder.path("few.tif"), with(300));
  EXPECT_EQ(OpenPage(folder.path("few.tif"), 299)->info().pages, 300);
  WriteFile(folder.path("many.tif"), with(kTiffDirectoriesMax + 1));
  const absl::Status status = StatusOfPage(folder.path("many.tif"), 0);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("more than 100000 directories"));
}

}  // namespace
}  // namespace tilewright
