// What the tests of wrong inputs share: a cluster that must render a good picture after each of
// them. One thread, the test's.

#ifndef TILEWRIGHT_TESTS_CLUSTER_BAD_INPUT_H_
#define TILEWRIGHT_TESTS_CLUSTER_BAD_INPUT_H_

#include <unistd.h>

#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cluster/cluster.h"
#include "tests/cluster/exit_status.h"
#include "tests/cluster/picture.h"
#include "tests/cluster/with_cluster.h"

namespace tilewright {

class BadInputTest : public WithCluster, public testing::Test {
 protected:
  explicit BadInputTest(std::vector<std::string> coordinator_flags = {})
      : coordinator_flags_(std::move(coordinator_flags)) {}

  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(StartCluster({}, {.coordinator_flags = coordinator_flags_}));
    good_ = cluster_->Path("good.png");
    ASSERT_TRUE(WritePicture(NoisePicture(300, 200, 3, 8, 1), good_).ok());
  }

  // Both programs run, and a good picture comes out.
  void TearDown() override {
    if (cluster_ == nullptr) return;
    EXPECT_TRUE(cluster_->coordinator().Running()) << "the coordinator went down";
    if (!cluster_->Worker("w").ok()) {
      const absl::Status added = cluster_->AddWorker("w");
      ASSERT_TRUE(added.ok()) << added;
    }
    EXPECT_TRUE(cluster_->worker("w").Running()) << "the worker went down";
    const CliResult result =
        Render(good_, cluster_->Path("after.tif"), "identity", {"--overwrite"});
    EXPECT_EQ(result.exit_code, 0) << "no good picture came out afterwards: " << result.err;
  }

  void AddWorker() {
    const absl::Status added = cluster_->AddWorker("w");
    ASSERT_TRUE(added.ok()) << added;
  }

  std::string Write(const std::string& name, const std::string& contents) {
    std::ofstream(cluster_->Path(name), std::ios::binary) << contents;
    return cluster_->Path(name);
  }

  CliResult Render(const std::string& input, const std::string& output, const std::string& model,
                   const std::vector<std::string>& flags = {}) {
    std::vector<std::string> arguments = {"render", "-i", input, "-o", output, "-n", model};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    return cluster_->Cli(arguments);
  }

  // The run failed with this exit status and said all of these; no output was left behind.
  void ExpectRefused(const CliResult& result, int exit_code, const std::vector<std::string>& said) {
    EXPECT_EQ(result.exit_code, exit_code) << result.err;
    for (const std::string& words : said) EXPECT_THAT(result.err, testing::HasSubstr(words));
  }

  void ExpectNothingLeft(const std::string& output) {
    EXPECT_NE(access(output.c_str(), F_OK), 0) << output << " was left behind";
    EXPECT_NE(access((output + ".partial").c_str(), F_OK), 0)
        << output << ".partial was left behind";
  }

  const std::vector<std::string> coordinator_flags_;
  std::string good_;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_TESTS_CLUSTER_BAD_INPUT_H_
