// Inputs that change while a job reads them, that lie, that are bombs or have holes: a typed error
// of that job, another job beside it is not disturbed, no process goes down, and the next job
// works.

#include <libdeflate.h>
#include <tiffio.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grpcpp/client_context.h"
#include "gtest/gtest.h"
#include "tests/cluster/bad_input.h"
#include "tests/cluster/cluster.h"
#include "tests/cluster/picture.h"

namespace tilewright {
namespace {

// --- Files that are changed while they are read.

struct Change {
  const char* name;
  const char* input;  // written by libvips, options in brackets
  void (*change)(const std::string& path, const std::string& other);
};

std::string PlainName(const std::string& name) { return name.substr(0, name.find('[')); }

void Truncate(const std::string& path, const std::string& /*other*/) {
  std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
}
void Replace(const std::string& path, const std::string& other) {
  std::filesystem::rename(other, path);
}
void Remove(const std::string& path, const std::string& /*other*/) {
  std::filesystem::remove(path);
}

class ChangingInputTest : public BadInputTest {
 protected:
  // One worker that takes a tenth of a second for each tile.
  void AddSlowWorker() {
    const absl::Status added = cluster_->AddWorker("w", "slow:100");
    ASSERT_TRUE(added.ok()) << added;
  }

  // Waits until the only job has finished some tiles, and not nearly all.
  void AwaitSomeTiles() {
    const absl::Time deadline = absl::Now() + absl::Minutes(2);
    uint64_t done = 0;
    while (done < 2 && absl::Now() < deadline) {
      grpc::ClientContext context;
      v1::ListJobsResponse jobs;
      ASSERT_TRUE(cluster_->render().ListJobs(&context, v1::ListJobsRequest(), &jobs).ok());
      if (jobs.jobs_size() > 0) done = jobs.jobs(0).tiles_done();
      absl::SleepFor(absl::Milliseconds(20));
    }
    ASSERT_GE(done, 2u) << "the job does not get on";
    ASSERT_LT(done, 40u) << "the job is nearly over";
  }

  // Begins a rendering, changes a file of it in the middle, and begins a good one beside it: the
  // first fails with INPUT_CHANGED, the other is done.
  void ExpectNoticed(const std::vector<std::string>& arguments, const std::string& changed,
                     void (*change)(const std::string&, const std::string&)) {
    const std::string out = cluster_->Path("out.tif");
    std::vector<std::string> command = {"render", "-o", out,         "-n", "identity",
                                        "-t",     "96", "--overlap", "16"};
    command.insert(command.end(), arguments.begin(), arguments.end());
    const auto client = cluster_->StartCli("changing", command);
    ASSERT_TRUE(client.ok()) << client.status();
    AwaitSomeTiles();
    change(changed, cluster_->Path("other" + std::filesystem::path(changed).extension().string()));
    const CliResult beside = Render(good_, cluster_->Path("beside.tif"), "identity");
    EXPECT_EQ(beside.exit_code, 0) << beside.err;
    const absl::StatusOr<int> exit = (*client)->Wait(absl::Minutes(2));
    ASSERT_TRUE(exit.ok()) << exit.status();
    ExpectRefused({*exit, "", ReadFile(cluster_->Path("changing.err")), {}}, kPrecondition,
                  {"[INPUT_CHANGED]", std::filesystem::path(changed).filename().string()});
    ExpectNothingLeft(out);
  }
};

class ChangingInput : public ChangingInputTest, public testing::WithParamInterface<Change> {};

TEST_P(ChangingInput, IsNoticedInTheMiddleOfTheJob) {
  const Change& change = GetParam();
  const std::string input = cluster_->Path(change.input);
  ASSERT_TRUE(WritePicture(NoisePicture(700, 600, 3, 8, 1), input).ok());
  ASSERT_TRUE(
      WritePicture(NoisePicture(700, 600, 3, 8, 2),
                   cluster_->Path(absl::StrCat(
                       "other", std::filesystem::path(PlainName(input)).extension().string())))
          .ok());
  AddSlowWorker();
  ExpectNoticed({"-i", PlainName(input)}, PlainName(input), change.change);
}

INSTANTIATE_TEST_SUITE_P(
    Files, ChangingInput,
    testing::Values(Change{"TruncatedTiles", "in.tif[tile,tile-width=128,tile-height=128]",
                           Truncate},
                    Change{"TruncatedStrips", "in.tif", Truncate},
                    Change{"TruncatedPng", "in.png", Truncate},
                    Change{"ReplacedTiles", "in.tif[tile,tile-width=128,tile-height=128]", Replace},
                    Change{"ReplacedPng", "in.png", Replace},
                    Change{"RemovedTiles", "in.tif[tile,tile-width=128,tile-height=128]", Remove}),
    [](const auto& change) { return change.param.name; });

TEST_F(ChangingInputTest, AMaskThatShrinksIsNoticedInTheMiddleOfTheJob) {
  const std::string input = cluster_->Path("in.tif");
  const std::string mask = cluster_->Path("mask.tif");
  ASSERT_TRUE(WritePicture(NoisePicture(700, 600, 3, 8, 1), input + "[tile]").ok());
  ASSERT_TRUE(WritePicture(NoisePicture(700, 600, 1, 8, 2), mask + "[tile]").ok());
  AddSlowWorker();
  ExpectNoticed({"-i", input, "--mask", mask}, mask, Truncate);
}

// --- PNG files that are not what they say.

void AppendBigEndian(uint32_t value, std::string* bytes) {
  for (int shift = 24; shift >= 0; shift -= 8) bytes->push_back(static_cast<char>(value >> shift));
}

void AppendChunk(const std::string& kind, const std::string& data, std::string* png) {
  AppendBigEndian(static_cast<uint32_t>(data.size()), png);
  const std::string checked = kind + data;
  *png += checked;
  AppendBigEndian(libdeflate_crc32(0, checked.data(), checked.size()), png);
}

// A PNG, RGB u8, whose header says `width` and `height` and which holds `rows` black rows.
std::string BlackPng(uint32_t width, uint32_t height, uint32_t rows) {
  const std::string raw((size_t{width} * 3 + 1) * rows, '\0');
  libdeflate_compressor* const compressor = libdeflate_alloc_compressor(6);
  std::string packed(libdeflate_zlib_compress_bound(compressor, raw.size()), '\0');
  packed.resize(
      libdeflate_zlib_compress(compressor, raw.data(), raw.size(), packed.data(), packed.size()));
  libdeflate_free_compressor(compressor);
  std::string header;
  AppendBigEndian(width, &header);
  AppendBigEndian(height, &header);
  header += std::string("\x08\x02\0\0\0", 5);
  std::string png = "\x89PNG\r\n\x1a\n";
  AppendChunk("IHDR", header, &png);
  AppendChunk("IDAT", packed, &png);
  AppendChunk("IEND", "", &png);
  return png;
}

// A coordinator that takes pictures of 64 MiB.
class SmallLimitsTest : public BadInputTest {
 protected:
  explicit SmallLimitsTest(std::vector<std::string> flags = {})
      : BadInputTest([&] {
          flags.insert(flags.end(), {"--max-decoded-bytes", "67108864"});
          return flags;
        }()) {}
  void ExpectBombRefused() {
    AddWorker();
    const std::string bomb = Write("bomb.png", BlackPng(8192, 8192, 8192));
    ASSERT_LT(std::filesystem::file_size(bomb), 1u << 20);
    const std::string out = cluster_->Path("out.tif");
    ExpectRefused(Render(bomb, out, "identity"), kExhausted, {"67108864", "[LIMIT_EXCEEDED]"});
    ExpectNothingLeft(out);
    EXPECT_LT(PeakMemory(cluster_->coordinator().pid()), 200 << 10) << "it was unpacked";
  }
};

TEST_F(SmallLimitsTest, ABombIsRefusedByItsHeader) { ExpectBombRefused(); }

// Nothing of the client's is the coordinator's to see: what it names is uploaded.
class UploadedTest : public SmallLimitsTest {
 protected:
  UploadedTest() : SmallLimitsTest({"--root", "/proc"}) {}
};

TEST_F(UploadedTest, ABombIsRefused) { ExpectBombRefused(); }

TEST_F(UploadedTest, APngThatHoldsLessThanItSaysIsRefused) {
  AddWorker();
  const std::string out = cluster_->Path("out.tif");
  ExpectRefused(Render(Write("lie.png", BlackPng(2000, 2000, 100)), out, "identity"), kInvalid,
                {"[NOT_AN_IMAGE]"});
  ExpectNothingLeft(out);
}

TEST_F(BadInputTest, APngThatHoldsLessThanItSaysIsRefused) {
  AddWorker();
  const std::string out = cluster_->Path("out.tif");
  ExpectRefused(Render(Write("lie.png", BlackPng(2000, 2000, 100)), out, "identity"), kInvalid,
                {"lie.png", "[NOT_AN_IMAGE]"});
  ExpectNothingLeft(out);
}

// More than the header says is left unread; the rest is what the header says.
TEST_F(BadInputTest, APngThatHoldsMoreThanItSaysIsReadAsFarAsItSays) {
  AddWorker();
  const std::string out = cluster_->Path("out.tif");
  const CliResult result = Render(Write("more.png", BlackPng(100, 50, 100'000)), out, "identity");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const absl::StatusOr<Picture> picture = ReadPicture(out);
  ASSERT_TRUE(picture.ok()) << picture.status();
  EXPECT_EQ(picture->height, 50);
  EXPECT_LT(PeakMemory(cluster_->coordinator().pid()), 200 << 10) << "it was unpacked";
}

// --- TIFF files with holes.

TEST_F(BadInputTest, ATiffWithoutSomeOfItsTilesIsRefused) {
  AddWorker();
  const std::string holes = cluster_->Path("holes.tif");
  TIFF* tiff = TIFFOpen(holes.c_str(), "w8");
  ASSERT_NE(tiff, nullptr);
  for (const auto& [tag, value] :
       std::vector<std::pair<uint32_t, int>>{{TIFFTAG_IMAGEWIDTH, 700},
                                             {TIFFTAG_IMAGELENGTH, 600},
                                             {TIFFTAG_TILEWIDTH, 128},
                                             {TIFFTAG_TILELENGTH, 128},
                                             {TIFFTAG_BITSPERSAMPLE, 8},
                                             {TIFFTAG_SAMPLESPERPIXEL, 1},
                                             {TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG},
                                             {TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISBLACK}}) {
    TIFFSetField(tiff, tag, value);
  }
  std::vector<uint8_t> tile(128 * 128, 9);
  for (const uint32_t index : {0u, 1u, 2u, 20u}) {
    ASSERT_GT(TIFFWriteEncodedTile(tiff, index, tile.data(), static_cast<tmsize_t>(tile.size())),
              0);
  }
  TIFFClose(tiff);
  const std::string out = cluster_->Path("out.tif");
  ExpectRefused(Render(holes, out, "identity"), kInvalid,
                {"holes.tif", "tile 3", "[NOT_AN_IMAGE]"});
  ExpectNothingLeft(out);
}

}  // namespace
}  // namespace tilewright
