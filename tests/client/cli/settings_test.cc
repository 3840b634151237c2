#include "client/cli/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace tilewright {
namespace {

using testing::HasSubstr;

Environment Variables(std::map<std::string, std::string> variables) {
  return [variables](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  };
}

Settings Parsed(const std::string& text, std::map<std::string, std::string> variables) {
  auto settings = Settings::Parse(text, "config", Variables(std::move(variables)));
  EXPECT_TRUE(settings.ok()) << settings.status();
  return *std::move(settings);
}

TEST(Settings, AFlagBeatsTheEnvironmentAndThatTheFile) {
  const std::string file = "# my cluster\n\n  coordinator = file:1  \n";
  const std::map<std::string, std::string> variables = {{"TILEWRIGHT_COORDINATOR", "env:1"}};
  EXPECT_EQ(Parsed(file, variables).Resolve("coordinator", "flag:1", "default:1"), "flag:1");
  EXPECT_EQ(Parsed(file, variables).Resolve("coordinator", std::nullopt, "default:1"), "env:1");
  EXPECT_EQ(Parsed(file, {}).Resolve("coordinator", std::nullopt, "default:1"), "file:1");
  EXPECT_EQ(Parsed("", {}).Resolve("coordinator", std::nullopt, "default:1"), "default:1");
  EXPECT_EQ(
      Parsed("", {{"TILEWRIGHT_TILE_TIMEOUT", "5"}}).Resolve("tile-timeout", std::nullopt, "0"),
      "5");
}

TEST(Settings, SwitchesKnowYesAndNo) {
  EXPECT_TRUE(*Parsed("insecure = no", {}).ResolveSwitch("insecure", true));
  EXPECT_TRUE(*Parsed("insecure = Yes", {}).ResolveSwitch("insecure", false));
  EXPECT_FALSE(
      *Parsed("insecure = yes", {{"TILEWRIGHT_INSECURE", "off"}}).ResolveSwitch("insecure", false));
  EXPECT_FALSE(*Parsed("", {}).ResolveSwitch("insecure", false));
  EXPECT_EQ(Parsed("insecure = perhaps", {}).ResolveSwitch("insecure", false).status(),
            absl::InvalidArgumentError("setting 'insecure' (TILEWRIGHT_INSECURE) is 'perhaps': say "
                                       "true or false"));
}

TEST(Settings, RefusesLinesItDoesNotKnow) {
  const auto refusal = [](const std::string& text) {
    return std::string(Settings::Parse(text, "f", Variables({})).status().message());
  };
  EXPECT_THAT(refusal("coordinator=a:1\ncoordinater = b:1"),
              HasSubstr("f:2: 'coordinater = b:1' is no setting"));
  EXPECT_THAT(refusal("coordinator"), HasSubstr("f:1: 'coordinator' is no setting"));
  EXPECT_THAT(refusal("progress=bar\nprogress=none"),
              HasSubstr("f:2: 'progress' stands here for the second time"));
  EXPECT_EQ(refusal("progress=a=b"), "") << "only the first = separates";
}

TEST(Settings, FindsTheFileAndInsistsOnlyOnANamedOne) {
  const std::filesystem::path folder =
      std::filesystem::path(testing::TempDir()) / "tilewright-settings-test";
  std::filesystem::create_directories(folder / ".config" / "tilewright");
  std::ofstream(folder / ".config" / "tilewright" / "config") << "coordinator = home:1\n";
  std::ofstream(folder / "named") << "coordinator = named:1\n";
  const auto coordinator = [](const absl::StatusOr<Settings>& settings) {
    return settings.ok() ? settings->Resolve("coordinator", std::nullopt, "default")
                         : std::string(settings.status().message());
  };
  const std::string named = (folder / "named").string();
  const std::string none = (folder / "none").string();
  EXPECT_EQ(coordinator(Settings::Load(std::nullopt, Variables({{"HOME", folder.string()}}))),
            "home:1");
  EXPECT_EQ(coordinator(Settings::Load(std::nullopt, Variables({{"HOME", none}}))), "default");
  EXPECT_EQ(coordinator(Settings::Load(std::nullopt, Variables({}))), "default");
  EXPECT_EQ(coordinator(Settings::Load(named, Variables({{"TILEWRIGHT_CONFIG", none}}))),
            "named:1");
  EXPECT_EQ(coordinator(Settings::Load(std::nullopt, Variables({{"TILEWRIGHT_CONFIG", named}}))),
            "named:1");
  EXPECT_THAT(coordinator(Settings::Load(none, Variables({}))), HasSubstr("cannot be read"));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace tilewright
