// Checksums, model digests and host ids: the values that both ends must compute alike.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "proto/wire/checksum.h"
#include "proto/wire/host_id.h"
#include "proto/wire/model_digest.h"

namespace tilewright {
namespace {

using testing::ElementsAre;

TEST(Checksum, IsXxh3OfTheBytes) {
  EXPECT_EQ(Checksum({}), 0x2d06800538d394c2u) << "the published XXH3-64 of nothing, seed 0";
  EXPECT_EQ(HexDigest(""), "2d06800538d394c2");
  EXPECT_EQ(HexDigest("tilewright").size(), 16u);
  EXPECT_NE(HexDigest("a"), HexDigest("b"));
}

class ModelDigestTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "model_digest_test";
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_ + "/subfolder");
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  void Write(const std::string& name, const std::string& contents) {
    std::ofstream(folder_ + "/" + name, std::ios::binary) << contents;
  }
  std::string folder_;
};

TEST_F(ModelDigestTest, OfAFolderIsThatOfItsFilesByName) {
  Write("weights.pt", std::string(3'000'000, 'w'));
  Write("manifest.textproto", "engine: \"torch\"");
  Write(".hidden", "not part of it");
  ModelDigest digest;
  digest.AddFile("manifest.textproto", "engine: \"torch\"");
  digest.BeginFile("weights.pt", 3'000'000);
  for (int i = 0; i < 3; ++i) digest.Add(std::string(1'000'000, 'w'));
  const std::string expected = digest.Finish();
  EXPECT_EQ(expected.size(), 64u);
  EXPECT_EQ(DigestModelFolder(folder_).value(), expected);
  EXPECT_THAT(ListModelFiles(folder_).value(), ElementsAre("manifest.textproto", "weights.pt"));

  Write("weights.pt", std::string(2'999'999, 'w') + "x");
  EXPECT_NE(DigestModelFolder(folder_).value(), expected) << "one byte differs";
}

TEST(ModelDigest, IsSha256OfTheDefinedBytes) {
  ModelDigest digest;
  EXPECT_EQ(digest.Finish(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
      << "the published SHA-256 of nothing";
  ModelDigest one;
  one.AddFile("a", "bc");
  // printf 'a\0\2\0\0\0\0\0\0\0bc' | sha256sum
  EXPECT_EQ(one.Finish(), "1ac0723a3278cb3da7f8def6bc56d9b0f04dc58d6399a159484d0dad41e96727");
}

TEST(ModelDigest, AMissingFolderIsNamed) {
  const absl::Status status = DigestModelFolder("/nonexistent/model").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(status.message(),
            "cannot read the model folder '/nonexistent/model': No such file or directory");
}

TEST(ModelFileName, CannotLeaveItsFolder) {
  EXPECT_TRUE(IsModelFileName("manifest.textproto"));
  EXPECT_TRUE(IsModelFileName("a-b_C.9"));
  for (const char* name : {"", ".", "..", ".x", "a/b", "/etc/passwd", "a\\b", "a b", "\xc3\xa4"}) {
    EXPECT_FALSE(IsModelFileName(name)) << name;
  }
  EXPECT_FALSE(IsModelFileName(std::string(129, 'a')));
  EXPECT_FALSE(IsModelFileName(absl::string_view("a\0b", 3)));
}

TEST(HostId, IsTheSameEachTime) {
  EXPECT_FALSE(HostId().empty());
  EXPECT_EQ(HostId(), HostId());
}

}  // namespace
}  // namespace tilewright
