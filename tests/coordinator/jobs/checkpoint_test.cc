// Checkpoints of a job that merges into a real file, and crashes that lose or tear whatever was not
// made durable: what is gone on with gives the pixels of an undisturbed job.

#include "coordinator/jobs/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <tiffio.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "coordinator/image/encoder_pool.h"
#include "coordinator/image/kept_scratch.h"
#include "coordinator/image/output_file.h"
#include "coordinator/jobs/job_checkpoints.h"
#include "coordinator/merge/tile_merger.h"
#include "tests/coordinator/merge/merge_testing.h"

namespace tilewright {
namespace {

namespace fs = std::filesystem;

std::string ContentOf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

// The disk under this process: what of each file would survive a power failure.
struct Disk {
  std::mutex mu;
  bool lies = false;  // says that all is durable, and nothing is
  std::map<std::string, std::string> synced;
} disk;

void Sync(int fd) {
  const std::string link = absl::StrCat("/proc/self/fd/", fd);
  std::error_code error;
  const std::string path = fs::read_symlink(link, error).string();
  const std::lock_guard lock(disk.mu);
  if (!error && !disk.lies) disk.synced[path] = ContentOf(path);
}

// What is left of a file after a power failure: of what was written since it was last made durable,
// any pages and any length.
std::string AfterCrash(const std::string& path, std::mt19937_64& random) {
  constexpr size_t kPage = 4096;
  const std::lock_guard lock(disk.mu);
  const std::string now = ContentOf(path);
  const auto found = disk.synced.find(path);
  const std::string synced = found == disk.synced.end() ? "" : found->second;
  std::string left = synced;
  left.resize(std::max(synced.size(), now.size()) -
              random() % (1 + now.size() - std::min(now.size(), synced.size())));
  for (size_t at = 0; at < left.size(); at += kPage) {
    const size_t bytes = std::min(kPage, left.size() - at);
    if (random() % 2 == 0 && at + bytes <= now.size()) left.replace(at, bytes, now, at, bytes);
  }
  return left;
}

}  // namespace
}  // namespace tilewright

// In place of the C library's.
extern "C" int fdatasync(int fd) {
  tilewright::Sync(fd);
  return 0;
}

namespace tilewright {
namespace {

// The compressed tiles of all images of a TIFF, in order.
std::vector<std::string> TilesOfTiff(const std::string& path) {
  std::vector<std::string> tiles;
  TIFF* tiff = TIFFOpen(path.c_str(), "r");
  if (tiff == nullptr) return tiles;
  do {
    for (uint32_t i = 0; i < TIFFNumberOfTiles(tiff); ++i) {
      std::string& tile = tiles.emplace_back(TIFFGetStrileByteCount(tiff, i), '\0');
      if (TIFFReadRawTile(tiff, i, tile.data(), static_cast<tmsize_t>(tile.size())) < 0) {
        ADD_FAILURE() << "tile " << i << " of " << path << " cannot be read";
      }
    }
  } while (TIFFReadDirectory(tiff) == 1);
  TIFFClose(tiff);
  return tiles;
}

class CheckpointTest : public testing::Test {
 protected:
  // One life of a job.
  struct Life {
    std::unique_ptr<JobCheckpoints> checkpoints;
    std::unique_ptr<OutputFile> output;
    std::unique_ptr<TileMerger> merger;
    ~Life() {
      if (checkpoints != nullptr) checkpoints->Wait();
    }
  };

  void SetUp() override {
    const std::string name = testing::UnitTest::GetInstance()->current_test_info()->name();
    folder_ = absl::StrCat(testing::TempDir(), "/checkpoint-", getpid(), "-", name);
    fs::create_directories(folder_);
    folder_ = fs::canonical(folder_).string();  // as the kernel names its files
    disk.lies = false;
    disk.synced.clear();
  }
  void TearDown() override { fs::remove_all(folder_); }

  void UsePlan(const StagePlan& plan, int channels) {
    plan_ = plan;
    options_ = {};
    options_.path = folder_ + "/out.tif";
    options_.format = {plan.output(), channels, SampleType::kU8};
    tiles_ = DisagreeingTiles(plan_, options_.format);
  }

  std::unique_ptr<Life> Begin(std::unique_ptr<KeptScratch> scratch) {
    auto life = std::make_unique<Life>();
    CheckpointOptions options;
    options.output = options_.path;
    options.facts = {{"model", "m"}};
    options.interval = absl::Nanoseconds(1);
    options.now = [this] { return now_ = now_ + absl::Seconds(1); };
    options.view = [] {
      JobView view;
      view.promise = Promise::kStrict;
      view.numeric_class = "cpu";
      return std::vector<JobView>{view};
    };
    options.done = [this](const absl::StatusOr<int64_t>& tiles) {
      EXPECT_TRUE(tiles.ok()) << tiles.status();
      durable_ = tiles.value_or(0);
    };
    options_.scratch = scratch.get();
    life->checkpoints = std::make_unique<JobCheckpoints>(std::move(options), std::move(scratch));
    return life;
  }
  void Merge(Life* life) {
    life->merger = std::make_unique<TileMerger>(plan_, options_.format, MergeKind::kBlend,
                                                *life->output, &life->checkpoints->scratch());
    life->merger->set_bytes_max(bytes_max_);
  }
  std::unique_ptr<Life> Fresh() {
    auto life = Begin(KeptScratch::Create(CheckpointScratchPathFor(options_.path)).value());
    options_.overwrite = true;
    life->output = OutputFile::Create(options_).value();
    Merge(life.get());
    return life;
  }
  absl::StatusOr<std::unique_ptr<Life>> Continue() {
    auto partial = PartialClaim::TakeOver(options_.path + ".partial").value();
    auto checkpoint = ReadCheckpoint(options_.path);
    if (!checkpoint.ok()) return checkpoint.status();
    auto scratch =
        KeptScratch::Reopen(CheckpointScratchPathFor(options_.path), SlotsOf(*checkpoint));
    if (!scratch.ok()) return scratch.status();
    auto life = Begin(*std::move(scratch));
    auto output = OutputFile::Continue(options_, *std::move(partial), checkpoint->output);
    if (!output.ok()) return output.status();
    life->output = *std::move(output);
    Merge(life.get());
    const absl::Status restored = life->merger->Restore(checkpoint->merger);
    if (!restored.ok()) return restored;
    EXPECT_EQ(life->merger->tiles_added(), durable_) << "nothing that was durable is lost";
    return life;
  }

  // The job dies, and the machine with it.
  void Crash(std::unique_ptr<Life> life) {
    life->checkpoints->Wait();
    std::map<std::string, std::string> left;
    for (const char* name : {".partial", ".partial.scratch"}) {
      left[options_.path + name] = AfterCrash(options_.path + name, random_);
    }
    life = nullptr;
    for (const auto& [path, content] : left) {
      std::ofstream(path, std::ios::binary) << content;
      disk.synced[path] = content;
    }
  }

  // The job's pixel hash after so many deaths; an error if one could not be continued.
  absl::StatusOr<uint64_t> HashAfter(int deaths, uint64_t seed) {
    random_.seed(seed);
    durable_ = 0;
    options_.overviews = seed % 2 == 0;
    options_.encoders = seed % 3 == 0 ? &encoders_ : nullptr;
    fs::remove(options_.path);
    fs::remove(CheckpointPathFor(options_.path));
    disk.synced.clear();
    std::unique_ptr<Life> life = Fresh();
    while (true) {
      std::vector<int64_t> order;
      for (int64_t tile = 0; tile < plan_.tile_count(); ++tile) {
        if (!life->merger->settled({tile})) order.push_back(tile);
      }
      std::shuffle(order.begin(), order.end(), random_);
      const bool dies = deaths-- > 0;
      const size_t end = dies ? random_() % (order.size() + 1) : order.size();
      for (size_t i = 0; i < end; ++i) {
        const auto tile = static_cast<size_t>(order[i]);
        const absl::Status added = life->merger->AddTile({order[i]}, tiles_[tile]);
        if (!added.ok()) return added;
        if (random_() % 4 == 0 && life->checkpoints->Due()) {
          life->checkpoints->Take(*life->merger, *life->output, {}, preview_);
        }
      }
      if (!dies) break;
      Crash(std::move(life));
      if (!fs::exists(CheckpointPathFor(options_.path))) {
        life = Fresh();
        continue;
      }
      auto continued = Continue();
      if (!continued.ok()) return continued.status();
      life = *std::move(continued);
    }
    life->checkpoints->Wait();
    EXPECT_TRUE(life->merger->done());
    const absl::Status published = life->output->Publish();
    EXPECT_TRUE(published.ok()) << published;
    return life->output->pixel_hash();
  }

  std::mt19937_64 random_;
  std::string folder_;
  EncoderPool encoders_{2, int64_t{8} << 20};
  StagePlan plan_ = MakePlan({700, 700}, 160, 32);
  OutputOptions options_;
  const LivePreview preview_{{{700, 700}, 1, SampleType::kU8}};
  Tiles tiles_;
  int64_t bytes_max_ = std::numeric_limits<int64_t>::max();
  int64_t durable_ = 0;
  Instant now_;
};

TEST_F(CheckpointTest, CrashesLeaveNoTraceInTheFile) {
  std::mt19937 random(5);
  const auto pick = [&random](int64_t from, int64_t to) {
    return from + static_cast<int64_t>(random() % static_cast<unsigned>(to - from + 1));
  };
  for (uint64_t round = 0; round < 12; ++round) {
    const int64_t tile = pick(100, 400);
    UsePlan(MakePlan({pick(300, 1500), pick(300, 1500)}, tile, 2 * pick(0, tile / 8)),
            static_cast<int>(pick(1, 3)));
    SCOPED_TRACE(absl::StrCat("round ", round, ": ", plan_.Canonical()));
    bytes_max_ = round % 2 == 0 ? 0 : std::numeric_limits<int64_t>::max();
    const uint64_t undisturbed = HashAfter(0, round).value();
    const std::vector<std::string> tiles = TilesOfTiff(options_.path);
    ASSERT_FALSE(tiles.empty());
    const auto hash = HashAfter(static_cast<int>(pick(1, 4)), round);
    ASSERT_TRUE(hash.ok()) << hash.status();
    ASSERT_EQ(*hash, undisturbed);
    ASSERT_TRUE(TilesOfTiff(options_.path) == tiles) << "reduced images included";
  }
}

TEST_F(CheckpointTest, WhatWasNotMadeDurableIsNoticed) {
  UsePlan(MakePlan({1500, 1200}, 160, 32), 3);
  const uint64_t undisturbed = HashAfter(0, 1).value();
  int noticed = 0;
  disk.lies = true;
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    const auto hash = HashAfter(2, seed);
    if (hash.ok()) {
      EXPECT_EQ(*hash, undisturbed);
    } else {
      EXPECT_EQ(hash.status().code(), absl::StatusCode::kDataLoss) << hash.status();
      ++noticed;
    }
  }
  EXPECT_GE(noticed, 4) << "of 8";
}

TEST_F(CheckpointTest, TheRecordIsReadBackAsItWasWrittenOrNotAtAll) {
  Checkpoint written;
  written.facts = {{"model", "a"}, {"plan", std::string("\0b", 2)}};
  written.promise = {Promise::kStrict, "cpu", {"x", "y"}};
  written.before = {{Promise::kTolerant, "", {"a \"quoted\" class"}}, {Promise::kStrict, "k", {}}};
  written.merger.settled = {true, false, false, true, true, false, true, false, true};
  written.merger.tiles_added = 4;
  written.merger.blocks_left = 7;
  written.merger.tiles = {{3, {1, 2, 3, 4}, {65536, 12, 99}}};
  written.merger.blocks = {{5, 6, {131072, 13, 98}}};
  written.output.tiff = {1000, {{{16, 100, 1}, {0, 0, 0}}, {{116, 50, 2}}}};
  written.output.block_hashes = {~uint64_t{0}, 0};
  written.output.blocks_copied = 1;
  written.output.quarters = {{1, 0, 2, 3, {0, 14, 97}}};
  written.holes = {1};
  written.preview = {std::byte{1}, std::byte{0}, std::byte{255}};
  written.preview_drawn = 77;
  const std::string bytes = EncodeCheckpoint(written);
  const auto read = DecodeCheckpoint(bytes);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(EncodeCheckpoint(*read), bytes);
  EXPECT_EQ(read->facts, written.facts);
  EXPECT_EQ(read->preview, written.preview);
  EXPECT_EQ(read->preview_drawn, 77);
  EXPECT_EQ(read->promise, written.promise);
  EXPECT_EQ(read->before, written.before);
  EXPECT_EQ(read->merger.settled, written.merger.settled);
  EXPECT_EQ(read->merger.tiles[0].rect, written.merger.tiles[0].rect);
  EXPECT_EQ(SlotsOf(*read).size(), 3u);
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string bad = bytes;
    bad[i] = static_cast<char>(bad[i] ^ 4);
    EXPECT_FALSE(DecodeCheckpoint(bad).ok()) << "byte " << i;
    EXPECT_FALSE(DecodeCheckpoint(bytes.substr(0, i)).ok()) << i << " bytes";
  }
  std::string later = bytes;
  later[7] = '2';
  EXPECT_EQ(DecodeCheckpoint(later).status(),
            absl::FailedPreconditionError(
                "the unfinished output has a checkpoint of another version: use that one, choose "
                "another output, or --overwrite to lose that work"));
}

TEST_F(CheckpointTest, OnlyOneJobTakesOverWhatADeadOneLeft) {
  UsePlan(MakePlan({700, 700}, 160, 32), 3);
  const std::string path = PartialClaim::PathFor(options_.path);
  EXPECT_FALSE(PartialClaim::TakeOver(path).value().has_value());
  std::unique_ptr<Life> life = Fresh();
  EXPECT_EQ(PartialClaim::TakeOver(path).status().code(), absl::StatusCode::kAlreadyExists);
  life->output->Leave();
  life = nullptr;
  auto first = PartialClaim::TakeOver(path);
  ASSERT_TRUE(first.ok() && first->has_value()) << first.status();
  EXPECT_EQ(PartialClaim::TakeOver(path).status().code(), absl::StatusCode::kAlreadyExists);
}

}  // namespace
}  // namespace tilewright
