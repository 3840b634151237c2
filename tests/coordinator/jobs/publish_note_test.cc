#include "coordinator/jobs/publish_note.h"

#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "coordinator/jobs/checkpoint.h"
#include "coordinator/jobs/state_folder.h"
#include "gtest/gtest.h"

namespace tilewright {
namespace {

namespace fs = std::filesystem;

class PublishNoteTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = absl::StrCat(testing::TempDir(), "/notes-", RandomId());
    fs::create_directories(folder_ + "/notes");
    for (const std::string& path :
         {CheckpointPathFor(output()), CheckpointScratchPathFor(output())}) {
      std::ofstream(path) << "left";
    }
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string output() const { return folder_ + "/out.tif"; }
  std::string notes() const { return folder_ + "/notes"; }
  // As a coordinator leaves it that is killed.
  void WriteNote() { std::ofstream(notes() + "/0a") << output(); }
  bool Left() {
    const bool record = fs::exists(CheckpointPathFor(output()));
    EXPECT_EQ(fs::exists(CheckpointScratchPathFor(output())), record);
    return record;
  }

  std::string folder_;
};

TEST_F(PublishNoteTest, LastsAsLongAsTheObject) {
  {
    const PublishNote note(notes(), output());
    EXPECT_FALSE(fs::is_empty(notes()));
  }
  EXPECT_TRUE(fs::is_empty(notes()));
}

TEST_F(PublishNoteTest, WhatLiesBesideAPublishedOutputIsRemoved) {
  std::ofstream(output()) << "published";
  WriteNote();
  SettleNotes(notes());
  EXPECT_FALSE(Left());
  EXPECT_TRUE(fs::exists(output()));
  EXPECT_FALSE(fs::exists(output() + ".partial"));
  EXPECT_TRUE(fs::is_empty(notes()));
}

TEST_F(PublishNoteTest, UnfinishedWorkStays) {
  // Without a note: some job's that has not come so far.
  std::ofstream(output()) << "an older one";
  SettleNotes(notes());
  EXPECT_TRUE(Left());
  // Killed before the output got its name.
  std::ofstream(output() + ".partial") << "work";
  WriteNote();
  SettleNotes(notes());
  EXPECT_TRUE(Left());
  EXPECT_TRUE(fs::exists(output() + ".partial"));
  EXPECT_TRUE(fs::is_empty(notes()));
  // No output at all.
  fs::remove(output());
  fs::remove(output() + ".partial");
  WriteNote();
  SettleNotes(notes());
  EXPECT_TRUE(Left());
}

TEST_F(PublishNoteTest, WithoutAFolderNothingHappens) { SettleNotes(folder_ + "/none"); }

}  // namespace
}  // namespace tilewright
