#include "worker/engine/local_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "proto/wire/model_digest.h"

namespace tilewright {
namespace {

TEST(LocalModel, OpensOnlyWhatHasItsDigest) {
  const auto folder = std::filesystem::path(::testing::TempDir()) / "local_model_test";
  std::filesystem::create_directories(folder);
  const auto write = [&folder](const char* text) {
    std::ofstream(folder / "manifest.textproto", std::ios::trunc) << text;
  };
  write("engine: \"torch\" entry: \"model.pt\" halo: 9");
  const std::string digest = *DigestModelFolder(folder.string());
  const auto model = OpenLocalModel(folder.string(), digest);
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->manifest.halo(), 9u);
  EXPECT_EQ(model->digest, digest);
  EXPECT_EQ(model->folder, folder.string());

  write("engine: \"torch\" entry: \"model.pt\" halo: 8");
  EXPECT_EQ(OpenLocalModel(folder.string(), digest).status().code(), absl::StatusCode::kDataLoss);
  write("engine: \"torch\"\nhallo: 8");
  const auto wrong = OpenLocalModel(folder.string(), *DigestModelFolder(folder.string()));
  EXPECT_THAT(std::string(wrong.status().message()), ::testing::HasSubstr("manifest.textproto:2:"));
  std::filesystem::remove_all(folder);
  EXPECT_EQ(OpenLocalModel(folder.string(), digest).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace tilewright
