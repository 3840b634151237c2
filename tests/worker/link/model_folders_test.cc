// Which models stay when there is no room for all, in a folder of the test's own.

#include "worker/link/model_folders.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>

namespace tilewright {
namespace {

namespace fs = std::filesystem;
using std::chrono::hours;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class ModelFoldersTest : public ::testing::Test {
 protected:
  void SetUp() override { fs::create_directories(parent_); }
  void TearDown() override { fs::remove_all(parent_); }

  // "aaa…" for 'a'.
  static std::string Digest(char digit) { return std::string(64, digit); }
  // A folder of one file, last used so long ago.
  void Make(const std::string& name, size_t bytes, hours ago) {
    fs::create_directories(parent_ + "/" + name);
    std::ofstream(parent_ + "/" + name + "/weights.bin") << std::string(bytes, 'w');
    fs::last_write_time(parent_ + "/" + name, fs::file_time_type::clock::now() - ago);
  }
  void MakeThree() {
    Make(Digest('a'), 1000, hours(2));
    Make(Digest('b'), 1000, hours(3));
    Make(Digest('c'), 1000, hours(1));
  }

  const std::string parent_ = ::testing::TempDir() + "model_folders." + std::to_string(getpid());
};

TEST_F(ModelFoldersTest, TheLeastRecentlyUsedGoUntilTheRestFits) {
  MakeThree();
  EXPECT_THAT(ModelFolders(parent_, 3000).Prune().removed, IsEmpty()) << "all fit";
  const ModelFolders::Pruned one = ModelFolders(parent_, 2999).Prune();
  EXPECT_THAT(one.removed, ElementsAre(Digest('b')));
  EXPECT_EQ(one.bytes_removed, 1000u);
  EXPECT_EQ(one.bytes_left, 2000u);
  const ModelFolders none(parent_, 0);
  EXPECT_THAT(none.Digests(), ElementsAre(Digest('a'), Digest('c')));
  EXPECT_THAT(none.Prune().removed, ElementsAre(Digest('a'), Digest('c')));
  EXPECT_TRUE(fs::is_empty(parent_));
}

TEST_F(ModelFoldersTest, WhatIsInUseStaysAndWasUsedWhenItsUseEnds) {
  MakeThree();
  const ModelFolders user(parent_, 0);
  const ModelFolders other(parent_, 1000);
  auto use = user.Use(Digest('b'));
  ASSERT_NE(use, nullptr);
  auto copy = use;
  use.reset();
  const ModelFolders::Pruned pruned = other.Prune();
  EXPECT_THAT(pruned.removed, ElementsAre(Digest('a'), Digest('c')));
  EXPECT_EQ(pruned.bytes_left, 1000u);
  EXPECT_THAT(user.Prune().removed, IsEmpty());
  EXPECT_EQ(user.Prune().bytes_left, 1000u) << "more than may be, and said";
  fs::last_write_time(user.PathOf(Digest('b')), fs::file_time_type::clock::now() - hours(9));
  copy.reset();
  Make(Digest('d'), 1000, hours(1));
  EXPECT_THAT(other.Prune().removed, ElementsAre(Digest('d'))) << "its use ended a moment ago";
  EXPECT_THAT(user.Prune().removed, ElementsAre(Digest('b'))) << "the control: nobody uses it";
  EXPECT_EQ(user.Use(Digest('b')), nullptr);
}

TEST_F(ModelFoldersTest, AKilledProcessUsesNothing) {
  MakeThree();
  const ModelFolders folders(parent_, 0);
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const auto use = folders.Use(Digest('b'));
    const char said = use == nullptr ? 'n' : 'y';
    if (write(ready[1], &said, 1) != 1) _exit(1);
    while (true) pause();
  }
  char said = 0;
  EXPECT_EQ(read(ready[0], &said, 1), 1);
  EXPECT_EQ(said, 'y');
  EXPECT_THAT(folders.Prune().removed, ElementsAre(Digest('a'), Digest('c')));
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_THAT(folders.Prune().removed, ElementsAre(Digest('b')));
  close(ready[0]);
  close(ready[1]);
}

TEST_F(ModelFoldersTest, WhatIsBeingMadeStaysForADayAndWhatIsNoModelForEver) {
  MakeThree();
  const ModelFolders folders(parent_, 0);
  const fs::path partial(folders.PartialPathOf(Digest('d')));
  Make(partial.filename().string(), 10, hours(23));
  Make("." + Digest('e') + ".1.partial", 10, hours(25));
  Make("notes", 10, hours(1000));
  EXPECT_EQ(folders.Bytes(), 3000u);
  EXPECT_EQ(folders.Prune().removed.size(), 3u);
  EXPECT_TRUE(fs::exists(partial));
  EXPECT_FALSE(fs::exists(parent_ + "/." + Digest('e') + ".1.partial"));
  EXPECT_TRUE(fs::exists(parent_ + "/notes"));
}

TEST_F(ModelFoldersTest, AFolderThatIsNotThereHoldsNothing) {
  const ModelFolders folders(parent_ + "/absent", 0);
  EXPECT_THAT(folders.Digests(), IsEmpty());
  EXPECT_THAT(folders.Prune().removed, IsEmpty());
  EXPECT_EQ(folders.Use(Digest('a')), nullptr);
}

}  // namespace
}  // namespace tilewright
