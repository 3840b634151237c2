// Networks whose output is logits: blended, then decided when they are written.

#include <cstddef>
#include <cstring>
#include <set>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cluster/cluster.h"
#include "tests/cluster/networks.h"
#include "tests/cluster/picture.h"

namespace tilewright {
namespace {

using ::testing::HasSubstr;

class LogitsTest : public NetworksTest {
 protected:
  LogitsTest() : NetworksTest({"a", "b"}) {}

  // Tiles of 64 with half the context that they need, so that neighbours differ where they blend.
  CliResult Render(const std::string& output, const std::vector<std::string>& flags = {}) {
    std::vector<std::string> arguments = {"render",
                                          "-i",
                                          cluster_->Path("in.png"),
                                          "-o",
                                          cluster_->Path(output),
                                          "-n",
                                          "logits-5",
                                          "-t",
                                          "64",
                                          "--halo",
                                          "2",
                                          "--overlap",
                                          "16",
                                          "--json"};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    CliResult result = cluster_->Cli(arguments, absl::Minutes(3));
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return result;
  }
};

TEST_F(LogitsTest, LabelsAreTheGreatestOfTheBlendedLogits) {
  ASSERT_TRUE(WritePicture(NoisePicture(288, 192, 3, 8, 21), cluster_->Path("in.png")).ok());
  const CliResult decided = Render("labels.png");
  EXPECT_THAT(decided.out, HasSubstr("a label from 0 to 4"));
  Render("logits.tif", {"--undecided"});
  const auto labels = ReadPicture(cluster_->Path("labels.png"));
  const auto logits = ReadPicture(cluster_->Path("logits.tif"));
  ASSERT_TRUE(labels.ok() && logits.ok()) << labels.status() << logits.status();
  ASSERT_EQ(labels->samples.size(), size_t{288 * 192});
  ASSERT_EQ(logits->samples.size(), labels->samples.size() * 5 * sizeof(float));
  std::set<int> seen;
  int64_t wrong = 0;
  for (size_t i = 0; i < labels->samples.size(); ++i) {
    float values[5];
    std::memcpy(values, logits->samples.data() + i * sizeof(values), sizeof(values));
    int greatest = 0;
    for (int c = 1; c < 5; ++c) {
      if (values[c] > values[greatest]) greatest = c;
    }
    seen.insert(greatest);
    wrong += greatest != std::to_integer<int>(labels->samples[i]) ? 1 : 0;
  }
  EXPECT_EQ(wrong, 0);
  EXPECT_GE(seen.size(), 3u) << "the test would not see much";
}

}  // namespace
}  // namespace tilewright
