// The stories of testdata/*.txt. To record them anew after an intended change: TILEWRIGHT_RECORD=1,
// then read the diff.

#include "tests/coordinator/schedule/transcript.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace tilewright {
namespace {

const std::filesystem::path& Folder() {
  static const auto* const folder = new std::filesystem::path(
      std::filesystem::path(TILEWRIGHT_SOURCE_DIR) / "tests/coordinator/schedule/testdata");
  return *folder;
}

std::vector<std::string> Stories() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(Folder())) {
    if (entry.path().extension() == ".txt") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string Read(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

class Transcript : public testing::TestWithParam<std::string> {};

TEST_P(Transcript, IsDecidedAsWritten) {
  const std::filesystem::path path = Folder() / (GetParam() + ".txt");
  const std::string expected = Read(path);
  const absl::StatusOr<std::string> actual = RunTranscript(expected);
  ASSERT_TRUE(actual.ok()) << actual.status();
  if (std::getenv("TILEWRIGHT_RECORD") != nullptr) {
    std::ofstream(path) << *actual;
    GTEST_SKIP() << "recorded " << path;
  }
  EXPECT_EQ(*actual, expected);
}

INSTANTIATE_TEST_SUITE_P(Stories, Transcript, testing::ValuesIn(Stories()),
                         [](const auto& story) { return story.param; });

TEST(TranscriptLanguage, SeesADifferentDecision) {
  const absl::StatusOr<std::string> run = RunTranscript("> join w1\n> submit jobs/1\n");
  ASSERT_TRUE(run.ok()) << run.status();
  EXPECT_NE(run->find("grant w1 lease 1 of jobs/1: tile 0"), std::string::npos) << *run;
  EXPECT_EQ(run->find("grant w2"), std::string::npos) << *run;
}

// Hash tables are seeded per process, so only repetition within one would hide an order that
// depends on them; many leases of one job make such an order show.
TEST(Determinism, TakesLeasesBackInTheOrderOfTheirGrants) {
  std::string story, expected;
  for (int i = 1; i <= 30; ++i) story += absl::StrCat("> join w", i, "\n");
  story += "> submit jobs/1 tiles=30\n> stop jobs/1\n";
  const absl::StatusOr<std::string> run = RunTranscript(story);
  ASSERT_TRUE(run.ok()) << run.status();
  for (int i = 1; i <= 30; ++i) {
    expected += absl::StrCat("  take back from w", i, " lease ", i, ": jobs/1 has ended.\n");
  }
  EXPECT_NE(run->find(expected), std::string::npos) << *run;
}

TEST(TranscriptLanguage, RefusesAnUnknownCommand) {
  EXPECT_EQ(RunTranscript("> dance w1\n").status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace tilewright
