// The state folder: one coordinator at a time, an epoch that only rises, uploads that are bounded.

#include "coordinator/jobs/state_folder.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "coordinator/jobs/roots.h"
#include "coordinator/jobs/uploads.h"
#include "gtest/gtest.h"
#include "proto/wire/status_details.h"

namespace tilewright {
namespace {

class StateFolderTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = absl::StrCat(testing::TempDir(), "/state-", RandomId());
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string folder_;
};

TEST_F(StateFolderTest, TheEpochRisesWithEveryStart) {
  for (uint64_t epoch : {1u, 2u, 3u}) {
    const auto state = StateFolder::Open(folder_);
    ASSERT_TRUE(state.ok()) << state.status();
    const auto raised = (*state)->RaiseEpoch();
    ASSERT_TRUE(raised.ok()) << raised.status();
    EXPECT_EQ(*raised, epoch);
  }
}

TEST_F(StateFolderTest, ADamagedEpochIsNoFreshStart) {
  std::ofstream(folder_ + "/epoch") << "seven\n";
  const auto state = StateFolder::Open(folder_);
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_EQ((*state)->RaiseEpoch().status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(StateFolderTest, TwoCoordinatorsDoNotShareIt) {
  auto first = StateFolder::Open(folder_);
  ASSERT_TRUE(first.ok()) << first.status();
  const absl::Status second = StateFolder::Open(folder_).status();
  EXPECT_EQ(second.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(second.message(), absl::StrCat("another coordinator is running with the state folder '",
                                           std::filesystem::canonical(folder_).string(),
                                           "': stop it, or give another with --state-dir"));
  first->reset();
  EXPECT_TRUE(StateFolder::Open(folder_).ok()) << "the lock outlived its holder";
}

// Takes what was sent for what is to be read.
absl::StatusOr<int64_t> TakeAsItIs(const UploadDecoding& decoding) {
  std::filesystem::copy_file(decoding.from, decoding.to);
  return 1;
}

TEST_F(StateFolderTest, AnUploadIsKeptWholeOrNotAtAll) {
  Uploads uploads(folder_, UploadLimits(), TakeAsItIs);
  auto writer = uploads.Begin(10, 0);
  ASSERT_TRUE(writer.ok()) << writer.status();
  ASSERT_TRUE((*writer)->Append("hello").ok());
  EXPECT_EQ((*writer)->Keep().status().message(),
            "the upload ended after 5 of 10 bytes: send it again");
  writer->reset();
  EXPECT_TRUE(std::filesystem::is_empty(folder_)) << "a broken upload left its file";

  writer = uploads.Begin(10, 0);
  ASSERT_TRUE((*writer)->Append("helloworld").ok());
  EXPECT_EQ((*writer)->Append("!").code(), absl::StatusCode::kInvalidArgument);
  const auto uri = (*writer)->Keep();
  ASSERT_TRUE(uri.ok()) << uri.status();
  const auto kept = uploads.Find(*uri);
  ASSERT_TRUE(kept.ok()) << kept.status();
  EXPECT_EQ(std::filesystem::file_size(kept->path), 10u);
  uploads.Remove(*uri);
  EXPECT_EQ(ReasonOf(uploads.Find(*uri).status()), "INPUT_NOT_FOUND");
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

TEST_F(StateFolderTest, UploadsAreBoundedBeforeTheFirstByte) {
  UploadLimits limits;
  limits.bytes_max = 100;
  limits.total_bytes_max = 150;
  Uploads uploads(folder_, limits, TakeAsItIs);
  EXPECT_EQ(ReasonOf(uploads.Begin(101, 0).status()), "LIMIT_EXCEEDED");
  const auto first = uploads.Begin(100, 0);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(ReasonOf(uploads.Begin(51, 0).status()), "LIMIT_EXCEEDED");
  EXPECT_TRUE(uploads.Begin(50, 0).ok());
}

TEST_F(StateFolderTest, OfAnUploadWhatWasDecodedIsKeptAndCounted) {
  UploadLimits limits;
  limits.total_bytes_max = 100;
  int64_t room = 0;
  Uploads uploads(folder_, limits, [&room](const UploadDecoding& decoding) {
    room = decoding.bytes_max;
    std::ofstream(decoding.to) << std::string(60, 'p');
    return 1;
  });
  auto writer = uploads.Begin(10, 0);
  ASSERT_TRUE((*writer)->Append("helloworld").ok());
  const auto uri = (*writer)->Keep();
  ASSERT_TRUE(uri.ok()) << uri.status();
  EXPECT_EQ(room, 90);
  EXPECT_EQ(std::filesystem::file_size(uploads.Find(*uri)->path), 60u);
  EXPECT_EQ(ReasonOf(uploads.Begin(41, 0).status()), "LIMIT_EXCEEDED");
  EXPECT_TRUE(uploads.Begin(40, 0).ok());
  uploads.Remove(*uri);
  EXPECT_TRUE(uploads.Begin(100, 0).ok());
}

TEST_F(StateFolderTest, OfAnUploadThePageIsKeptThatItWasSentFor) {
  uint32_t asked = 0;
  Uploads uploads(folder_, UploadLimits(), [&asked](const UploadDecoding& decoding) {
    asked = decoding.page;
    std::ofstream(decoding.to) << "page";
    return 7;
  });
  auto writer = uploads.Begin(1, 5);
  ASSERT_TRUE((*writer)->Append("x").ok());
  const auto uri = (*writer)->Keep();
  ASSERT_TRUE(uri.ok()) << uri.status();
  EXPECT_EQ(asked, 5u);
  const auto kept = uploads.Find(*uri);
  ASSERT_TRUE(kept.ok()) << kept.status();
  EXPECT_EQ(kept->page, 5u);
  EXPECT_EQ(kept->pages, 7);
}

TEST_F(StateFolderTest, AnUploadThatCannotBeDecodedIsNotKept) {
  Uploads uploads(folder_, UploadLimits(),
                  [](const UploadDecoding&) { return absl::DataLossError("it is damaged"); });
  auto writer = uploads.Begin(1, 0);
  ASSERT_TRUE((*writer)->Append("x").ok());
  const absl::Status status = (*writer)->Keep().status();
  EXPECT_EQ(ReasonOf(status), "NOT_AN_IMAGE") << status;
  EXPECT_EQ(status.message(), "it is damaged");
  writer->reset();
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

TEST_F(StateFolderTest, PathsStayUnderTheRoots) {
  std::filesystem::create_directories(folder_ + "/in");
  std::filesystem::create_directories(folder_ + "/in-not");
  std::filesystem::create_symlink("/etc", folder_ + "/in/link");
  const auto roots = Roots::Create({folder_ + "/in"});
  ASSERT_TRUE(roots.ok()) << roots.status();
  EXPECT_TRUE(roots->Resolve(folder_ + "/in/new.tif").ok());
  for (const char* outside : {"/in-not/a.tif", "/in/../in-not/a.tif", "/in/link/passwd", "/in"}) {
    const absl::Status status = roots->Resolve(folder_ + outside).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied) << outside;
    EXPECT_EQ(ReasonOf(status), "OUTSIDE_ROOT") << outside;
  }
  const auto none = Roots::Create({});
  ASSERT_TRUE(none.ok());
  EXPECT_EQ(ReasonOf(none->Resolve("/etc/passwd").status()), "OUTSIDE_ROOT");
  const auto all = Roots::Create({"/"});
  ASSERT_TRUE(all.ok());
  EXPECT_TRUE(all->Resolve("/etc/passwd").ok());
}

}  // namespace
}  // namespace tilewright
