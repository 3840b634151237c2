// NumPy array files as inputs.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "coordinator/image/image_reader.h"
#include "tests/coordinator/image/image_testing.h"

namespace tilewright {
namespace {

using ::testing::HasSubstr;

std::string Text(const std::vector<std::byte>& samples) {
  return {reinterpret_cast<const char*>(samples.data()), samples.size()};
}

TEST(NpyReader, GivesTheSamplesAsTheyAre) {
  TempFolder folder;
  const std::string path = folder.path("no extension needed");
  const struct {
    SampleType sample;
    const char* descr;
  } kTypes[] = {
      {SampleType::kU8, "'|u1'"}, {SampleType::kU16, "'<u2'"}, {SampleType::kF32, "'<f4'"}};
  for (const auto& type : kTypes) {
    for (const int channels : {1, 2, 3, 4, 64}) {
      SCOPED_TRACE(absl::StrCat(channels, " x ", type.descr));
      const std::vector<std::byte> samples = NoiseSamples({{37, 11}, channels, type.sample}, 3);
      WriteFile(path, NpyFile(type.descr, absl::StrCat("(11, 37, ", channels, ")"), Text(samples)));
      const auto reader = OpenOrFail(path);
      ASSERT_NE(reader, nullptr);
      const ImageInfo& info = reader->info();
      EXPECT_EQ(info.size, (Size{37, 11}));
      EXPECT_EQ(info.channels, channels);
      EXPECT_EQ(info.sample, type.sample);
      EXPECT_EQ(info.access, ImageAccess::kAnywhere);
      EXPECT_EQ(info.array, channels != 1 && channels != 3);
      EXPECT_FALSE(info.has_alpha);
      EXPECT_EQ(ReaderMemory(info, 512), 0);
      EXPECT_TRUE(ReadAll(*reader) == samples);
    }
  }
}

TEST(NpyReader, ReadsAnyRectangleInAnyOrder) {
  TempFolder folder;
  const CanvasFormat format = {{37, 11}, 4, SampleType::kF32, /*array=*/true};
  const std::vector<std::byte> samples = NoiseSamples(format, 3);
  WriteFile(folder.path("a.npy"), NpyFile("'<f4'", "(11, 37, 4)", Text(samples)));
  const auto reader = OpenOrFail(folder.path("a.npy"));
  ASSERT_NE(reader, nullptr);
  constexpr int64_t kPixel = 16;
  for (const Rect& rect : {Rect{30, 8, 20, 9}, Rect{5, 2, 7, 6}, Rect{0, 3, 37, 4},
                           Rect{0, 0, 37, 20}, Rect{36, 10, 1, 1}}) {
    SCOPED_TRACE(ToString(rect));
    std::vector<std::byte> got(static_cast<size_t>(rect.area() * kPixel), std::byte{1});
    const absl::Status status = reader->Read(rect, PadMode::kReplicate, absl::MakeSpan(got));
    ASSERT_TRUE(status.ok()) << status;
    for (int64_t y = 0; y < rect.height; ++y) {
      for (int64_t x = 0; x < rect.width; ++x) {
        const int64_t from =
            (std::min<int64_t>(rect.y + y, 10) * 37 + std::min<int64_t>(rect.x + x, 36)) * kPixel;
        ASSERT_TRUE(std::equal(samples.begin() + from, samples.begin() + from + kPixel,
                               got.begin() + (y * rect.width + x) * kPixel))
            << x << "," << y;
      }
    }
  }
}

TEST(NpyReader, RefusesAFileThatIsNotAsLongAsItsHeaderTells) {
  TempFolder folder;
  const std::string path = folder.path("a.npy");
  const std::string good = NpyFile("'|u1'", "(10, 20)", std::string(200, 'x'));
  WriteFile(path, good);
  EXPECT_TRUE(TryToRead(path).ok()) << TryToRead(path);
  for (const std::string& bad : {good.substr(0, good.size() - 1), good + "x"}) {
    WriteFile(path, bad);
    EXPECT_EQ(TryToRead(path),
              absl::DataLossError(absl::StrCat("opening ", path,
                                               ": its header tells of 328 bytes, and the file has ",
                                               bad.size(), ": save the array again")));
  }
  WriteFile(path, good.substr(0, 50));
  EXPECT_EQ(TryToRead(path), absl::InvalidArgumentError(absl::StrCat(
                                 "opening ", path, ": its .npy header is damaged: it ends early")));
}

TEST(NpyReader, KeepsTheLimitsByTheHeaderAlone) {
  TempFolder folder;
  const std::string path = folder.path("a.npy");
  WriteFile(path, NpyFile("'<f4'", "(10, 20, 4)", std::string(3200, 'x')));
  EXPECT_TRUE(ImageReader::Open(path, {20, 3200}).ok());
  EXPECT_EQ(ImageReader::Open(path, {19, 3200}).status().code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ImageReader::Open(path, {20, 3199}).status().code(),
            absl::StatusCode::kResourceExhausted);
  // Products beyond 64 bits.
  WriteFile(path, NpyFile("'<f4'", "(9223372036854775807, 9223372036854775807, 64)", "x"));
  EXPECT_EQ(ImageReader::Open(path, {}).status().code(), absl::StatusCode::kResourceExhausted);
}

TEST(NpyReader, NoticesThatTheFileWasChanged) {
  TempFolder folder;
  const std::string path = folder.path("a.npy");
  WriteFile(path, NpyFile("'|u1'", "(100, 200)", std::string(20'000, 'x')));
  const auto reader = OpenOrFail(path);
  ASSERT_NE(reader, nullptr);
  std::vector<std::byte> row(200);
  ASSERT_TRUE(reader->Read({0, 99, 200, 1}, PadMode::kZero, absl::MakeSpan(row)).ok());
  WriteFile(path, NpyFile("'|u1'", "(100, 200)", std::string(10'000, 'x')));
  EXPECT_EQ(reader->Read({0, 99, 200, 1}, PadMode::kZero, absl::MakeSpan(row)).code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST(NpyReader, HasOnePage) {
  TempFolder folder;
  const std::string path = folder.path("a.npy");
  WriteFile(path, NpyFile("'|u1'", "(1, 2)", "xx"));
  EXPECT_TRUE(ImageReader::Open(path, {}, 0).ok());
  EXPECT_EQ(ImageReader::Open(path, {}, 1).status().code(), absl::StatusCode::kOutOfRange);
}

}  // namespace
}  // namespace tilewright
