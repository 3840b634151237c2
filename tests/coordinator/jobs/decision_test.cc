// Models of logits: what a request of one becomes, and every sentence with which one is refused.

#include "coordinator/jobs/decision.h"

#include <string>

#include "coordinator/jobs/job_facts.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/coordinator/jobs/resolve_fixture.h"

namespace tilewright {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

class DecisionTest : public ResolveJobTest {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(ResolveJobTest::SetUp());
    AddModel("classes",
             "exactness: EXACTNESS_KIND_EXACT inputs { name: \"image\" channels: 3 } "
             "outputs { name: \"image\" channels: 5 decision: DECISION_KIND_GREATEST }",
             /*torch=*/true);
    LoadModels();
  }

  static v1::RenderRequest Undecided(v1::RenderRequest request) {
    request.mutable_output_options()->set_undecided(true);
    return request;
  }
  void ExpectRefusal(const v1::RenderRequest& request, const std::string& sentence) {
    const absl::Status status = Resolve(request).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(status.message(), HasSubstr(sentence));
  }
};

TEST_F(DecisionTest, FiveLogitsAreMergedAndOneLabelIsWritten) {
  const auto job = Resolve(Request("colour.tif", "classes", "labels.png"));
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_TRUE(job->decided);
  EXPECT_EQ(job->format.channels, 5);
  EXPECT_EQ(job->format.sample, SampleType::kF32);
  EXPECT_EQ(job->stage.output_channels(), 5u);
  EXPECT_EQ(job->stage.output_sample(), v1::SAMPLE_TYPE_F32);
  EXPECT_EQ(job->written.channels, 1);
  EXPECT_EQ(job->written.sample, SampleType::kU8);
  EXPECT_TRUE(job->written.labels);
  EXPECT_EQ(job->summary.channels(), 1u);
  EXPECT_EQ(job->summary.output_sample(), v1::SAMPLE_TYPE_U8);
  EXPECT_EQ(job->summary.disk_bytes(), 100u * 60);
  EXPECT_THAT(job->summary.notes(),
              Contains(HasSubstr("the greatest of its 5 values, a label from 0 to 4")));
}

TEST_F(DecisionTest, UndecidedTheLogitsThemselvesAreWritten) {
  const auto job = Resolve(Undecided(Request("colour.tif", "classes")));
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_FALSE(job->decided);
  EXPECT_EQ(job->written.channels, 5);
  EXPECT_FALSE(job->written.labels);
  EXPECT_EQ(job->summary.channels(), 5u);
  EXPECT_EQ(job->summary.output_sample(), v1::SAMPLE_TYPE_F32);
  EXPECT_EQ(job->summary.disk_bytes(), 100u * 60 * 5 * 4);
  const auto decided = Resolve(Request("colour.tif", "classes"));
  ASSERT_TRUE(decided.ok()) << decided.status();
  EXPECT_EQ(decided->stage.plan_digest(), job->stage.plan_digest()) << "workers do the same";
  EXPECT_THAT(Difference(FactsOf(*decided), FactsOf(*job)), HasSubstr("decided"));
}

TEST_F(DecisionTest, WhatWouldMixOrLoseLabelsIsRefused) {
  v1::RenderRequest masked = Request("colour.tif", "classes");
  masked.set_mask(FileUri(folder_ + "/grey.tif"));
  ExpectRefusal(masked, "a mask cannot mix them");
  v1::RenderRequest floats = Request("colour.tif", "classes");
  floats.mutable_stages(0)->set_output_sample(v1::SAMPLE_TYPE_F32);
  ExpectRefusal(floats, "they are u8: leave the sample type away");
  EXPECT_TRUE(Resolve(Undecided(floats)).ok());
  v1::RenderRequest inner = Request("colour.tif", "classes");
  inner.add_stages()->set_model("double");
  ExpectRefusal(inner, "gives logits, of which labels are made when they are written");
  ExpectRefusal(Request("colour.tif", "classes", "a.jpg"), "JPEG changes samples, and labels");
  ExpectRefusal(Request("colour.tif", "classes", "a.webp"), "WebP changes samples, and labels");
  v1::RenderRequest lossy = Request("colour.tif", "classes");
  lossy.set_compression("jpeg");
  ExpectRefusal(lossy, "JPEG compression changes samples, and labels");
  v1::RenderRequest scaled = Request("colour.tif", "classes");
  scaled.mutable_output_options()->set_scale_p(2);
  scaled.mutable_output_options()->set_scale_q(1);
  ExpectRefusal(scaled, "labels or an array, which are not resampled");
  ExpectRefusal(Undecided(Request("colour.tif", "double")), "nothing is decided of what");
}

TEST_F(DecisionTest, LabelsHaveOverviewsAndDeepZoomImages) {
  v1::RenderRequest overviews = Request("colour.tif", "classes");
  overviews.mutable_output_options()->set_overviews(true);
  EXPECT_TRUE(Resolve(overviews).ok());
  EXPECT_TRUE(Resolve(Request("colour.tif", "classes", "a.dzi")).ok());
}

}  // namespace
}  // namespace tilewright
