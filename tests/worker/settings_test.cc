#include "worker/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <string>
#include <variant>
#include <vector>

namespace tilewright {
namespace {

using testing::HasSubstr;

class SettingsTest : public testing::Test {
 protected:
  absl::StatusOr<std::variant<WorkerSettings, std::string>> Parse(
      const std::vector<std::string>& arguments) {
    return ParseSettings(
        arguments,
        [this](const std::string& name) -> std::optional<std::string> {
          const auto it = environment_.find(name);
          return it == environment_.end() ? std::nullopt : std::optional(it->second);
        },
        "1.2.3");
  }
  WorkerSettings Settings(const std::vector<std::string>& arguments) {
    const auto parsed = Parse(arguments);
    EXPECT_TRUE(parsed.ok()) << parsed.status();
    return parsed.ok() ? std::get<WorkerSettings>(*parsed) : WorkerSettings();
  }
  std::map<std::string, std::string> environment_;
};

TEST_F(SettingsTest, FlagsWinOverEnvironmentOverFile) {
  const std::string path = testing::TempDir() + "worker_settings_test";
  std::ofstream(path) << "# the pool\ncoordinator = file:1\nname = from-file\nthreads = 3\n";
  environment_ = {{"TILEWRIGHT_WORKER_CONFIG", path}};
  EXPECT_EQ(Settings({}).coordinator, "file:1");
  environment_["TILEWRIGHT_COORDINATOR"] = "environment:1";
  EXPECT_EQ(Settings({}).coordinator, "environment:1");
  EXPECT_EQ(Settings({"--coordinator", "flag:1"}).coordinator, "flag:1");
  EXPECT_EQ(Settings({"--coordinator=flag:1"}).name, "from-file");
  EXPECT_EQ(Settings({}).threads, 3);
  EXPECT_EQ(Settings({"--first-rung", "2"}).first_rung, 2);
  std::ofstream(path) << "coordinater = x\n";
  EXPECT_EQ(
      Parse({}).status().message(),
      path + ":1: 'coordinater = x' is no setting; write NAME = VALUE with the name of a flag");
  std::remove(path.c_str());
  EXPECT_EQ(Parse({}).status().message(), "the configuration file '" + path + "' cannot be read");
}

TEST_F(SettingsTest, DefaultsAreThoseOfTheHelp) {
  environment_ = {{"HOME", "/nonexistent"}};
  const WorkerSettings settings = Settings({});
  EXPECT_EQ(settings.coordinator, "127.0.0.1:7878");
  EXPECT_EQ(settings.device, "cpu");
  EXPECT_GE(settings.threads, 1);
  EXPECT_EQ(settings.credit_tiles, 2048u);
  EXPECT_EQ(settings.cache_bytes, 34359738368u);
  EXPECT_EQ(settings.first_rung, 0);
  EXPECT_FALSE(settings.insecure);
  EXPECT_TRUE(settings.shared_memory);
  EXPECT_TRUE(settings.cuda_graphs);
  EXPECT_THAT(settings.name, HasSubstr("-cpu"));
  EXPECT_EQ(Settings({"--device", "cuda:1"}).threads, 1);
  EXPECT_THAT(Settings({"--device", "cuda:1"}).name, HasSubstr("-cuda1"));
}

TEST_F(SettingsTest, WrongValuesAreNamed) {
  EXPECT_EQ(Parse({"--threads", "0"}).status().message(),
            "--threads is '0': it must be a whole number from 1 to 1024");
  EXPECT_EQ(Parse({"--first-rung", "4"}).status().message(),
            "--first-rung is '4': it must be a whole number from 0 to 3");
  EXPECT_EQ(Settings({"--cache-bytes", "0"}).cache_bytes, 0u);
  EXPECT_EQ(Parse({"--cache-bytes", "2G"}).status().message(),
            "--cache-bytes is '2G': it must be a whole number from 0 to 1125899906842624");
  EXPECT_EQ(Parse({"--log-level", "loud"}).status().message(),
            "--log-level is 'loud': it must be trace, debug, info, warn, error or off");
  EXPECT_THAT(std::string(Parse({"--nosuch"}).status().message()), HasSubstr("--nosuch"));
  environment_["TILEWRIGHT_INSECURE"] = "maybe";
  EXPECT_EQ(Parse({}).status().message(), "--insecure is 'maybe': it must be true or false");
  EXPECT_TRUE(Settings({"--insecure"}).insecure);
  EXPECT_FALSE(Settings({"--insecure", "--no-shared-memory"}).shared_memory);
  EXPECT_FALSE(Settings({"--insecure", "--no-cuda-graphs"}).cuda_graphs);
}

TEST_F(SettingsTest, HelpAndVersionAreText) {
  const std::string help = std::get<std::string>(Parse({"--help"}).value());
  for (const char* word :
       {"--coordinator", "--name", "--device", "--threads", "--cache-dir", "TILEWRIGHT_COORDINATOR",
        "--first-rung", "Examples:", "Exit codes:", "\n  8  "}) {
    EXPECT_THAT(help, HasSubstr(word));
  }
  EXPECT_EQ(std::get<std::string>(Parse({"--version"}).value()), "tilewright-worker 1.2.3\n");
}

}  // namespace
}  // namespace tilewright
