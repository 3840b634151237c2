// Decoding in a child process: the pixels come through, and whatever a file does to the child is an
// error with a reason, with nothing left behind.

#include "coordinator/image/decode_process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/coordinator/image/image_testing.h"

namespace tilewright {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;

class DecodeProcess : public ::testing::Test {
 protected:
  DecodeProcess() {
    command_.program = ThisProgram();
    command_.from = folder_.path("sent");
    command_.to = folder_.path("decoded.tif");
    command_.file_bytes_max = int64_t{1} << 30;
  }

  // Writes the picture as `name` and sends that.
  void Send(const std::string& name) {
    WriteByVips(folder_.path(name), kFormat, samples_);
    command_.from = folder_.path(name.substr(0, name.find('[')));
  }
  absl::Status Fail() {
    const size_t before = folder_.List().size();
    const auto pages = RunDecodeProcess(command_);
    EXPECT_FALSE(pages.ok());
    EXPECT_EQ(folder_.List().size(), before) << "something was left behind";
    return pages.status();
  }

  static constexpr CanvasFormat kFormat = {{700, 530}, 3, SampleType::kU8};
  TempFolder folder_;
  DecodeCommand command_;
  const std::vector<std::byte> samples_ = NoiseSamples(kFormat, 1);
};

TEST_F(DecodeProcess, GivesThePixelsAsATiledTiff) {
  for (const char* name : {"a.png", "a.tif", "b.tif[tile,compression=deflate]", "a.webp[lossless]",
                           "c.png[interlace]"}) {
    SCOPED_TRACE(name);
    Send(name);
    command_.to =
        folder_.path(absl::StrCat("of-", command_.from.substr(command_.from.size() - 5), ".tif"));
    EXPECT_EQ(RunDecodeProcess(command_), absl::StatusOr<int64_t>(1));
    const auto reader = OpenOrFail(command_.to);
    ASSERT_NE(reader, nullptr);
    EXPECT_EQ(reader->info().access, ImageAccess::kAnywhere);
    EXPECT_TRUE(ReadAll(*reader) == samples_);
  }
}

TEST_F(DecodeProcess, KeepsThePageThatIsAskedForAndTellsHowManyThereAre) {
  command_.from = DataFile("pages.tif");  // two pages of a size, the second the first's negative
  EXPECT_EQ(RunDecodeProcess(command_), absl::StatusOr<int64_t>(3));
  const auto first = OpenOrFail(command_.to);
  command_.page = 2;
  command_.to = folder_.path("third.tif");
  EXPECT_EQ(RunDecodeProcess(command_), absl::StatusOr<int64_t>(3));
  const auto third = OpenOrFail(command_.to);
  ASSERT_TRUE(first != nullptr && third != nullptr);
  EXPECT_EQ(third->info().pages, 1);
  std::vector<std::byte> negative = ReadAll(*first);
  for (std::byte& sample : negative) sample = ~sample;
  EXPECT_TRUE(ReadAll(*third) == negative);

  command_.to = folder_.path("none.tif");
  command_.page = 3;
  const absl::Status none = Fail();
  EXPECT_EQ(none.code(), absl::StatusCode::kOutOfRange) << none;
  EXPECT_THAT(std::string(none.message()),
              HasSubstr("page 3 was asked for, and it has 3 pages, 0 to 2"));
}

TEST_F(DecodeProcess, LeavesAnArrayAsItIs) {
  // As a TIFF, its two channels would be grey and alpha.
  const std::string array = NpyFile("'<f4'", "(5, 3, 2)", std::string(5 * 3 * 2 * 4, 'x'));
  WriteFile(command_.from, array);
  EXPECT_EQ(RunDecodeProcess(command_), absl::StatusOr<int64_t>(1));
  EXPECT_EQ(ReadFile(command_.to), array);
  command_.to = folder_.path("other.tif");
  WriteFile(command_.from, array + "x");
  EXPECT_EQ(Fail().code(), absl::StatusCode::kDataLoss);
}

TEST_F(DecodeProcess, SaysWhyAFileCannotBeDecoded) {
  Send("a.png");
  WriteFile(command_.from, ReadFile(command_.from).substr(0, 50'000));
  const absl::Status truncated = Fail();
  EXPECT_EQ(truncated.code(), absl::StatusCode::kDataLoss) << truncated;
  EXPECT_THAT(std::string(truncated.message()), HasSubstr("is truncated or damaged"));
  WriteFile(command_.from, "no image at all");
  const absl::Status other = Fail();
  EXPECT_EQ(other.code(), absl::StatusCode::kInvalidArgument) << other;
  EXPECT_THAT(std::string(other.message()), HasSubstr("it is not an image that can be read"));
}

TEST_F(DecodeProcess, RefusesWhatDecodesToTooMuchByItsHeader) {
  Send("a.png");
  WriteFile(command_.from, ReadFile(command_.from).substr(0, 300));  // the header alone
  command_.limits.decoded_bytes_max = 700 * 530 * 3 - 1;
  EXPECT_EQ(Fail().code(), absl::StatusCode::kResourceExhausted);
  command_.limits = {699, 1 << 30};
  EXPECT_EQ(Fail().code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(DecodeProcess, WritesNoMoreThanItMay) {
  Send("a.png");
  command_.file_bytes_max = 500'000;
  const absl::Status status = Fail();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
}

TEST_F(DecodeProcess, ThatWantsTooMuchMemoryIsAnError) {
  // An interlaced PNG of 60000 × 60000 pixels, of which there is the header alone: decoded it would
  // be held whole, in 10 GB. The header's checksum is libpng's to look at, so it is a real one.
  Send("a.png[interlace]");
  std::string png = ReadFile(command_.from).substr(0, 5000);
  for (const size_t at : {16u, 20u}) png.replace(at, 4, std::string("\x00\x00\xea\x60", 4));
  uint32_t crc = 0xffffffff;
  for (size_t i = 12; i < 29; ++i) {
    crc ^= static_cast<uint8_t>(png[i]);
    for (int bit = 0; bit < 8; ++bit) crc = crc & 1 ? crc >> 1 ^ 0xedb88320 : crc >> 1;
  }
  crc = ~crc;
  for (size_t i = 0; i < 4; ++i) png[29 + i] = static_cast<char>(crc >> (24 - 8 * i));
  WriteFile(command_.from, png);
  EXPECT_THAT(Fail().code(),
              AnyOf(absl::StatusCode::kDataLoss, absl::StatusCode::kResourceExhausted));
}

TEST_F(DecodeProcess, ThatDiesIsAnErrorThatSaysHow) {
  Send("a.png");
  command_.program = folder_.path("child");
  WriteScript(command_.program,
              "echo half > \"$3.partial\"; echo looking at it >&2; kill -SEGV $$");
  const absl::Status died = Fail();
  EXPECT_EQ(died.code(), absl::StatusCode::kDataLoss) << died;
  EXPECT_THAT(std::string(died.message()),
              HasSubstr("its process died of signal 11 (Segmentation fault)"));
  EXPECT_THAT(std::string(died.message()), HasSubstr("it said: looking at it"));
  WriteScript(command_.program, "exit 3");
  EXPECT_EQ(Fail().code(), absl::StatusCode::kDataLoss);
  command_.program = folder_.path("missing");
  EXPECT_EQ(Fail().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace tilewright
