// PNG, JPEG and WebP: made from the finished TIFF by a child process, which may fail in every way
// without harm.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <opencv2/imgcodecs.hpp>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "coordinator/image/export_process.h"
#include "coordinator/image/export_request.h"
#include "coordinator/image/output_file.h"
#include "tests/coordinator/image/image_testing.h"

namespace tilewright {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

OutputOptions Options(const std::string& path, const CanvasFormat& format) {
  OutputOptions options;
  options.path = path;
  options.format = format;
  options.export_program = ThisProgram();
  return options;
}

absl::Status Render(const OutputOptions& options, const std::vector<std::byte>& samples) {
  auto output = OutputFile::Create(options);
  if (!output.ok()) return output.status();
  const absl::Status written = WriteBlocks(**output, options.format, samples, 3);
  if (!written.ok()) return written;
  return (*output)->Publish();
}

TEST(Export, GivesPngTheSamePixels) {
  TempFolder folder;
  for (SampleType sample : {SampleType::kU8, SampleType::kU16}) {
    for (int channels = sample == SampleType::kU8 ? 1 : 3; channels <= 4; ++channels) {
      SCOPED_TRACE(absl::StrCat(SampleTypeName(sample), " x ", channels));
      const CanvasFormat format = {{520, 45}, channels, sample};
      const std::vector<std::byte> samples = NoiseSamples(format, 9);
      OutputOptions options = Options(folder.path("a.png"), format);
      options.overwrite = true;
      const absl::Status rendered = Render(options, samples);
      ASSERT_TRUE(rendered.ok()) << rendered;
      EXPECT_THAT(folder.List(), ElementsAre("a.png"));
      const auto reader = OpenOrFail(options.path);
      ASSERT_NE(reader, nullptr);
      EXPECT_EQ(reader->info().format, "png");
      EXPECT_EQ(reader->info().sample, sample);
      EXPECT_EQ(reader->info().channels, channels);
      EXPECT_TRUE(ReadAll(*reader) == samples);
      if (channels != 2) {
        const cv::Mat theirs = cv::imread(options.path, cv::IMREAD_UNCHANGED);
        EXPECT_EQ(cv::norm(ToMat(format, samples), theirs, cv::NORM_INF), 0.0) << "by OpenCV";
      }
    }
  }
}

TEST(Export, GivesJpegAndWebpNearlyTheSamePixels) {
  TempFolder folder;
  for (const char* name : {"a.jpg", "a.webp"}) {
    SCOPED_TRACE(name);
    const CanvasFormat format = {{600, 515}, 3, SampleType::kU8};
    const std::vector<std::byte> samples = SmoothSamples(format);
    const absl::Status rendered = Render(Options(folder.path(name), format), samples);
    ASSERT_TRUE(rendered.ok()) << rendered;
    const cv::Mat theirs = cv::imread(folder.path(name), cv::IMREAD_UNCHANGED);
    ASSERT_EQ(theirs.cols, 600);
    EXPECT_LE(cv::norm(ToMat(format, samples), theirs, cv::NORM_INF), 12.0);
  }
  EXPECT_THAT(folder.List(), ElementsAre("a.jpg", "a.webp"));
}

TEST(Export, TurnsUprightWhatTheTiffKeepsAsStored) {
  TempFolder folder;
  const CanvasFormat format = {{7, 5}, 3, SampleType::kU8};
  const std::vector<std::byte> samples = NoiseSamples(format, 9);
  const cv::Mat stored = ToMat(format, samples);
  for (int orientation = 1; orientation <= 8; ++orientation) {
    SCOPED_TRACE(absl::StrCat("orientation ", orientation));
    // What the tag means: where row 0 and column 0 of the stored image are in the picture.
    cv::Mat upright;
    switch (orientation) {
      case 2:
        cv::flip(stored, upright, 1);
        break;
      case 3:
        cv::flip(stored, upright, -1);
        break;
      case 4:
        cv::flip(stored, upright, 0);
        break;
      case 5:
        cv::transpose(stored, upright);
        break;
      case 6:
        cv::rotate(stored, upright, cv::ROTATE_90_CLOCKWISE);
        break;
      case 7:
        cv::transpose(stored, upright);
        cv::flip(upright, upright, -1);
        break;
      case 8:
        cv::rotate(stored, upright, cv::ROTATE_90_COUNTERCLOCKWISE);
        break;
      default:
        upright = stored;
    }
    OutputOptions options = Options(folder.path("a.tif"), format);
    options.metadata.orientation = orientation;
    options.overwrite = true;
    const absl::Status rendered = Render(options, samples);
    ASSERT_TRUE(rendered.ok()) << rendered;
    // Not as a child: starting one takes longer than all the rest.
    std::vector<std::string> words{folder.path("a.tif"), folder.path("a.png")};
    for (std::string& word : ExportWords({OutputKind::kPng, format.size, {}, false})) {
      words.push_back(std::move(word));
    }
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    ASSERT_EQ(RunExportChild(arguments), 0);
    const cv::Mat png = cv::imread(folder.path("a.png"), cv::IMREAD_UNCHANGED);
    ASSERT_EQ(png.size(), upright.size());
    EXPECT_EQ(cv::norm(upright, png, cv::NORM_INF), 0.0);
    EXPECT_EQ(OpenOrFail(folder.path("a.png"))->info().metadata.orientation, 1);
    const auto tiff = OpenOrFail(folder.path("a.tif"));
    EXPECT_EQ(tiff->info().metadata.orientation, orientation);
    EXPECT_TRUE(ReadAll(*tiff) == samples);
  }
}

TEST(Export, KeepsProfileAndResolution) {
  TempFolder folder;
  const CanvasFormat format = {{30, 20}, 3, SampleType::kU8};
  for (const char* name : {"a.png", "a.jpg", "a.webp"}) {
    SCOPED_TRACE(name);
    OutputOptions options = Options(folder.path(name), format);
    options.metadata.icc_profile = SrgbProfile();
    options.metadata.x_pixels_per_mm = 300 / 25.4;
    options.metadata.y_pixels_per_mm = 150 / 25.4;
    const absl::Status rendered = Render(options, SmoothSamples(format));
    ASSERT_TRUE(rendered.ok()) << rendered;
    const auto reader = OpenOrFail(options.path);
    ASSERT_NE(reader, nullptr);
    EXPECT_TRUE(reader->info().metadata.icc_profile == options.metadata.icc_profile);
    EXPECT_NEAR(reader->info().metadata.x_pixels_per_mm, 300 / 25.4, 1e-3);
    EXPECT_NEAR(reader->info().metadata.y_pixels_per_mm, 150 / 25.4, 1e-3);
  }
}

class FailingChild : public ::testing::Test {
 protected:
  // Renders with `script` as the export program.
  absl::Status RenderWith(const std::string& script) {
    WriteScript(tools_.path("child"), script);
    OutputOptions options = Options(folder_.path("a.png"), {{20, 20}, 3, SampleType::kU8});
    options.export_program = tools_.path("child");
    return Render(options, NoiseSamples(options.format, 1));
  }
  std::string Doing() const {
    return absl::StrCat("exporting png to ", folder_.path("a.png.export"));
  }

  TempFolder tools_;
  TempFolder folder_;
};

TEST_F(FailingChild, GetsWhatItNeedsOnItsCommandLine) {
  const absl::Status status = RenderWith("echo \"$# $*\" >&2; exit 1");
  EXPECT_EQ(status, absl::InternalError(absl::StrCat(
                        Doing(), ": 12 --export-child ", folder_.path("a.png.partial"), " ",
                        folder_.path("a.png.export"), " png 20 20 95 deflate 1 512 alone means")));
}

TEST_F(FailingChild, ThatExitsIsQuotedAndLeavesNothingBehind) {
  EXPECT_EQ(RenderWith("echo partly > \"$3\"; echo first >&2; echo second >&2; exit 3"),
            absl::InternalError(absl::StrCat(Doing(), ": first; second")));
  EXPECT_THAT(folder_.List(), IsEmpty());
  EXPECT_EQ(RenderWith("exit 3"),
            absl::InternalError(absl::StrCat(Doing(), ": the export process gave no reason")));
}

TEST_F(FailingChild, ThatCrashesOrIsKilledIsAnError) {
  const absl::Status crashed = RenderWith("echo partly > \"$3\"; kill -SEGV $$");
  EXPECT_EQ(crashed.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(crashed.message()),
              StartsWith(absl::StrCat(
                  Doing(), ": the export process died of signal 11 (Segmentation fault)")));
  EXPECT_THAT(folder_.List(), IsEmpty());
  const absl::Status killed = RenderWith("kill -KILL $$");
  EXPECT_THAT(std::string(killed.message()), HasSubstr("died of signal 9 (Killed)"));
  EXPECT_THAT(folder_.List(), IsEmpty());
}

TEST_F(FailingChild, ThatTalksTooMuchIsCutShort) {
  const absl::Status status = RenderWith("head -c 1000000 /dev/zero | tr '\\0' x >&2; exit 1");
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_EQ(status.message().size(), Doing().size() + 2 + 1000);
}

TEST_F(FailingChild, ThatSaysTheDiskIsFullIsResourceExhausted) {
  const absl::Status status = RenderWith("echo 'write: No space left on device' >&2; exit 1");
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), HasSubstr("make room there"));
}

TEST_F(FailingChild, ThatCannotBeStartedIsNamed) {
  OutputOptions options = Options(folder_.path("a.png"), {{20, 20}, 3, SampleType::kU8});
  options.export_program = folder_.path("missing");
  EXPECT_EQ(Render(options, NoiseSamples(options.format, 1)),
            absl::FailedPreconditionError(
                absl::StrCat(Doing(), ": the program '", folder_.path("missing"),
                             "' cannot be started: No such file or directory")));
  EXPECT_THAT(folder_.List(), IsEmpty());
}

TEST_F(FailingChild, ThatHangsIsEnded) {
  WriteScript(tools_.path("child"), "echo working >&2; exec sleep 1000");
  const absl::Time start = absl::Now();
  const absl::Status status =
      RunExportProcess({tools_.path("child"), "from", "to", {}}, absl::Milliseconds(500));
  EXPECT_LT(absl::Now() - start, absl::Seconds(30));
  EXPECT_EQ(status, absl::DeadlineExceededError(
                        "exporting png to to: the export process was ended after 500ms (working)"));
}

TEST_F(FailingChild, WhoseExitStatusIsLostIsNotTakenForASuccess) {
  WriteScript(tools_.path("child"), "exit 0");
  auto* const handler = signal(SIGCHLD, SIG_IGN);
  const absl::Status status =
      RunExportProcess({tools_.path("child"), "from", "to", {}}, absl::Minutes(1));
  signal(SIGCHLD, handler);
  EXPECT_EQ(status, absl::InternalError("exporting png to to: the export process ended and its "
                                        "exit status was lost"));
}

TEST(Export, OfADamagedTiffIsAnErrorWithAReason) {
  TempFolder folder;
  WriteFile(folder.path("a.tif"), "II+ but not a TIFF");
  const absl::Status status = RunExportProcess(
      {ThisProgram(), folder.path("a.tif"), folder.path("a.png"), {}}, absl::Minutes(1));
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr(absl::StrCat("opening ", folder.path("a.tif"), ": ")));
}

TEST(Export, ToAFullDiskIsAnErrorAndLeavesNothingBehind) {
  TempFolder folder;
  const std::string disk = folder.path("disk");
  ASSERT_EQ(mkdir(disk.c_str(), 0755), 0);
  if (mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=2m") != 0) {
    GTEST_SKIP() << "no right to mount a small disk";
  }
  const absl::Cleanup unmount = [&] { umount2(disk.c_str(), MNT_DETACH); };
  // Room for the TIFF (0.8 MB a block), not for TIFF and PNG of noise.
  const CanvasFormat format = {{700, 500}, 3, SampleType::kU8};
  const absl::Status status = Render(Options(disk + "/a.png", format), NoiseSamples(format, 1));
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(disk + "/a.png.export"));
  struct stat file;
  EXPECT_NE(stat((disk + "/a.png.export").c_str(), &file), 0);
  EXPECT_NE(stat((disk + "/a.png.partial").c_str(), &file), 0);
  EXPECT_NE(stat((disk + "/a.png").c_str(), &file), 0);
}

}  // namespace
}  // namespace tilewright
