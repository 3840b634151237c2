// What the world does to an output file: it exists, belongs to another job, may not be written, or
// the disk is full.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "coordinator/image/encoder_pool.h"
#include "coordinator/image/file_error.h"
#include "coordinator/image/output_file.h"
#include "tests/coordinator/image/image_testing.h"

namespace tilewright {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr CanvasFormat kFormat = {{1500, 1500}, 3, SampleType::kU8};

OutputOptions Options(const std::string& path) {
  OutputOptions options;
  options.path = path;
  options.format = kFormat;
  return options;
}

absl::Status CreateStatus(const OutputOptions& options) {
  return OutputFile::Create(options).status();
}

// Writes noise, which no compression makes smaller, and publishes; the first error.
absl::Status Render(const OutputOptions& options) {
  auto output = OutputFile::Create(options);
  if (!output.ok()) return output.status();
  const absl::Status written =
      WriteBlocks(**output, options.format, NoiseSamples(options.format, 1), 1);
  if (!written.ok()) return written;
  return (*output)->Publish();
}

TEST(OutputFault, AnExistingOutputIsKeptUnlessTold) {
  TempFolder folder;
  OutputOptions options = Options(folder.path("a.tif"));
  WriteFile(options.path, "precious");
  EXPECT_EQ(CreateStatus(options),
            absl::AlreadyExistsError(
                absl::StrCat("output ", options.path, " exists; use --overwrite to replace it")));
  EXPECT_EQ(ReadFile(options.path), "precious");
  EXPECT_THAT(folder.List(), ElementsAre("a.tif"));
  options.overwrite = true;
  const absl::Status rendered = Render(options);
  EXPECT_TRUE(rendered.ok()) << rendered;
  EXPECT_NE(OpenOrFail(options.path), nullptr);
}

TEST(OutputFault, AnOutputThatAppearsMeanwhileIsKept) {
  TempFolder folder;
  const OutputOptions options = Options(folder.path("a.tif"));
  auto output = OutputFile::Create(options);
  ASSERT_TRUE(output.ok()) << output.status();
  ASSERT_TRUE(WriteBlocks(**output, kFormat, NoiseSamples(kFormat, 1), 1).ok());
  WriteFile(options.path, "precious");
  const absl::Status published = (*output)->Publish();
  EXPECT_EQ(published.code(), absl::StatusCode::kAlreadyExists) << published;
  EXPECT_EQ(ReadFile(options.path), "precious");
  output->reset();
  EXPECT_THAT(folder.List(), ElementsAre("a.tif"));
}

TEST(OutputFault, ASecondJobOnOneOutputIsRefusedEvenWithOverwrite) {
  TempFolder folder;
  OutputOptions options = Options(folder.path("a.tif"));
  auto first = OutputFile::Create(options);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(CreateStatus(options),
            absl::AlreadyExistsError(
                absl::StrCat(options.path,
                             ".partial exists: another job writes this output, or one that died "
                             "left it; if no job does, use --continue to go on from it or "
                             "--overwrite to replace it")));
  options.overwrite = true;
  EXPECT_EQ(CreateStatus(options), absl::AlreadyExistsError(absl::StrCat(
                                       options.path,
                                       ".partial is being written by another job; wait for it "
                                       "or choose another output")));
  ASSERT_TRUE(WriteBlocks(**first, kFormat, NoiseSamples(kFormat, 1), 1).ok());
  EXPECT_TRUE((*first)->Publish().ok());
  EXPECT_THAT(folder.List(), ElementsAre("a.tif"));
}

TEST(OutputFault, APartialFileOfADeadJobIsReplacedOnlyWhenTold) {
  TempFolder folder;
  OutputOptions options = Options(folder.path("a.tif"));
  WriteFile(options.path + ".partial", "left over");
  EXPECT_EQ(CreateStatus(options).code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(CreateStatus(options).message()), HasSubstr("--overwrite to replace it"));
  EXPECT_EQ(ReadFile(options.path + ".partial"), "left over");
  options.overwrite = true;
  const absl::Status rendered = Render(options);
  EXPECT_TRUE(rendered.ok()) << rendered;
  EXPECT_THAT(folder.List(), ElementsAre("a.tif"));
}

TEST(OutputFault, AFolderThatIsNotThereOrIsTheOutputItselfIsNamed) {
  TempFolder folder;
  EXPECT_EQ(
      CreateStatus(Options(folder.path("no/a.tif"))),
      absl::NotFoundError(absl::StrCat("creating output ", folder.path("no/a.tif"), ": its folder ",
                                       folder.path("no"), " does not exist; create it first")));
  ASSERT_EQ(mkdir(folder.path("b.tif").c_str(), 0755), 0);
  EXPECT_EQ(CreateStatus(Options(folder.path("b.tif"))),
            absl::InvalidArgumentError(
                absl::StrCat("output ", folder.path("b.tif"), " is a folder; name a file in it")));
  WriteFile(folder.path("file"), "");
  const absl::Status below = CreateStatus(Options(folder.path("file/a.tif")));
  EXPECT_EQ(below.code(), absl::StatusCode::kNotFound) << below;
  const absl::Status long_name = CreateStatus(Options(folder.path(std::string(300, 'x') + ".tif")));
  EXPECT_EQ(long_name.code(), absl::StatusCode::kInvalidArgument) << long_name;
}

TEST(OutputFault, AFolderThatMayNotBeWrittenIsNamed) {
  TempFolder folder;  // 0755
  const bool root = geteuid() == 0;
  ASSERT_TRUE(root || chmod(folder.path("").c_str(), 0555) == 0);
  // Root may write everywhere.
  ASSERT_TRUE(!root || seteuid(65534) == 0);
  const absl::Status status = CreateStatus(Options(folder.path("a.tif")));
  ASSERT_TRUE(!root || seteuid(0) == 0);
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(status.message(),
            absl::StrCat("creating ", folder.path("a.tif.partial"),
                         ": Permission denied; check the permissions of the file and its folder"));
}

TEST(OutputFault, AFileSizeLimitIsAnErrorAndLeavesNothingBehind) {
  TempFolder folder;
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  auto* const handler = signal(SIGXFSZ, SIG_IGN);
  const rlimit small = {1 << 20, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const absl::Cleanup restore = [&] {
    setrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, handler);
  };
  for (Compression compression : {Compression::kNone, Compression::kDeflate, Compression::kLzw}) {
    OutputOptions options = Options(folder.path("a.tif"));
    options.encoding.compression = compression;
    const absl::Status status = Render(options);
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(status.message(),
              absl::StrCat("writing ", folder.path("a.tif.partial"),
                           ": File too large; raise the file size limit or choose another file "
                           "system"));
    EXPECT_THAT(folder.List(), IsEmpty());
  }
}

TEST(OutputFault, AFullDiskIsAnErrorAndLeavesNothingBehind) {
  TempFolder folder;
  const std::string disk = folder.path("disk");
  ASSERT_EQ(mkdir(disk.c_str(), 0755), 0);
  if (mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=2m") != 0) {
    GTEST_SKIP() << "no right to mount a small disk; the file size limit above stands in for it";
  }
  const absl::Cleanup unmount = [&] { umount2(disk.c_str(), MNT_DETACH); };
  const absl::Status status = Render(Options(disk + "/a.tif"));
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(status.message(), absl::StrCat("writing ", disk,
                                           "/a.tif.partial: No space left on device; make room "
                                           "there or choose another output"));
  // The disk is usable again.
  OutputOptions fits = Options(disk + "/b.tif");
  fits.format.size = {100, 100};
  const absl::Status rendered = Render(fits);
  EXPECT_TRUE(rendered.ok()) << rendered;
}

TEST(OutputFault, WhatThereIsCanBeKeptAndTheRestReadsAsZero) {
  TempFolder folder;
  for (Compression compression : {Compression::kNone, Compression::kDeflate, Compression::kJpeg}) {
    SCOPED_TRACE(static_cast<int>(compression));
    OutputOptions options = Options(folder.path("a.png"));
    options.encoding.compression = compression;
    options.overwrite = true;
    {
      auto output = OutputFile::Create(options);
      ASSERT_TRUE(output.ok()) << output.status();
      const std::vector<std::byte> grey(512 * 512 * 3, std::byte{100});
      ASSERT_TRUE((*output)->WriteBlock(1, 1, grey).ok());
      (*output)->BeginPartial();
      ASSERT_TRUE((*output)->WriteBlock(0, 1, std::vector<std::byte>(512 * 512 * 3)).ok());
      const absl::Status kept = (*output)->KeepPartial();
      ASSERT_TRUE(kept.ok()) << kept;
    }
    EXPECT_THAT(folder.List(), ElementsAre("a.partial.tif"));
    const auto reader = OpenOrFail(PartialPathOf(options.path));
    ASSERT_NE(reader, nullptr);
    const std::vector<std::byte> pixels = ReadAll(*reader);
    int64_t wrong = 0;
    for (int64_t y = 0; y < kFormat.size.height; ++y) {
      for (int64_t x = 0; x < kFormat.size.width; ++x) {
        const bool written = x / 512 == 1 && y / 512 == 1;
        const auto at = static_cast<size_t>((y * kFormat.size.width + x) * 3);
        if (pixels[at] != (written ? std::byte{100} : std::byte{0})) ++wrong;
      }
    }
    EXPECT_EQ(wrong, 0);
  }
}

TEST(OutputFault, WhatFindsNoRoomIsNotPassedOverInAPartialOutput) {
  TempFolder folder;
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  auto* const handler = signal(SIGXFSZ, SIG_IGN);
  const absl::Cleanup restore = [&] {
    setrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, handler);
  };
  for (const bool stalls_before : {true, false}) {
    SCOPED_TRACE(stalls_before);
    auto output = OutputFile::Create(Options(folder.path("a.tif")));
    ASSERT_TRUE(output.ok()) << output.status();
    const std::vector<std::byte> noise = NoiseSamples({{512, 512}, 3, SampleType::kU8}, 1);
    if (!stalls_before) (*output)->BeginPartial();
    const rlimit small = {1 << 16, before.rlim_max};
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
    ASSERT_TRUE((*output)->WriteBlock(0, 0, noise).ok());
    if (stalls_before) (*output)->BeginPartial();
    EXPECT_EQ((*output)->WriteBlock(1, 0, noise).ok(), stalls_before) << "nothing piles up";
    EXPECT_TRUE(IsNoRoom((*output)->KeepPartial()));
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
    // It may be tried again.
    const absl::Status kept = (*output)->KeepPartial();
    ASSERT_TRUE(kept.ok()) << kept;
    ASSERT_EQ(unlink(PartialPathOf(folder.path("a.tif")).c_str()), 0);
  }
}

TEST(OutputFault, BlocksThatFoundNoRoomAreWrittenWhenThereIs) {
  TempFolder folder;
  const std::string disk = folder.path("disk");
  ASSERT_EQ(mkdir(disk.c_str(), 0755), 0);
  if (mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=2m") != 0) {
    GTEST_SKIP() << "no right to mount a small disk";
  }
  const absl::Cleanup unmount = [&] { umount2(disk.c_str(), MNT_DETACH); };
  EncoderPool pool(2, 2 << 20);  // room for two blocks
  OutputOptions options = Options(disk + "/a.tif");
  options.encoders = &pool;
  options.overviews = true;
  auto output = OutputFile::Create(options);
  ASSERT_TRUE(output.ok()) << output.status();
  const std::vector<std::byte> samples = NoiseSamples(kFormat, 1);
  int64_t stalls = 0;  // blocks taken while there was no room
  const auto write = [&](int64_t column, int64_t row) {
    const Rect rect = kFormat.BlockRect(column, row);
    std::vector<std::byte> block;
    for (int64_t y = rect.y; y < rect.bottom(); ++y) {
      const auto* first = samples.data() + (y * kFormat.size.width + rect.x) * 3;
      block.insert(block.end(), first, first + rect.width * 3);
    }
    const absl::Status written = (*output)->WriteBlock(column, row, block);
    EXPECT_TRUE(written.ok()) << written;
    if ((*output)->stalled().ok() || ++stalls < 3) return;
    EXPECT_TRUE(IsNoRoom((*output)->Retry())) << "there is no room yet";
    EXPECT_EQ(mount("tmpfs", disk.c_str(), "tmpfs", MS_REMOUNT, "size=64m"), 0);
    const absl::Status retried = (*output)->Retry();
    EXPECT_TRUE(retried.ok()) << retried;
    EXPECT_TRUE((*output)->stalled().ok());
  };
  for (int64_t row = 0; row < 3; ++row) {
    for (int64_t column = 0; column < 3; ++column) write(column, row);
  }
  EXPECT_EQ(stalls, 3);
  const absl::Status published = (*output)->Publish();
  ASSERT_TRUE(published.ok()) << published;
  EXPECT_TRUE(ReadAll(*OpenOrFail(options.path)) == samples);
  EXPECT_EQ(ReadByLibtiff(options.path, 2).format.size, (Size{375, 375}));
}

}  // namespace
}  // namespace tilewright
