// The number of workers, and who computed what in which order, leave no trace in the pixels:
// `disagree` makes every tile different where tiles overlap.

#include <memory>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/cluster/cluster.h"
#include "tests/cluster/picture.h"
#include "tests/cluster/with_cluster.h"

namespace tilewright {
namespace {

class OrderTest : public WithCluster, public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(StartCluster());
    ASSERT_TRUE(WritePicture(NoisePicture(1100, 700, 3, 8, 3), cluster_->Path("in.tif")).ok());
  }

  // Renders once and gives the output's pixels; `workers` counts those that took part.
  Picture Render(const std::string& model, int tile, size_t* workers) {
    JobRequest request;
    request.input = cluster_->Path("in.tif");
    request.output = cluster_->Path(absl::StrCat("out-", renders_++, ".tif"));
    request.model = model;
    request.tile = tile;
    request.overlap = 16;
    const absl::StatusOr<std::string> name = cluster_->Submit(request);
    EXPECT_TRUE(name.ok()) << name.status();
    if (!name.ok()) return {};
    const absl::StatusOr<v1::Job> job = cluster_->AwaitSuccess(*name);
    EXPECT_TRUE(job.ok()) << job.status();
    if (!job.ok()) return {};
    *workers = job->workers_size();
    hashes_.insert(job->pixel_hash());
    const absl::StatusOr<Picture> output = ReadPicture(request.output);
    EXPECT_TRUE(output.ok()) << output.status();
    return output.ok() ? *output : Picture{};
  }

  std::set<std::string> hashes_;
  int renders_ = 0;
};

TEST_F(OrderTest, OneTwoAndFourWorkersGiveTheSamePixels) {
  size_t workers = 0;
  ASSERT_TRUE(cluster_->AddWorker("w1").ok());
  const Picture want = Render("disagree", 64, &workers);
  ASSERT_FALSE(HasFailure());
  EXPECT_EQ(workers, 1u);
  for (const char* name : {"w2", "w3", "w4"}) {
    ASSERT_TRUE(cluster_->AddWorker(name).ok());
    // A job this short may well be left to the one that is fastest just then.
    bool shared = false;
    for (int round = 0; round < 3 || (!shared && round < 30); ++round) {
      const Picture got = Render("disagree", 64, &workers);
      EXPECT_EQ(Difference(got, want), "equal") << "with " << name << " in round " << round;
      shared = shared || workers > 1;
    }
    EXPECT_TRUE(shared) << "one worker did everything, so this says nothing";
  }
  EXPECT_EQ(hashes_.size(), 1u) << "the coordinator's own hash of the output differs";
}

// The control: the pixels do depend on the grid, so a wrong order of merging would have been seen.
TEST_F(OrderTest, AnotherGridGivesOtherPixels) {
  size_t workers = 0;
  ASSERT_TRUE(cluster_->AddWorker("w1").ok());
  const Picture a = Render("disagree", 64, &workers);
  const Picture b = Render("disagree", 96, &workers);
  const Picture plain = Render("identity", 64, &workers);
  EXPECT_NE(Difference(a, b), "equal");
  EXPECT_NE(Difference(a, plain), "equal");
  EXPECT_EQ(hashes_.size(), 3u);
}

}  // namespace
}  // namespace tilewright
