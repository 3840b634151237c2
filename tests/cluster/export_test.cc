// What the command line makes of pictures beyond one TIFF: numbered frames, Deep Zoom images,
// another scale.

#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cluster/cluster.h"
#include "tests/cluster/picture.h"
#include "tests/cluster/with_cluster.h"

namespace tilewright {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ClusterExportTest : public WithCluster, public testing::Test {
 protected:
  void SetUp() override { ASSERT_NO_FATAL_FAILURE(StartCluster({"a", "b"})); }
};

TEST_F(ClusterExportTest, ASequenceRendersEveryFrameButTheDamagedOne) {
  for (int number = 8; number <= 12; ++number) {
    const Picture noise = NoisePicture(300, 200, 3, 8, static_cast<uint64_t>(number));
    const std::string path = cluster_->Path(absl::StrCat("in_", number < 10 ? "0" : "", number));
    ASSERT_TRUE(WritePicture(noise, path + ".png").ok());
  }
  std::ofstream(cluster_->Path("in_10.png"), std::ios::binary) << "no picture";
  const std::vector<std::string> arguments = {"sequence",
                                              "-i",
                                              cluster_->Path("in_%02d.png"),
                                              "-o",
                                              cluster_->Path("out_%02d.png"),
                                              "-n",
                                              "identity",
                                              "--in-flight",
                                              "3",
                                              "--progress",
                                              "none",
                                              "--json"};
  const CliResult result = cluster_->Cli(arguments);
  EXPECT_EQ(result.exit_code, 3) << result.err;  // the input is no image
  ASSERT_TRUE(result.json.has_value()) << result.out;
  std::vector<std::string> states;
  for (const auto& frame : result.json->fields().at("frames").list_value().values()) {
    const auto& fields = frame.struct_value().fields();
    states.push_back(
        absl::StrCat(fields.at("frame").number_value(), " ", fields.at("state").string_value()));
  }
  EXPECT_THAT(states,
              ElementsAre("8 rendered", "9 rendered", "10 failed", "11 rendered", "12 rendered"));
  for (const char* number : {"08", "09", "11", "12"}) {
    const auto in = ReadPicture(cluster_->Path(absl::StrCat("in_", number, ".png")));
    const auto out = ReadPicture(cluster_->Path(absl::StrCat("out_", number, ".png")));
    ASSERT_TRUE(in.ok() && out.ok()) << number;
    EXPECT_TRUE(in->samples == out->samples) << number;
  }

  // The frame is mended, and the rest is not rendered again.
  ASSERT_TRUE(WritePicture(NoisePicture(300, 200, 3, 8, 10), cluster_->Path("in_10.png")).ok());
  std::vector<std::string> again = arguments;
  again.push_back("--skip-existing");
  const CliResult mended = cluster_->Cli(again);
  EXPECT_EQ(mended.exit_code, 0) << mended.err;
  EXPECT_THAT(mended.out, HasSubstr(R"("frame":10,"state":"rendered")"));
  EXPECT_THAT(mended.out, HasSubstr(R"("frame":9,"state":"skipped")"));
}

TEST_F(ClusterExportTest, AnotherScaleIsThatOfThePicture) {
  ASSERT_TRUE(WritePicture(NoisePicture(300, 200, 3, 8, 1), cluster_->Path("in.png")).ok());
  const auto render = [this](const std::string& output, std::vector<std::string> more) {
    std::vector<std::string> arguments = {
        "render", "-i", cluster_->Path("in.png"), "-o", cluster_->Path(output), "-n", "lanczos2x",
        "-t",     "128"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return cluster_->Cli(arguments);
  };
  const CliResult result = render("out.png", {"--scale", "3/2"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("the picture of 600x400 pixels is resampled to 450x300"));
  const auto out = ReadPicture(cluster_->Path("out.png"));
  ASSERT_TRUE(out.ok()) << out.status();
  EXPECT_EQ(out->width, 450);
  EXPECT_EQ(out->height, 300);

  const CliResult refused = render("no.png", {"--scale", "33"});
  EXPECT_EQ(refused.exit_code, 3);
  EXPECT_THAT(refused.err, HasSubstr("scale 33/1 is outside 1/32 to 32"));
}

TEST_F(ClusterExportTest, ADeepZoomImageIsAFileAndItsTiles) {
  ASSERT_TRUE(WritePicture(NoisePicture(300, 200, 3, 16, 1), cluster_->Path("in.png")).ok());
  const CliResult result = cluster_->Cli({"render", "-i", cluster_->Path("in.png"), "-o",
                                          cluster_->Path("out.dzi"), "-n", "identity"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  // Tiles have 254 pixels and overlap by one.
  const auto tile = ReadPicture(cluster_->Path("out_files/9/0_0.png"));
  ASSERT_TRUE(tile.ok()) << tile.status();
  EXPECT_EQ(tile->width, 255);
  EXPECT_EQ(tile->height, 200);
}

}  // namespace
}  // namespace tilewright
