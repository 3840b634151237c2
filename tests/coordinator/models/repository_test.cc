#include "coordinator/models/repository.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace tilewright {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr char kBuiltin[] = R"(engine: "builtin" entry: "identity" exactness: EXACTNESS_KIND_EXACT
inputs { name: "image" } outputs { name: "image" })";
constexpr char kTorch[] = R"(engine: "torch" entry: "model.pt" exactness: EXACTNESS_KIND_EXACT
inputs { name: "image" channels: 3 } outputs { name: "image" channels: 3 merge: MERGE_KIND_CUT })";

class Repository : public ::testing::Test {
 protected:
  Repository() {
    root_ = std::filesystem::path(::testing::TempDir()) /
            ::testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(root_);
    std::filesystem::create_directories(root_);
  }
  ~Repository() override { std::filesystem::remove_all(root_); }

  void Write(const std::string& path, const std::string& text) {
    std::filesystem::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path, std::ios::binary) << text;
  }
  void AddBuiltin(const std::string& name, int version = 1) {
    Write(name + "/" + std::to_string(version) + "/manifest.textproto", kBuiltin);
  }
  absl::StatusOr<ModelRepository> Load() { return ModelRepository::Load(root_.string()); }
  std::string ErrorOfLoad() {
    const auto repository = Load();
    return repository.ok() ? "loaded" : std::string(repository.status().message());
  }

  std::filesystem::path root_;
};

TEST_F(Repository, OrdersModelsByNameAndVersionsHighestFirst) {
  AddBuiltin("b", 2);
  AddBuiltin("b", 10);
  AddBuiltin("a");
  Write("README", "left alone");
  Write(".git/config", "left alone");
  const auto repository = Load();
  ASSERT_TRUE(repository.ok()) << repository.status();
  std::vector<std::string> names;
  for (const auto& model : repository->models()) names.push_back(model.model.name());
  EXPECT_THAT(names, ::testing::ElementsAre("models/a/versions/1", "models/b/versions/10",
                                            "models/b/versions/2"));
}

TEST_F(Repository, FindsByAnyFormOfTheName) {
  AddBuiltin("blur", 1);
  AddBuiltin("blur", 2);
  const auto repository = Load();
  ASSERT_TRUE(repository.ok()) << repository.status();
  for (const char* name : {"blur", "models/blur", "models/blur/versions/2", "blur/versions/2"}) {
    const auto found = repository->Find(name);
    ASSERT_TRUE(found.ok()) << name << ": " << found.status();
    EXPECT_EQ((*found)->model.name(), "models/blur/versions/2") << name;
  }
  EXPECT_EQ((*repository->Find("models/blur/versions/1"))->model.name(), "models/blur/versions/1");
  EXPECT_EQ(repository->Find("blur/versions/3").status().message(),
            "model 'blur' has no version 3; it has 2, 1");
  for (const char* name : {"", "models/", "a/b", "blur/versions/0", "blur/versions/01", "../x"}) {
    EXPECT_EQ(repository->Find(name).status().code(), absl::StatusCode::kInvalidArgument) << name;
  }
}

TEST_F(Repository, NamesNearMatches) {
  for (const char* name : {"lanczos2x", "lanczos4x", "lanczos4x-torch", "identity"}) {
    AddBuiltin(name);
  }
  const auto repository = Load();
  ASSERT_TRUE(repository.ok()) << repository.status();
  const absl::Status near = repository->Find("lanczos4").status();
  EXPECT_EQ(near.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(near.message()),
              AllOf(HasSubstr("there is no model 'lanczos4'; did you mean lanczos4x or "),
                    HasSubstr("lanczos4x-torch"), Not(HasSubstr("identity"))));
  EXPECT_EQ(repository->Find("quite-another").status().message(),
            "there is no model 'quite-another'; 'tilewright models list' shows all");
}

TEST_F(Repository, DigestsNamesLengthsAndBytesOfEveryFile) {
  Write("m/1/manifest.textproto", kTorch);
  Write("m/1/model.pt", "weights");
  const auto first = Load();
  ASSERT_TRUE(first.ok()) << first.status();
  const RepositoryModel& model = first->models()[0];
  EXPECT_EQ(model.model.digest().size(), 64u);
  ASSERT_EQ(model.files.size(), 2u);
  EXPECT_EQ(model.files[0].name, "manifest.textproto");
  EXPECT_EQ(model.files[1].name, "model.pt");
  EXPECT_EQ(model.files[1].bytes, 7);
  EXPECT_EQ(model.merge, MergeKind::kCut);
  EXPECT_TRUE(first->FindByDigest(model.model.digest()).ok());

  EXPECT_EQ(Load()->models()[0].model.digest(), model.model.digest()) << "the control: unchanged";
  Write("m/1/model.pt", "weightz");
  EXPECT_NE(Load()->models()[0].model.digest(), model.model.digest());
  EXPECT_EQ(Load()->FindByDigest(model.model.digest()).status().code(),
            absl::StatusCode::kNotFound);
}

TEST_F(Repository, RefusesWhatIsNoModelAndSaysWhere) {
  Write("m/1/manifest.textproto", kTorch);
  EXPECT_THAT(ErrorOfLoad(), AllOf(HasSubstr("m/1/manifest.textproto: entry: there is no file "
                                             "'model.pt'"),
                                   StartsWith("/")));
  Write("m/1/model.pt", "weights");
  EXPECT_EQ(ErrorOfLoad(), "loaded") << "the control: with its file it is a model";
  Write("m/1/manifest.textproto", "engine: \"torch\"\n\nentry 3\n");
  EXPECT_THAT(ErrorOfLoad(), HasSubstr("m/1/manifest.textproto:3:"));
  Write("m/1/manifest.textproto", "engine: \"x\"");
  EXPECT_THAT(ErrorOfLoad(), HasSubstr("m/1/manifest.textproto: engine: 'x'"));
  std::filesystem::remove(root_ / "m/1/manifest.textproto");
  EXPECT_THAT(ErrorOfLoad(), HasSubstr("holds no manifest.textproto"));
  std::filesystem::remove_all(root_ / "m");
  AddBuiltin("n", 1);
  std::filesystem::create_directories(root_ / "n" / "latest");
  EXPECT_THAT(ErrorOfLoad(), HasSubstr("n/latest is no version"));
  std::filesystem::remove_all(root_ / "n");
  std::filesystem::create_directories(root_ / "empty");
  EXPECT_THAT(ErrorOfLoad(), HasSubstr("empty holds no version folder"));
  std::filesystem::remove_all(root_);
  EXPECT_THAT(ErrorOfLoad(), HasSubstr("cannot be listed: No such file or directory"));
  EXPECT_EQ(Load().status().code(), absl::StatusCode::kNotFound);
}

TEST(ShippedModels, LoadAndSayWhatTheyAre) {
  const auto repository =
      ModelRepository::Load(std::string(TILEWRIGHT_SOURCE_DIR) + "/deploy/models");
  ASSERT_TRUE(repository.ok()) << repository.status();
  for (const auto& [name, scale, halo] :
       {std::tuple("identity", 1, 0), std::tuple("lanczos2x", 2, 3), std::tuple("lanczos3x", 3, 3),
        std::tuple("lanczos4x", 4, 3), std::tuple("lanczos4x-torch", 4, 3),
        std::tuple("gaussian-blur", 1, 6), std::tuple("disagree", 1, 0)}) {
    const auto model = repository->Find(name);
    ASSERT_TRUE(model.ok()) << model.status();
    EXPECT_EQ((*model)->geometry.scale.p(), scale) << name;
    EXPECT_EQ((*model)->geometry.halo, halo) << name;
    EXPECT_FALSE((*model)->model.manifest().description().empty()) << name;
  }
}

}  // namespace
}  // namespace tilewright
