// Parts come back as they were put, space is used again, and a full disk is said.

#include "coordinator/image/scratch_file.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <vector>

#include "tests/coordinator/image/image_testing.h"

namespace tilewright {
namespace {

std::vector<std::byte> Part(size_t bytes, int value) {
  return std::vector<std::byte>(bytes, static_cast<std::byte>(value));
}

TEST(ScratchFile, GivesBackWhatWasPutInAnyOrder) {
  TempFolder folder;
  ScratchFile scratch(folder.path(""));
  std::vector<Scratch::Slot> slots;
  for (int i = 0; i < 5; ++i) {
    slots.push_back(scratch.Put(Part(100'000 + static_cast<size_t>(i), i)).value());
  }
  EXPECT_TRUE(folder.List().empty()) << "the file has a name";
  for (const int i : {3, 0, 4, 1, 2}) {
    const Scratch::Slot& slot = slots[static_cast<size_t>(i)];
    std::vector<std::byte> taken(static_cast<size_t>(slot.bytes));
    ASSERT_TRUE(scratch.Take(slot, absl::MakeSpan(taken)).ok());
    EXPECT_EQ(taken, Part(100'000 + static_cast<size_t>(i), i));
  }
}

TEST(ScratchFile, UsesFreedSpaceAgain) {
  TempFolder folder;
  ScratchFile scratch(folder.path(""));
  const Scratch::Slot kept = scratch.Put(Part(70'000, 1)).value();
  Scratch::Slot slot = scratch.Put(Part(70'000, 2)).value();
  const int64_t length = scratch.file_bytes();
  for (int i = 0; i < 50; ++i) {
    scratch.Drop(slot);
    slot = scratch.Put(Part(70'000 + static_cast<size_t>(i), 3)).value();
  }
  EXPECT_EQ(scratch.file_bytes(), length);
  std::vector<std::byte> taken(70'000);
  ASSERT_TRUE(scratch.Take(kept, absl::MakeSpan(taken)).ok());
  EXPECT_EQ(taken, Part(70'000, 1));
}

TEST(ScratchFile, SaysThatThereIsNoRoomAndKeepsTheRest) {
  TempFolder folder;
  ScratchFile scratch(folder.path(""));
  const Scratch::Slot kept = scratch.Put(Part(1000, 7)).value();
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = signal(SIGXFSZ, SIG_IGN);
  rlimit small = before;
  small.rlim_cur = 100'000;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const absl::Status full = scratch.Put(Part(200'000, 1)).status();
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  signal(SIGXFSZ, handler);
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted) << full;
  std::vector<std::byte> taken(1000);
  ASSERT_TRUE(scratch.Take(kept, absl::MakeSpan(taken)).ok());
  EXPECT_EQ(taken, Part(1000, 7));
}

TEST(ScratchFile, SaysWhichFolderIsMissing) {
  ScratchFile scratch("/nowhere/at/all");
  const absl::Status status = scratch.Put(Part(1000, 1)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound) << status;
  EXPECT_NE(status.message().find("/nowhere/at/all"), std::string::npos);
}

}  // namespace
}  // namespace tilewright
