// Inputs of tiles: whatever the order in which tiles are asked for, given back and asked for again,
// each is what the image holds there, and only what may be asked for again is laid aside.

#include "coordinator/jobs/tile_inputs.h"

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>
#include <vips/vips.h>

#include <cstring>
#include <filesystem>
#include <random>

#include "absl/strings/str_cat.h"
#include "coordinator/jobs/state_folder.h"
#include "gtest/gtest.h"

namespace tilewright {
namespace {

class TileInputsTest : public testing::Test {
 protected:
  static constexpr Size kSize = {300, 250};

  static void SetUpTestSuite() { ASSERT_TRUE(StartImageLibrary("tile_inputs_test").ok()); }
  void SetUp() override {
    folder_ = absl::StrCat(testing::TempDir(), "/inputs-", RandomId());
    std::filesystem::create_directories(folder_);
    pixels_.resize(static_cast<size_t>(kSize.area()));
    std::mt19937 random(7);
    for (std::byte& pixel : pixels_) pixel = static_cast<std::byte>(random());
    PlanRequest request;
    request.image = kSize;
    request.tile = 64;
    request.halo = 4;
    request.rows_in_order = true;
    absl::StatusOr<StagePlan> plan = StagePlan::Create(ModelGeometry(), request);
    ASSERT_TRUE(plan.ok()) << plan.status();
    plan_ = std::make_unique<StagePlan>(*std::move(plan));
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void Open(const std::string& name) {
    VipsImage* image = vips_image_new_from_memory_copy(
        pixels_.data(), pixels_.size(), static_cast<int>(kSize.width),
        static_cast<int>(kSize.height), 1, VIPS_FORMAT_UCHAR);
    const std::string path = absl::StrCat(folder_, "/", name);
    ASSERT_EQ(vips_image_write_to_file(image, path.c_str(), nullptr), 0);
    g_object_unref(image);
    auto reader = ImageReader::Open(path.substr(0, path.find('[')), {});
    ASSERT_TRUE(reader.ok()) << reader.status();
    reader_ = *std::move(reader);
    inputs_ = std::make_unique<TileInputs>(*plan_, *reader_, folder_);
  }

  absl::Status Read(int64_t tile) {
    const Rect rect = plan_->InputRect(TileIndex{tile});
    std::vector<std::byte> samples(static_cast<size_t>(rect.area()));
    const absl::Status status = inputs_->Read(TileIndex{tile}, absl::MakeSpan(samples));
    if (!status.ok()) return status;
    for (int64_t y = 0; y < rect.height; ++y) {
      EXPECT_EQ(std::memcmp(&samples[static_cast<size_t>(y * rect.width)],
                            &pixels_[static_cast<size_t>((rect.y + y) * kSize.width + rect.x)],
                            static_cast<size_t>(rect.width)),
                0)
          << "tile " << tile << " row " << y;
    }
    return absl::OkStatus();
  }

  std::string folder_;
  std::vector<std::byte> pixels_;
  std::unique_ptr<StagePlan> plan_;
  std::unique_ptr<ImageReader> reader_;
  std::unique_ptr<TileInputs> inputs_;
};

TEST_F(TileInputsTest, AreThereAgainForARetryOfAnyTileInAnyOrder) {
  for (const std::string name : {"a.png", "a.tif[tile]"}) {
    SCOPED_TRACE(name);
    Open(name);
    std::mt19937 random(3);
    for (int i = 0; i < 300; ++i) {
      const auto tile = static_cast<int64_t>(random() % static_cast<uint64_t>(plan_->tile_count()));
      ASSERT_TRUE(Read(tile).ok()) << Read(tile);
    }
  }
}

TEST_F(TileInputsTest, AreLaidAsideOnlyWhileTheyMayBeAskedForAgain) {
  Open("a.png");
  const int64_t columns = plan_->x().tile_count();
  ASSERT_GT(plan_->y().tile_count(), 3);
  // Two rows of tiles were granted; all but the third tile are merged before the next row is read.
  for (int64_t tile = 0; tile < 2 * columns; ++tile) {
    ASSERT_TRUE(Read(tile).ok());
    if (tile != 2) inputs_->Drop(TileIndex{tile});
  }
  ASSERT_TRUE(Read(2 * columns).ok());
  EXPECT_EQ(inputs_->laid_aside(), 1);
  ASSERT_TRUE(Read(2).ok()) << Read(2);
  inputs_->Drop(TileIndex{2});
  EXPECT_EQ(inputs_->laid_aside(), 0);
  // A tile whose input nobody took in time is laid aside for when somebody does.
  ASSERT_TRUE(Read(3 * columns).ok());
  EXPECT_EQ(inputs_->laid_aside(), columns);
  EXPECT_TRUE(Read(3 * columns - 1).ok());
  // Nothing has a name in the folder.
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
}

TEST_F(TileInputsTest, OfADroppedTileAreNotReadAgain) {
  Open("a.png");
  ASSERT_TRUE(Read(0).ok());
  inputs_->Drop(TileIndex{0});
  EXPECT_EQ(Read(0).code(), absl::StatusCode::kCancelled);
}

TEST_F(TileInputsTest, SayThatTheFileWasChangedAlsoWhereTheyAreLaidAside) {
  Open("a.png");
  ASSERT_TRUE(Read(plan_->tile_count() - 1).ok());
  std::filesystem::resize_file(folder_ + "/a.png", 100);
  EXPECT_EQ(Read(0).code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(TileInputsTest, StayInMemoryWhileTheScratchFileHasNoRoom) {
  Open("a.png");
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  auto* const handler = signal(SIGXFSZ, SIG_IGN);
  const rlimit small = {100, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const absl::Status read = Read(plan_->x().tile_count());
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  signal(SIGXFSZ, handler);
  ASSERT_TRUE(read.ok()) << read;
  const int64_t columns = plan_->x().tile_count();
  EXPECT_EQ(inputs_->laid_aside(), columns);
  EXPECT_EQ(inputs_->memory_bytes(), columns * 64 * 64);
  for (int64_t tile = 0; tile < columns; ++tile) {
    ASSERT_TRUE(Read(tile).ok()) << Read(tile);
    inputs_->Drop(TileIndex{tile});
  }
  EXPECT_EQ(inputs_->memory_bytes(), 0);
  ASSERT_TRUE(Read(2 * columns).ok());
  EXPECT_EQ(inputs_->memory_bytes(), 0) << "there is room again";
}

TEST_F(TileInputsTest, SayWhereTheyCannotBeLaidAside) {
  Open("a.png");
  inputs_ = std::make_unique<TileInputs>(*plan_, *reader_, folder_ + "/nowhere");
  const absl::Status status = Read(plan_->tile_count() - 1);
  EXPECT_FALSE(status.ok());
  EXPECT_NE(status.message().find(folder_ + "/nowhere"), absl::string_view::npos) << status;
}

}  // namespace
}  // namespace tilewright
