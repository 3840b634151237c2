// Networks whose output is no picture like their input: latents, features, labels.

#include <algorithm>
#include <cstdlib>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cluster/cluster.h"
#include "tests/cluster/networks.h"
#include "tests/cluster/picture.h"

namespace tilewright {
namespace {

using ::testing::HasSubstr;

class ArrayTest : public NetworksTest {
 protected:
  ArrayTest() : NetworksTest({"a", "b"}) {}

  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(NetworksTest::SetUp());
    ASSERT_TRUE(WritePicture(NoisePicture(288, 192, 3, 8, 21), cluster_->Path("in.png")).ok());
  }

  CliResult Render(const std::string& input, const std::string& output, const std::string& model,
                   const std::vector<std::string>& flags = {}) {
    std::vector<std::string> arguments = {
        "render", "-i",  cluster_->Path(input), "-o", cluster_->Path(output),
        "-n",     model, "--overlap",           "0",  "--json"};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    CliResult result = cluster_->Cli(arguments, absl::Seconds(90));
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_TRUE(result.json.has_value()) << result.out;
    if (!result.json.has_value()) result.json.emplace();
    return result;
  }

  static std::string PlanOf(const CliResult& result) {
    const auto& job = result.json->fields();
    const auto& plan = result.json->fields().at("plan").struct_value().fields();
    return absl::StrCat(
        job.at("output_width").number_value(), "x", job.at("output_height").number_value(), " ",
        plan.at("channels").number_value(), " ", plan.at("output_sample").string_value());
  }
  static std::string HashOf(const CliResult& result) {
    return result.json->fields().at("pixel_hash").string_value();
  }
};

TEST_F(ArrayTest, LatentsAreMadeAndDecodedInTiles) {
  const CliResult encoded = Render("in.png", "latents.tif", "encode-8", {"-t", "64"});
  EXPECT_EQ(PlanOf(encoded), "36x24 4 f32");
  EXPECT_GT(encoded.json->fields().at("tiles").number_value(), 8);
  const CliResult whole = Render("latents.tif", "whole.tif", "decode-8", {"-t", "64"});
  EXPECT_EQ(PlanOf(whole), "288x192 3 u8");
  const CliResult tiled = Render("latents.tif", "tiled.tif", "decode-8", {"-t", "12"});
  EXPECT_GT(tiled.json->fields().at("tiles").number_value(), 4);
  const CliResult seams =
      Render("latents.tif", "seams.tif", "decode-8", {"-t", "12", "--halo", "0"});
  const auto want = ReadPicture(cluster_->Path("whole.tif"));
  const auto got = ReadPicture(cluster_->Path("tiled.tif"));
  const auto bad = ReadPicture(cluster_->Path("seams.tif"));
  ASSERT_TRUE(want.ok() && got.ok() && bad.ok());
  const auto worst = [&want](const Picture& other) {
    int largest = 0;
    for (size_t i = 0; i < other.samples.size(); ++i) {
      largest = std::max(largest, std::abs(static_cast<int>(other.samples[i]) -
                                           static_cast<int>(want->samples[i])));
    }
    return largest;
  };
  EXPECT_LE(worst(*got), 1);
  EXPECT_GT(worst(*bad), 8) << "the control: without a halo there are seams";
}

TEST_F(ArrayTest, FeaturesOfTwelveChannelsGoThroughAFileAndBack) {
  const CliResult features = Render("in.png", "features.tif", "features-12", {"-t", "96"});
  EXPECT_EQ(PlanOf(features), "288x192 12 f32");
  const CliResult folded = Render("features.tif", "folded.tif", "fold-12");
  EXPECT_EQ(PlanOf(folded), "288x192 3 u8");
  const CliResult halves = Render("in.png", "halves.tif", "features-12", {"--sample", "f16"});
  EXPECT_EQ(PlanOf(halves), "288x192 12 f16");
  // A PNG has no room for them, and a model of colours no use.
  const CliResult refused = cluster_->Cli({"render", "-i", cluster_->Path("features.tif"), "-o",
                                           cluster_->Path("no.tif"), "-n", "reach-16"});
  EXPECT_THAT(refused.err, HasSubstr("the input is a 12-channel image"));
  const CliResult no_png = cluster_->Cli({"render", "-i", cluster_->Path("in.png"), "-o",
                                          cluster_->Path("no.png"), "-n", "features-12"});
  EXPECT_THAT(no_png.err, HasSubstr("PNG cannot hold 12 channels that are no colours"));
}

TEST_F(ArrayTest, LabelsAreCutAndNeverMixed) {
  const CliResult whole = Render("in.png", "whole.png", "segment", {"-t", "512"});
  EXPECT_EQ(PlanOf(whole), "288x192 1 u8");
  const CliResult tiled = Render("in.png", "tiled.png", "segment", {"-t", "64"});
  EXPECT_EQ(HashOf(tiled), HashOf(whole));
  const CliResult seams = Render("in.png", "seams.png", "segment", {"-t", "64", "--halo", "0"});
  EXPECT_NE(HashOf(seams), HashOf(whole)) << "the control: without a halo there are seams";
  const auto labels = ReadPicture(cluster_->Path("tiled.png"));
  ASSERT_TRUE(labels.ok()) << labels.status();
  const std::set<std::byte> values(labels->samples.begin(), labels->samples.end());
  EXPECT_EQ(values, (std::set<std::byte>{std::byte{0}, std::byte{1}, std::byte{2}}));
}

}  // namespace
}  // namespace tilewright
