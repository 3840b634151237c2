// Files that are no images, or no longer: a typed error with a sentence, and never made-up pixels.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "coordinator/image/image_reader.h"
#include "tests/coordinator/image/image_testing.h"

namespace tilewright {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;

absl::Status OpenStatus(const std::string& path) { return ImageReader::Open(path, {}).status(); }

TEST(ImageDamage, OfAFileThatIsNoImageSaysWhatItIs) {
  TempFolder folder;
  const absl::Status missing = OpenStatus(folder.path("missing.png"));
  EXPECT_EQ(missing, absl::NotFoundError(absl::StrCat("opening ", folder.path("missing.png"),
                                                      ": No such file or directory")));
  WriteFile(folder.path("empty.png"), "");
  EXPECT_EQ(OpenStatus(folder.path("empty.png")),
            absl::InvalidArgumentError(
                absl::StrCat("opening ", folder.path("empty.png"), ": the file is empty")));
  EXPECT_EQ(OpenStatus(folder.path("")),
            absl::InvalidArgumentError(
                absl::StrCat("opening ", folder.path(""), ": it is a folder; name an image file")));
  ASSERT_EQ(mkfifo(folder.path("pipe").c_str(), 0600), 0);
  EXPECT_EQ(
      OpenStatus(folder.path("pipe")),
      absl::InvalidArgumentError(absl::StrCat("opening ", folder.path("pipe"),
                                              ": it is not a regular file; name an image file")));
  for (const std::string& text :
       {std::string("hello"), std::string(100'000, 'x'), std::string("\x89PNG but not really"),
        std::string("<svg xmlns='http://www.w3.org/2000/svg' width='4' height='4'/>")}) {
    WriteFile(folder.path("text.png"), text);
    const absl::Status not_an_image = OpenStatus(folder.path("text.png"));
    EXPECT_EQ(not_an_image.code(), absl::StatusCode::kInvalidArgument) << not_an_image;
    EXPECT_THAT(std::string(not_an_image.message()), HasSubstr(folder.path("text.png")));
  }
}

TEST(ImageDamage, OfAFileThatMayNotBeReadSaysSo) {
  TempFolder folder;
  WriteFile(folder.path("secret.png"), "x");
  ASSERT_EQ(chmod(folder.path("secret.png").c_str(), 0), 0);
  // Root may read everything.
  const bool root = geteuid() == 0;
  ASSERT_TRUE(!root || seteuid(65534) == 0);
  const absl::Status status = OpenStatus(folder.path("secret.png"));
  ASSERT_TRUE(!root || seteuid(0) == 0);
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(status.message(),
            absl::StrCat("opening ", folder.path("secret.png"),
                         ": Permission denied; check the permissions of the file and its folder"));
}

class Truncated : public ::testing::TestWithParam<const char*> {};

TEST_P(Truncated, FileIsAnErrorWhereverItEnds) {
  TempFolder folder;
  const CanvasFormat format = {{400, 300}, 3, SampleType::kU8};
  const std::string name = GetParam();
  WriteByVips(folder.path(name), format, SmoothSamples(format));
  const std::string path = folder.path(name.substr(0, name.find('[')));
  ASSERT_TRUE(TryToRead(path).ok()) << TryToRead(path);
  const std::string bytes = ReadFile(path);
  for (size_t kept = 1; kept < 40; ++kept) {
    WriteFile(path, bytes.substr(0, bytes.size() * kept / 40));
    const absl::Status status = TryToRead(path);
    EXPECT_THAT(status.code(),
                AnyOf(absl::StatusCode::kDataLoss, absl::StatusCode::kInvalidArgument))
        << kept << "/40 of the file: " << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(path));
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, Truncated,
                         ::testing::Values("a.png", "a.jpg", "a.jpg[interlace]", "a.tif",
                                           "a.tif[compression=deflate]", "a.tif[tile]",
                                           "a.tif[tile,compression=lzw]", "a.webp",
                                           "a.png[interlace]", "a.tif[compression=zstd]"));

TEST(ImageDamage, IsReportedAgainAndToEveryThread) {
  TempFolder folder;
  const CanvasFormat format = {{400, 300}, 3, SampleType::kU8};
  WriteByOpenCv(folder.path("a.png"), format, NoiseSamples(format, 1));
  const std::string bytes = ReadFile(folder.path("a.png"));
  WriteFile(folder.path("a.png"), bytes.substr(0, bytes.size() / 2));
  const auto reader = OpenOrFail(folder.path("a.png"));
  ASSERT_NE(reader, nullptr);
  std::vector<std::byte> pixel(3);
  const absl::Status first = reader->Read({0, 299, 1, 1}, PadMode::kZero, absl::MakeSpan(pixel));
  EXPECT_EQ(first.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(first.message()),
              HasSubstr(absl::StrCat("reading ", folder.path("a.png"),
                                     ": the png file is truncated or damaged (")));
  EXPECT_EQ(reader->Read({9, 299, 1, 1}, PadMode::kZero, absl::MakeSpan(pixel)), first);
}

TEST(ImageDamage, InsideAFileIsAnErrorToo) {
  TempFolder folder;
  const CanvasFormat format = {{400, 300}, 3, SampleType::kU8};
  for (const char* name : {"a.png", "a.jpg"}) {
    SCOPED_TRACE(name);
    WriteByOpenCv(folder.path(name), format, NoiseSamples(format, 1));
    std::string bytes = ReadFile(folder.path(name));
    // In a JPEG, which has no checksum, only what cannot be decoded shows: here markers in the
    // middle of the data.
    for (size_t i = 0; i < 64; ++i) bytes[bytes.size() / 2 + i] = i % 2 == 0 ? '\xff' : '\x11';
    WriteFile(folder.path(name), bytes);
    EXPECT_EQ(TryToRead(folder.path(name)).code(), absl::StatusCode::kDataLoss);
  }
}

TEST(ImageDamage, OfOneFileLeavesOthersReadable) {
  TempFolder folder;
  const CanvasFormat format = {{40, 30}, 3, SampleType::kU8};
  const std::vector<std::byte> samples = NoiseSamples(format, 1);
  WriteByOpenCv(folder.path("good.png"), format, samples);
  WriteFile(folder.path("bad.png"), ReadFile(folder.path("good.png")).substr(0, 600));
  EXPECT_FALSE(TryToRead(folder.path("bad.png")).ok());
  const auto reader = OpenOrFail(folder.path("good.png"));
  ASSERT_NE(reader, nullptr);
  EXPECT_TRUE(ReadAll(*reader) == samples);
}

}  // namespace
}  // namespace tilewright
