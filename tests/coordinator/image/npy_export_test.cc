// NumPy array files as outputs: byte for byte what NumPy would save.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "coordinator/image/export_process.h"
#include "coordinator/image/export_request.h"
#include "coordinator/image/output_file.h"
#include "tests/coordinator/image/image_testing.h"

namespace tilewright {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

absl::Status ExportSamples(const std::string& path, const CanvasFormat& format,
                           const std::vector<std::byte>& samples) {
  OutputOptions options;
  options.path = path;
  options.format = format;
  options.encoding.tile_side = UsualTileSide(format);
  options.export_program = ThisProgram();
  options.overwrite = true;
  auto output = OutputFile::Create(options);
  if (!output.ok()) return output.status();
  const absl::Status written = WriteBlocks(**output, format, samples, 3);
  return written.ok() ? (*output)->Publish() : written;
}

// To `path`, by what the export child runs: starting one takes longer than all the rest.
void ExportHere(const TempFolder& folder, const CanvasFormat& format,
                const std::vector<std::byte>& samples, const std::string& path) {
  ASSERT_TRUE(ExportSamples(folder.path("a.tif"), format, samples).ok());
  std::vector<std::string> words{folder.path("a.tif"), path};
  for (std::string& word : ExportWords({OutputKind::kNpy, format.size, {}, false})) {
    words.push_back(std::move(word));
  }
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  ASSERT_EQ(RunExportChild(arguments), 0);
}

// The file as it should be.
std::string NpyOf(const CanvasFormat& format, const std::vector<std::byte>& samples) {
  const std::string descr = format.sample == SampleType::kU8    ? "'|u1'"
                            : format.sample == SampleType::kU16 ? "'<u2'"
                                                                : "'<f4'";
  const std::string shape = absl::StrCat(
      "(", format.size.height, ", ", format.size.width, format.channels == 1 ? "" : ", ",
      format.channels == 1 ? "" : absl::StrCat(format.channels), ")");
  return NpyFile(descr, shape,
                 std::string(reinterpret_cast<const char*>(samples.data()), samples.size()));
}

TEST(NpyExport, HoldsEverySampleAsItIs) {
  TempFolder folder;
  for (const SampleType sample : {SampleType::kU8, SampleType::kU16, SampleType::kF32}) {
    for (const int channels : {1, 2, 3, 4, 5, 64}) {
      for (const bool array : {false, true}) {
        if (array == (channels == 1 || channels == 3) || (!array && channels > 4)) continue;
        SCOPED_TRACE(absl::StrCat(channels, " x ", SampleTypeName(sample), array ? " array" : ""));
        const CanvasFormat format = {{530, 20}, channels, sample, array};
        const std::vector<std::byte> samples = NoiseSamples(format, 3);
        ASSERT_NO_FATAL_FAILURE(ExportHere(folder, format, samples, folder.path("a.npy")));
        EXPECT_TRUE(ReadFile(folder.path("a.npy")) == NpyOf(format, samples));
      }
    }
  }
}

TEST(NpyExport, IsPublishedUnderItsNameAlone) {
  TempFolder folder;
  const CanvasFormat format = {{600, 515}, 4, SampleType::kF32, /*array=*/true};
  std::vector<std::byte> samples = NoiseSamples(format, 3);
  const float odd[] = {std::numeric_limits<float>::quiet_NaN(),
                       -std::numeric_limits<float>::infinity()};
  std::memcpy(samples.data() + 4096, odd, sizeof(odd));
  const absl::Status rendered = ExportSamples(folder.path("a.npy"), format, samples);
  ASSERT_TRUE(rendered.ok()) << rendered;
  EXPECT_THAT(folder.List(), ElementsAre("a.npy"));
  EXPECT_TRUE(ReadFile(folder.path("a.npy")) == NpyOf(format, samples));
  const auto reader = OpenOrFail(folder.path("a.npy"));
  ASSERT_NE(reader, nullptr);
  EXPECT_TRUE(ReadAll(*reader) == samples);
}

// For each file named: the array's own samples to FILE.samples, and what NumPy saves of it to
// FILE.again.npy.
constexpr char kReadByNumPy[] =
    "import sys, numpy\n"
    "for path in sys.argv[1:]:\n"
    "  a = numpy.load(path)\n"
    "  a.tofile(path + '.samples')\n"
    "  numpy.save(path + '.again', a)\n";

TEST(NpyExport, IsReadByNumPyAndIsWhatNumPySaves) {
  // Debian's, as deploy/setup.sh --for test installs it.
  const std::string python = "/usr/bin/python3";
  if (std::system((python + " -c 'import numpy' 2>/dev/null").c_str()) != 0) {
    GTEST_SKIP() << python << " has no NumPy: deploy/setup.sh --for test installs it";
  }
  TempFolder folder;
  WriteFile(folder.path("read.py"), kReadByNumPy);
  std::string command = absl::StrCat(python, " ", folder.path("read.py"));
  std::vector<CanvasFormat> formats;
  for (const SampleType sample : {SampleType::kU8, SampleType::kU16, SampleType::kF32}) {
    for (const int channels : {1, 3, 4, 64}) {
      formats.push_back({{37, 11}, channels, sample, /*array=*/channels > 3});
    }
  }
  const auto path = [&](size_t i) { return folder.path(absl::StrCat(i, ".npy")); };
  for (size_t i = 0; i < formats.size(); ++i) {
    ASSERT_NO_FATAL_FAILURE(ExportHere(folder, formats[i], NoiseSamples(formats[i], i), path(i)));
    absl::StrAppend(&command, " ", path(i));
  }
  ASSERT_EQ(std::system(command.c_str()), 0) << command;
  for (size_t i = 0; i < formats.size(); ++i) {
    SCOPED_TRACE(absl::StrCat(formats[i].channels, " x ", SampleTypeName(formats[i].sample)));
    const std::vector<std::byte> samples = NoiseSamples(formats[i], i);
    EXPECT_TRUE(ReadFile(path(i) + ".samples") ==
                std::string(reinterpret_cast<const char*>(samples.data()), samples.size()));
    EXPECT_TRUE(ReadFile(path(i) + ".again.npy") == ReadFile(path(i)));
    EXPECT_FALSE(ReadFile(path(i)) == ReadFile(path((i + 1) % formats.size()))) << "the control";
  }
}

TEST(NpyExport, RefusesHalves) {
  TempFolder folder;
  const CanvasFormat format = {{60, 51}, 4, SampleType::kF16, /*array=*/true};
  const absl::Status refused = ExportSamples(folder.path("a.npy"), format, NoiseSamples(format, 3));
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(refused.message()),
              HasSubstr(".npy cannot hold f16 samples; write .tif or f32 samples"));
}

}  // namespace
}  // namespace tilewright
