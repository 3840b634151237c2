#include "client/src/frame_pattern.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "tilewright/error.h"

namespace tilewright {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(FramePattern, NamesFilesAsPrintfWould) {
  const auto name = [](const char* pattern, uint64_t number) {
    const auto parsed = FramePattern::Parse(pattern);
    EXPECT_TRUE(parsed.ok()) << parsed.status();
    return parsed.ok() ? parsed->NameOf(number) : "";
  };
  EXPECT_EQ(name("a_%04d.png", 7), "a_0007.png");
  EXPECT_EQ(name("a_%04d.png", 123456), "a_123456.png");
  EXPECT_EQ(name("%d", 0), "0");
  EXPECT_EQ(name("100%%/%d%%.png", 9), "100%/9%.png");
  EXPECT_EQ(name("mask.png", 9), "mask.png");
}

TEST(FramePattern, MatchesWhatItNamesAndNothingElse) {
  const FramePattern wide = FramePattern::Parse("a_%04d.png").value();
  const FramePattern bare = FramePattern::Parse("a_%d.png").value();
  uint64_t number = 0;
  EXPECT_TRUE(wide.Match("a_0042.png", &number));
  EXPECT_EQ(number, 42u);
  EXPECT_TRUE(wide.Match("a_12345.png", &number));
  EXPECT_TRUE(bare.Match("a_0.png", &number));
  for (const char* other : {"a_42.png", "a_00042.png", "a_0042.PNG", "b_0042.png", "a_004x.png",
                            "a_.png", "a_-042.png", "a_99999999999999999999.png"}) {
    EXPECT_FALSE(wide.Match(other, &number)) << other;
  }
  EXPECT_FALSE(bare.Match("a_042.png", &number));
}

TEST(FramePattern, RefusesWhatPrintfWouldTakeForSomethingElse) {
  for (const char* pattern : {"%s", "%5d", "%0d", "%099d", "%x", "100%", "%d_%d", "%-4d"}) {
    const auto parsed = FramePattern::Parse(pattern);
    EXPECT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument) << pattern;
    EXPECT_EQ(ErrorReason(parsed.status()), "BAD_PATTERN");
    EXPECT_THAT(std::string(parsed.status().message()), HasSubstr(pattern));
  }
}

TEST(FindFrames, ListsTheNumbersThatExist) {
  std::string folder = testing::TempDir() + "/tilewright-frames-XXXXXX";
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  for (const char* name : {"s_010.png", "s_002.png", "s_1000.png", "s_2.png", "s_002.txt"}) {
    std::ofstream(absl::StrCat(folder, "/", name)) << "x";
  }
  const std::string pattern = absl::StrCat(folder, "/s_%03d.png");
  EXPECT_THAT(FindFrames(pattern, 100).value(), ElementsAre(2, 10, 1000));
  EXPECT_EQ(FindFrames(pattern, 2).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ErrorReason(FindFrames(absl::StrCat(folder, "/t_%d.png"), 9).status()),
            "INPUT_MISSING");
  EXPECT_EQ(ErrorReason(FindFrames(absl::StrCat(folder, "/none/%d.png"), 9).status()),
            "INPUT_MISSING");
  EXPECT_EQ(ErrorReason(FindFrames(absl::StrCat(folder, "/%d/a.png"), 9).status()), "BAD_PATTERN");
  EXPECT_EQ(ErrorReason(FindFrames(absl::StrCat(folder, "/a.png"), 9).status()), "BAD_PATTERN");
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace tilewright
