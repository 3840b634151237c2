// Networks through real processes: tiled equals whole, and a network that gives nonsense ends its
// job with a sentence.

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cluster/cluster.h"
#include "tests/cluster/exit_status.h"
#include "tests/cluster/networks.h"
#include "tests/cluster/picture.h"

namespace tilewright {
namespace {

using ::testing::HasSubstr;

class TorchTest : public NetworksTest {
 protected:
  TorchTest() : NetworksTest({"a", "b"}) {}

  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(NetworksTest::SetUp());
    ASSERT_TRUE(
        WritePicture(NoisePicture(3 * 96, 2 * 96, 3, 8, 21), cluster_->Path("in.png")).ok());
  }

  CliResult Render(const std::string& output, const std::string& model,
                   const std::vector<std::string>& flags = {}) {
    std::vector<std::string> arguments = {
        "render", "-i", cluster_->Path("in.png"), "-o", cluster_->Path(output), "-n", model};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    return cluster_->Cli(arguments, absl::Seconds(90));
  }

  // Share of samples that differ by more than `lsb`, and the largest difference.
  static double ShareAbove(const Picture& a, const Picture& b, int lsb, int* largest) {
    size_t above = 0;
    *largest = 0;
    for (size_t i = 0; i < a.samples.size(); ++i) {
      const int difference =
          std::abs(static_cast<int>(a.samples[i]) - static_cast<int>(b.samples[i]));
      *largest = std::max(*largest, difference);
      above += difference > lsb;
    }
    return static_cast<double>(above) / static_cast<double>(a.samples.size());
  }
};

TEST_F(TorchTest, TiledEqualsWholeAtTheModelsHaloAndNotWithoutIt) {
  const CliResult whole = Render("whole.tif", "srvgg16x4", {"-t", "512", "--json"});
  ASSERT_EQ(whole.exit_code, 0) << whole.err;
  const CliResult tiled =
      Render("tiled.tif", "srvgg16x4", {"-t", "96", "--overlap", "0", "--json"});
  ASSERT_EQ(tiled.exit_code, 0) << tiled.err;
  ASSERT_TRUE(tiled.json.has_value());
  EXPECT_GT(tiled.json->fields().at("tiles").number_value(), 4);
  const CliResult seams =
      Render("seams.tif", "srvgg16x4", {"-t", "96", "--overlap", "0", "--halo", "0"});
  ASSERT_EQ(seams.exit_code, 0) << seams.err;

  const absl::StatusOr<Picture> want = ReadPicture(cluster_->Path("whole.tif"));
  const absl::StatusOr<Picture> got = ReadPicture(cluster_->Path("tiled.tif"));
  const absl::StatusOr<Picture> bad = ReadPicture(cluster_->Path("seams.tif"));
  ASSERT_TRUE(want.ok() && got.ok() && bad.ok());
  ASSERT_EQ(got->samples.size(), want->samples.size());
  int largest = 0;
  EXPECT_LE(ShareAbove(*got, *want, 0, &largest), 1e-4);
  EXPECT_LE(largest, 1);
  // The control: without a halo the tiles of this size share nothing, and the seams are plain to
  // see.
  EXPECT_GT(ShareAbove(*bad, *want, 1, &largest), 1e-2);
  EXPECT_GT(largest, 8);
}

TEST_F(TorchTest, ANetworkThatGivesNonsenseEndsItsJobWithASentence) {
  for (const auto& [model, said] : std::vector<std::pair<std::string, std::string>>{
           {"nan", "finite"}, {"wrong-shape", "shape"}, {"raises", "always fails"}}) {
    const CliResult result = Render(model + ".tif", model);
    EXPECT_EQ(result.exit_code, kJobFailed) << model << ": " << result.err;
    EXPECT_THAT(result.err, HasSubstr(said)) << model;
    EXPECT_THAT(result.err, HasSubstr("tile")) << model;
    EXPECT_NE(access(cluster_->Path(model + ".tif").c_str(), F_OK), 0)
        << model << " left an output behind";
  }
  for (const char* name : {"a", "b"})
    EXPECT_TRUE(cluster_->worker(name).Running()) << name << " went down";
  const CliResult good = Render("good.tif", "reach-16");
  EXPECT_EQ(good.exit_code, 0) << good.err;
}

}  // namespace
}  // namespace tilewright
