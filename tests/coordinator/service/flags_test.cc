// The coordinator's command line: what wins, and what is refused.

#include "coordinator/service/flags.h"

#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/wire/status_details.h"

namespace tilewright {
namespace {

class FlagsTest : public testing::Test {
 protected:
  void TearDown() override {
    for (const char* name : {"LISTEN", "WORKER_GRACE", "ROOT", "INSECURE"}) {
      unsetenv(absl::StrCat("TILEWRIGHT_COORDINATOR_", name).c_str());
    }
  }

  std::optional<ExitCode> Parse(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "tilewright-coordinator");
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    flags_ = Flags();
    testing::internal::CaptureStderr();
    testing::internal::CaptureStdout();
    const auto exit = ParseFlags(static_cast<int>(argv.size()), argv.data(), "1.2.3", &flags_);
    err_ = testing::internal::GetCapturedStderr();
    out_ = testing::internal::GetCapturedStdout();
    return exit;
  }
  std::string Config(const std::string& text) {
    const std::string path = absl::StrCat(testing::TempDir(), "/coordinator.config");
    std::ofstream(path) << text;
    return path;
  }

  Flags flags_;
  std::string err_;
  std::string out_;
};

TEST_F(FlagsTest, DefaultsServeLoopback) {
  ASSERT_EQ(Parse({"--models", "m"}), std::nullopt) << err_;
  EXPECT_EQ(flags_.server.listen, "127.0.0.1:7878");
  EXPECT_EQ(flags_.server.models, "m");
  EXPECT_EQ(flags_.server.worker_grace, absl::Seconds(60));
  EXPECT_FALSE(flags_.server.insecure);
  EXPECT_TRUE(flags_.server.shared_memory);
  EXPECT_TRUE(flags_.server.roots.empty());
  EXPECT_NE(flags_.server.state_dir, "");
}

TEST_F(FlagsTest, CheckpointsAreTakenAsOftenAsIsSaid) {
  ASSERT_EQ(Parse({"--models", "m"}), std::nullopt) << err_;
  EXPECT_EQ(flags_.server.checkpoint_interval, absl::Seconds(30));
  ASSERT_EQ(Parse({"--models", "m", "--checkpoint-interval", "0.5"}), std::nullopt) << err_;
  EXPECT_EQ(flags_.server.checkpoint_interval, absl::Milliseconds(500));
  EXPECT_EQ(Parse({"--models", "m", "--checkpoint-interval", "often"}), ExitCode::kUsage);
  EXPECT_EQ(Parse({"--models", "m", "--checkpoint-interval", "-1"}), ExitCode::kUsage);
}

TEST_F(FlagsTest, SharedMemoryCanBeTurnedOffByFlagAndByFile) {
  ASSERT_EQ(Parse({"--models", "m", "--no-shared-memory"}), std::nullopt) << err_;
  EXPECT_FALSE(flags_.server.shared_memory);
  const std::string config = Config("models = m\nno-shared-memory = true\n");
  ASSERT_EQ(Parse({"--config", config}), std::nullopt) << err_;
  EXPECT_FALSE(flags_.server.shared_memory);
}

TEST_F(FlagsTest, FlagsWinOverTheEnvironmentAndThatOverTheFile) {
  const std::string config = Config("# ours\nlisten = 127.0.0.1:1\nworker-grace = 1\nmodels = m\n");
  ASSERT_EQ(Parse({"--config", config}), std::nullopt) << err_;
  EXPECT_EQ(flags_.server.listen, "127.0.0.1:1");
  setenv("TILEWRIGHT_COORDINATOR_LISTEN", "127.0.0.1:2", 1);
  ASSERT_EQ(Parse({"--config", config}), std::nullopt) << err_;
  EXPECT_EQ(flags_.server.listen, "127.0.0.1:2");
  EXPECT_EQ(flags_.server.worker_grace, absl::Seconds(1));
  ASSERT_EQ(Parse({"--config", config, "--listen", "127.0.0.1:3"}), std::nullopt) << err_;
  EXPECT_EQ(flags_.server.listen, "127.0.0.1:3");
}

TEST_F(FlagsTest, RootsAreRepeatedOrSeparatedByColons) {
  ASSERT_EQ(Parse({"--models", "m", "--root", "/a", "--root", "/b"}), std::nullopt) << err_;
  EXPECT_THAT(flags_.server.roots, testing::ElementsAre("/a", "/b"));
  setenv("TILEWRIGHT_COORDINATOR_ROOT", "/c:/d", 1);
  ASSERT_EQ(Parse({"--models", "m"}), std::nullopt) << err_;
  EXPECT_THAT(flags_.server.roots, testing::ElementsAre("/c", "/d"));
}

TEST_F(FlagsTest, WhatIsWrongIsSaidAndIsAUsageError) {
  EXPECT_EQ(Parse({}), ExitCode::kUsage);
  EXPECT_EQ(err_,
            "tilewright-coordinator: --models DIR is required; the source tree has "
            "deploy/models\n");
  EXPECT_EQ(Parse({"--models", "m", "--worker-grace", "soon"}), ExitCode::kUsage);
  EXPECT_EQ(err_, "tilewright-coordinator: --worker-grace 'soon' is no number of seconds\n");
  EXPECT_EQ(Parse({"--models", "m", "--max-upload-bytes", "0"}), ExitCode::kUsage);
  EXPECT_EQ(Parse({"--models", "m", "--log-level", "loud"}), ExitCode::kUsage);
  EXPECT_EQ(Parse({"--modles", "m"}), ExitCode::kUsage);
  EXPECT_EQ(Parse({"--config", Config("modles = m\n")}), ExitCode::kUsage);
  EXPECT_THAT(err_, testing::HasSubstr(":1: 'modles = m' is no setting"));
}

TEST_F(FlagsTest, HelpAndVersionAreAnswers) {
  EXPECT_EQ(Parse({"--version"}), ExitCode::kStopped);
  EXPECT_EQ(out_, "tilewright-coordinator 1.2.3\n");
  EXPECT_EQ(Parse({"--help"}), ExitCode::kStopped);
  for (const char* word : {"--listen", "--port-file", "--state-dir", "--models", "--root",
                           "--worker-grace", "--insecure", "Exit codes"}) {
    EXPECT_THAT(out_, testing::HasSubstr(word));
  }
}

TEST_F(FlagsTest, ASwitchThatIsNeitherYesNorNoIsRefused) {
  for (const char* name : {"insecure", "no-shared-memory"}) {
    EXPECT_EQ(Parse({"--models", "m", "--config",
                     Config(absl::StrCat("models = m\n", name, " = fasle\n"))}),
              ExitCode::kUsage);
    EXPECT_THAT(err_, testing::HasSubstr(
                          absl::StrCat("setting '", name, "' is 'fasle': say true or false")));
  }
}

TEST_F(FlagsTest, ExitCodesTellWhatToMend) {
  EXPECT_EQ(ExitCodeOf(WithReason(absl::UnavailableError("taken"), "CANNOT_LISTEN")),
            ExitCode::kCannotListen);
  EXPECT_EQ(ExitCodeOf(WithReason(absl::FailedPreconditionError("open"), "INSECURE_ADDRESS")),
            ExitCode::kCannotListen);
  EXPECT_EQ(ExitCodeOf(absl::NotFoundError("no such folder")), ExitCode::kBadFolder);
  EXPECT_EQ(ExitCodeOf(absl::InternalError("libvips")), ExitCode::kInternal);
}

}  // namespace
}  // namespace tilewright
