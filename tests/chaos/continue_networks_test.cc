// Jobs of networks that are stopped on the way: logits that were decided, and what a network makes
// of image and mask beside blocks that are copied. Real processes.

#include <signal.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "tests/chaos/continue_fixture.h"
#include "tests/cluster/networks.h"

namespace tilewright {
namespace {

class ContinueNetworksTest : public ContinueTest {
 protected:
  ContinueNetworksTest() { slow_ = "slow:20"; }

  void SetUp() override {
    auto networks = Networks::Write();
    ASSERT_TRUE(networks.ok()) << networks.status();
    networks_ = *std::move(networks);
    ClusterOptions options;
    options.models = networks_->folder();
    Start(options);
  }
  // Before the networks that its processes read.
  void TearDown() override { cluster_.reset(); }

  std::unique_ptr<Networks> networks_;
};

TEST_F(ContinueNetworksTest, LabelsThatWereDecidedStay) {
  const auto decided = [this](const std::string& output) {
    JobRequest request = Request(output);
    request.model = "logits-5";
    request.tile = 128;
    request.halo = 2;  // half of what it needs, so that neighbours differ where they blend
    request.overlap = 16;
    return request;
  };
  const v1::Job undisturbed = Finish(decided("reference.png"));
  EXPECT_EQ(undisturbed.plan().channels(), 1u);
  const uint64_t third = undisturbed.plan().tiles() / 3;
  for (const int signal : {SIGTERM, SIGKILL}) {
    SCOPED_TRACE(signal);
    const std::string output = signal == SIGTERM ? "stopped.png" : "killed.png";
    const v1::Job job = FinishByTwo(decided(output), signal, [third](const v1::Job& now) {
      return now.checkpoint_tiles() >= third;
    });
    EXPECT_EQ(job.pixel_hash(), undisturbed.pixel_hash()) << EventsOf(job);
  }
  const auto want = ReadPicture(cluster_->Path("reference.png"));
  const auto got = ReadPicture(cluster_->Path("killed.png"));
  ASSERT_TRUE(want.ok() && got.ok()) << want.status() << got.status();
  EXPECT_EQ(Difference(*got, *want), "equal");
  // The control: logits of another halo are decided otherwise.
  JobRequest other = decided("other.png");
  other.halo = 8;
  EXPECT_NE(Finish(other).pixel_hash(), undisturbed.pixel_hash());
}

TEST_F(ContinueNetworksTest, ANetworkThatTakesTheMaskLeavesBlocksToBeCopied) {
  ASSERT_TRUE(WritePicture(picture_, cluster_->Path("tiled.tif[tile,tile-width=512,tile-height=512,"
                                                    "predictor=horizontal,compression=zstd]"))
                  .ok());
  Picture mask = {1400, 1100, 1, 8, std::vector<std::byte>(1400 * 1100)};
  for (int y = 100; y < 1000; ++y) {
    for (int x = 100; x < 400; ++x) {
      mask.samples[static_cast<size_t>(y * mask.width + x)] = static_cast<std::byte>(51 * (x % 6));
    }
  }
  ASSERT_TRUE(WritePicture(mask, cluster_->Path("mask.png")).ok());
  const auto filled = [this](const std::string& input, const std::string& output) {
    JobRequest request = Request(output);
    request.input = cluster_->Path(input);
    request.model = "fill-masked";
    request.mask = cluster_->Path("mask.png");
    request.tile = 96;
    return request;
  };
  const v1::Job encoded = Finish(filled("in.tif", "encoded.tif"));
  EXPECT_EQ(encoded.copied_blocks(), 0u) << "the control: nothing to copy";
  const v1::Job copied = Finish(filled("tiled.tif", "copied.tif"));
  EXPECT_EQ(copied.copied_blocks(), 7u) << EventsOf(copied);
  EXPECT_EQ(copied.pixel_hash(), encoded.pixel_hash());
  const v1::Job continued = FinishByTwo(filled("tiled.tif", "continued.tif"), SIGTERM,
                                        [](const v1::Job& now) { return now.copied_blocks() > 0; });
  EXPECT_EQ(continued.copied_blocks(), 7u) << EventsOf(continued);
  EXPECT_EQ(continued.pixel_hash(), encoded.pixel_hash()) << EventsOf(continued);
  const auto want = ReadPicture(cluster_->Path("encoded.tif"));
  const auto got = ReadPicture(cluster_->Path("continued.tif"));
  ASSERT_TRUE(want.ok() && got.ok()) << want.status() << got.status();
  EXPECT_EQ(Difference(*got, *want), "equal");
  EXPECT_NE(Difference(*got, picture_), "equal");
}

}  // namespace
}  // namespace tilewright
