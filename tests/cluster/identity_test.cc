// Real processes copy every sample: no pixel is lost, doubled, shifted or converted, whatever the
// size, the type and the number of workers.

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/cluster/cluster.h"
#include "tests/cluster/picture.h"
#include "tests/cluster/with_cluster.h"

namespace tilewright {
namespace {

constexpr int kTile = 64;

const std::vector<std::pair<int, int>>& Sizes() {
  static const auto* const kSizes =
      new std::vector<std::pair<int, int>>{{1, 1},
                                           {kTile - 1, kTile - 1},
                                           {kTile, kTile},
                                           {kTile + 1, kTile + 1},
                                           {3 * kTile + 1, 3 * kTile + 1},
                                           {97, 131},
                                           {1, 3 * kTile + 1},
                                           {3 * kTile + 1, 1}};
  return *kSizes;
}

class IdentityTest : public WithCluster, public testing::Test {
 protected:
  void SetUp() override { ASSERT_NO_FATAL_FAILURE(StartCluster()); }

  // Submits one job for each size and type, all at once, and compares every sample of every output.
  void RenderAll(const std::string& round) {
    struct Pending {
      std::string job, output;
      Picture input;
    };
    std::vector<Pending> pending;
    for (int bits : {8, 16}) {
      for (int channels = 1; channels <= 4; ++channels) {
        for (const auto& [width, height] : Sizes()) {
          const std::string name =
              absl::StrCat(round, "-", bits, "-", channels, "-", width, "x", height);
          Pending one{"", cluster_->Path(name + "-out.tif"),
                      NoisePicture(width, height, channels, bits, pending.size())};
          JobRequest request;
          request.input = cluster_->Path(name + ".tif");
          request.output = one.output;
          request.model = "identity";
          request.tile = kTile;
          request.overlap = 16;
          ASSERT_TRUE(WritePicture(one.input, request.input).ok());
          absl::StatusOr<std::string> job = cluster_->Submit(request);
          ASSERT_TRUE(job.ok()) << name << ": " << job.status();
          one.job = *job;
          pending.push_back(std::move(one));
        }
      }
    }
    for (const Pending& one : pending) {
      const absl::StatusOr<v1::Job> job = cluster_->AwaitSuccess(one.job);
      ASSERT_TRUE(job.ok()) << one.output << ": " << job.status();
      const absl::StatusOr<Picture> output = ReadPicture(one.output);
      ASSERT_TRUE(output.ok()) << output.status();
      EXPECT_EQ(Difference(*output, one.input), "equal") << one.output;
    }
  }
};

TEST_F(IdentityTest, EverySizeAndTypeComesBackBitForBitFromOneTwoAndFourWorkers) {
  ASSERT_TRUE(cluster_->AddWorker("one").ok());
  RenderAll("one");
  if (HasFatalFailure()) return;
  ASSERT_TRUE(cluster_->AddWorker("two").ok());
  RenderAll("two");
  if (HasFatalFailure()) return;
  ASSERT_TRUE(cluster_->AddWorker("three").ok());
  ASSERT_TRUE(cluster_->AddWorker("four").ok());
  RenderAll("four");
}

TEST_F(IdentityTest, TheCommandLineReportsTheJobAsOneObject) {
  ASSERT_TRUE(cluster_->AddWorker("one").ok());
  const Picture input = NoisePicture(200, 150, 3, 8, 7);
  ASSERT_TRUE(WritePicture(input, cluster_->Path("in.png")).ok());
  const CliResult result =
      cluster_->Cli({"render", "-i", cluster_->Path("in.png"), "-o", cluster_->Path("out.tif"),
                     "-n", "identity", "-t", "64", "--overlap", "16", "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  ASSERT_TRUE(result.json.has_value()) << result.out;
  const auto& fields = result.json->fields();
  for (const char* field :
       {"job", "state", "output", "tiles", "attempts", "seconds", "output_width", "output_height",
        "workers", "events", "exactness", "numeric_classes"}) {
    EXPECT_TRUE(fields.contains(field)) << field << " is missing in " << result.out;
  }
  EXPECT_EQ(fields.at("state").string_value(), "succeeded");
  EXPECT_EQ(fields.at("output_width").number_value(), 200);
  EXPECT_EQ(fields.at("output_height").number_value(), 150);
  ASSERT_EQ(fields.at("workers").list_value().values_size(), 1);
  const auto& worker = fields.at("workers").list_value().values(0).struct_value().fields();
  EXPECT_EQ(worker.at("name").string_value(), "one");
  EXPECT_EQ(worker.at("tiles").number_value(), fields.at("tiles").number_value());
  const absl::StatusOr<Picture> output = ReadPicture(cluster_->Path("out.tif"));
  ASSERT_TRUE(output.ok()) << output.status();
  EXPECT_EQ(Difference(*output, input), "equal");
}

// The control of the comparison: one sample off by one, and a picture shifted by one pixel, are
// seen.
TEST(Difference, SeesOneSampleAndOnePixelOfShift) {
  const Picture picture = NoisePicture(65, 33, 3, 16, 1);
  Picture other = picture;
  other.samples[2 * (3 * (65 * 20 + 11) + 1)] ^= std::byte{1};
  EXPECT_EQ(Difference(other, picture),
            "1 of 6435 samples differ, first channel 1 of pixel (11, 20)");
  Picture shifted = picture;
  std::rotate(shifted.samples.begin(), shifted.samples.begin() + 6, shifted.samples.end());
  EXPECT_NE(Difference(shifted, picture), "equal");
  EXPECT_NE(Difference(NoisePicture(33, 65, 3, 16, 1), picture), "equal");
  EXPECT_EQ(Difference(picture, picture), "equal");
}

}  // namespace
}  // namespace tilewright
