// The list of missing tiles: JSON however many there are, and a full disk is said.

#include "coordinator/jobs/missing_tiles.h"

#include <filesystem>
#include <fstream>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "coordinator/image/file_error.h"
#include "coordinator/jobs/state_folder.h"
#include "gtest/gtest.h"

namespace tilewright {
namespace {

std::string ListOf(int tiles) {
  const std::string path = absl::StrCat(testing::TempDir(), "/missing-", RandomId(), ".json");
  auto list = MissingTilesFile::Create(path, "jobs/a", 7);
  EXPECT_TRUE(list.ok()) << list.status();
  for (int tile = 0; tile < tiles; ++tile) {
    EXPECT_TRUE(list->Add(tile, {10 * tile, 0, 10, 20}).ok());
  }
  EXPECT_EQ(list->count(), tiles);
  EXPECT_TRUE(list->Finish().ok());
  std::ifstream file(path);
  const std::string text(std::istreambuf_iterator<char>(file), {});
  std::filesystem::remove(path);
  return text;
}

TEST(MissingTiles, AreListedOneALine) {
  EXPECT_EQ(ListOf(0), "{\"job\":\"jobs/a\",\"tiles\":7,\"missing\":[],\"missing_count\":0}\n");
  EXPECT_EQ(ListOf(2),
            "{\"job\":\"jobs/a\",\"tiles\":7,\"missing\":[\n"
            "{\"tile\":0,\"x\":0,\"y\":0,\"width\":10,\"height\":20},\n"
            "{\"tile\":1,\"x\":10,\"y\":0,\"width\":10,\"height\":20}],\"missing_count\":2}\n");
}

TEST(MissingTiles, SayThatThereIsNoRoomForThem) {
  auto list = MissingTilesFile::Create("/dev/full", "jobs/a", 7);
  ASSERT_TRUE(list.ok()) << list.status();
  const absl::Status full = list->Finish();
  EXPECT_TRUE(IsNoRoom(full)) << full;
  EXPECT_EQ(MissingTilesFile::Create("/nowhere/a.json", "jobs/a", 7).status().code(),
            absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace tilewright
