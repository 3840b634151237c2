// Requests of several stages as numbers: what of each is computed.

#include "coordinator/jobs/chosen_stages.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/coordinator/jobs/resolve_fixture.h"

namespace tilewright {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ChosenStagesTest : public ResolveJobTest {
 protected:
  // Of colour.tif, 100x60, in tiles of 32, then 40.
  v1::RenderRequest TwoStages() {
    v1::RenderRequest request = Request("colour.tif", "double");
    request.mutable_stages(0)->set_tile(32);
    v1::StageRequest* second = request.add_stages();
    second->set_model("double");
    second->set_tile(40);
    return request;
  }
};

TEST_F(ChosenStagesTest, AllOfAWholePicture) {
  const auto job = Resolve(TwoStages());
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_THAT(SkippedTiles(*job), ElementsAre(0, 0));
  EXPECT_EQ(job->summary.skipped_tiles(), 0u);
  EXPECT_EQ(job->before[0].spec.tile_count, job->before[0].plan->tile_count());
}

TEST_F(ChosenStagesTest, WhatARegionNeedsOfEach) {
  v1::RenderRequest request = TwoStages();
  request.mutable_region()->set_x(99);
  request.mutable_region()->set_y(3);
  request.mutable_region()->set_width(1);
  request.mutable_region()->set_height(2);
  const auto job = Resolve(request);
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->plan->part(), (Rect{396, 12, 4, 8})) << "through both scales";
  EXPECT_EQ(job->before[0].plan->part(), (Rect{0, 0, 200, 120}));
  EXPECT_EQ(job->spec.tile_count, 1);
  EXPECT_LT(job->before[0].spec.tile_count, job->before[0].plan->tile_count() / 2);
  EXPECT_EQ(job->before[0].spec.tile_count, job->before[0].wanted->count());
  const std::vector<int64_t> skipped = SkippedTiles(*job);
  EXPECT_EQ(job->summary.skipped_tiles(), static_cast<uint64_t>(skipped[0] + skipped[1]));
  EXPECT_EQ(job->summary.tiles(),
            static_cast<uint64_t>(job->before[0].plan->tile_count() + job->plan->tile_count()));
  EXPECT_THAT(job->summary.notes(), Contains(HasSubstr("stage 0 (models/double/versions/1): ")));
  // All of it, as if none were given.
  request.mutable_region()->set_x(0);
  request.mutable_region()->set_y(0);
  request.mutable_region()->set_width(100);
  request.mutable_region()->set_height(60);
  const auto whole = Resolve(request);
  ASSERT_TRUE(whole.ok()) << whole.status();
  EXPECT_THAT(SkippedTiles(*whole), ElementsAre(0, 0));
  request.mutable_region()->set_height(61);
  ExpectRefused(request, absl::StatusCode::kInvalidArgument, "BAD_GEOMETRY",
                "the region 100x61+0+0 is not a part of the image, which has 100x60 pixels: give "
                "x,y,width,height inside it");
}

TEST_F(ChosenStagesTest, AMaskWantsStagesThatTogetherKeepTheSize) {
  AddModel("half",
           "scale_q: 2 alignment: 2 minimum: 2 exactness: EXACTNESS_KIND_EXACT "
           "inputs { name: \"image\" } outputs { name: \"image\" }");
  LoadModels();
  v1::RenderRequest request = TwoStages();
  request.set_mask(FileUri(folder_ + "/grey.tif"));
  ExpectRefused(request, absl::StatusCode::kInvalidArgument, "BAD_MASK",
                "a mask needs stages that together keep the size of the image; these make 400x240 "
                "pixels of 100x60");
  request.mutable_stages(1)->set_model("half");
  const auto job = Resolve(request);
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->plan->output(), (Size{100, 60}));
  EXPECT_THAT(SkippedTiles(*job), ElementsAre(0, 0)) << "it marks every pixel";
  EXPECT_EQ(job->format.sample, SampleType::kU8);
  // An odd side does not come back.
  WriteImage("odd.tif", 3, SampleType::kU8, {99, 60});
  WriteImage("odd-grey.tif", 1, SampleType::kU8, {99, 60});
  request.set_input(FileUri(folder_ + "/odd.tif"));
  request.set_mask(FileUri(folder_ + "/odd-grey.tif"));
  EXPECT_TRUE(Resolve(request).ok());
  request.mutable_stages(0)->set_model("half");
  request.mutable_stages(1)->set_model("double");
  ExpectRefused(request, absl::StatusCode::kInvalidArgument, "BAD_MASK",
                "a mask needs stages that together keep the size of the image; these make 100x60 "
                "pixels of 99x60");
}

}  // namespace
}  // namespace tilewright
