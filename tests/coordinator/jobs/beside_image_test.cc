// What a model takes beside the image: what a request becomes that has it, and every sentence with
// which one is refused.

#include "coordinator/jobs/beside_image.h"

#include <string>
#include <vector>

#include "coordinator/jobs/job_facts.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/coordinator/jobs/resolve_fixture.h"

namespace tilewright {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class BesideImageTest : public ResolveJobTest {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(ResolveJobTest::SetUp());
    AddModel("fill",
             "exactness: EXACTNESS_KIND_EXACT inputs { name: \"image\" channels: 3 } "
             "inputs { name: \"mask\" channels: 1 } outputs { name: \"image\" channels: 3 }",
             /*torch=*/true);
    AddModel("mix",
             "exactness: EXACTNESS_KIND_EXACT inputs { name: \"image\" channels: 3 } "
             "inputs { name: \"previous\" channels: 3 } outputs { name: \"image\" channels: 3 }",
             /*torch=*/true);
    LoadModels();
    WriteImage("before.tif", 3);
  }

  v1::RenderRequest Masked(const std::string& model) {
    v1::RenderRequest request = Request("colour.tif", model);
    request.set_mask(Uri("grey.tif"));
    return request;
  }
  v1::RenderRequest After(const std::string& previous, const std::string& model = "mix") {
    v1::RenderRequest request = Request("colour.tif", model);
    request.set_previous(Uri(previous));
    return request;
  }
  std::string Uri(const std::string& name) const { return FileUri(folder_ + "/" + name); }
};

TEST_F(BesideImageTest, AModelOfAMaskGetsTilesOfFourChannels) {
  const auto job = Resolve(Masked("fill"));
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->stage.input_channels(), 4u);
  EXPECT_EQ(job->stage.output_channels(), 3u);
  EXPECT_EQ(job->spec.input_bytes, job->plan->compute_shape().area() * 4);
  EXPECT_THAT(job->summary.notes(), ElementsAre(HasSubstr("copied as the input stores them")));
  const auto inputs = InputsOf(*job, folder_);
  const Rect rect = job->plan->InputRect(TileIndex{0});
  std::vector<std::byte> samples(static_cast<size_t>(rect.area() * 4));
  ASSERT_TRUE(inputs->Read(TileIndex{0}, absl::MakeSpan(samples)).ok());
  EXPECT_EQ(samples, std::vector<std::byte>(samples.size(), std::byte{7}));
}

TEST_F(BesideImageTest, AMaskIsNoPartOfTilesOfAModelThatDoesNotTakeIt) {
  AddModel("plain",
           "exactness: EXACTNESS_KIND_EXACT inputs { name: \"image\" channels: 3 } "
           "outputs { name: \"image\" channels: 3 }");
  LoadModels();
  const auto job = Resolve(Masked("plain"));
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->stage.input_channels(), 3u);
}

TEST_F(BesideImageTest, APreviousFrameIsPartOfTheTilesAndOfWhatAJobIs) {
  const auto job = Resolve(After("before.tif"));
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->stage.input_channels(), 6u);
  EXPECT_THAT(job->summary.notes(), IsEmpty());
  const auto alone = Resolve(Request("colour.tif", "mix"));
  ASSERT_TRUE(alone.ok()) << alone.status();
  EXPECT_EQ(alone->stage.input_channels(), 6u);
  ASSERT_EQ(alone->summary.notes_size(), 1);
  EXPECT_EQ(alone->summary.notes(0), "there is no previous frame: the model gets zeros for it");
  EXPECT_GT(job->memory.input, alone->memory.input) << "what its reader holds";
  EXPECT_THAT(Difference(FactsOf(*job), FactsOf(*alone)), HasSubstr("its previous frame is inode"));
  EXPECT_EQ(Difference(FactsOf(*job), FactsOf(*Resolve(After("before.tif")))), "");
}

TEST_F(BesideImageTest, RefusesWhatDoesNotFitTheModel) {
  ExpectRefused(Request("colour.tif", "fill"), absl::StatusCode::kInvalidArgument, "MASK_MISSING",
                "models/fill/versions/1 takes a mask beside the image: give one (--mask)");
  ExpectRefused(
      After("before.tif", "colour"), absl::StatusCode::kInvalidArgument, "BAD_PREVIOUS",
      "models/colour/versions/1 takes no previous frame: leave it away, or choose a model "
      "that takes one");
  WriteImage("small.tif", 3, SampleType::kU8, {99, 60});
  ExpectRefused(
      After("small.tif"), absl::StatusCode::kInvalidArgument, "BAD_PREVIOUS",
      "the previous frame has 99x60 pixels, the image 100x60: they must be equally large");
  ExpectRefused(After("grey.tif"), absl::StatusCode::kInvalidArgument, "BAD_PREVIOUS",
                "the previous frame has 1 channels, the model takes 3: convert it, or choose "
                "another one");
  WriteImage("turned.tif", 3, SampleType::kU8, {100, 60}, 3);
  EXPECT_THAT(std::string(Resolve(After("turned.tif")).status().message()),
              HasSubstr("is stored with the orientation 3, the image with 1"));
  EXPECT_EQ(ReasonOf(Resolve(After("missing.tif")).status()), "INPUT_NOT_FOUND");
  v1::RenderRequest outside = After("before.tif");
  outside.set_previous("file:///etc/passwd");
  EXPECT_EQ(ReasonOf(Resolve(outside).status()), "OUTSIDE_ROOT");
  v1::RenderRequest changed = After("before.tif");
  changed.mutable_previous_facts()->set_size(1);
  EXPECT_EQ(ReasonOf(Resolve(changed).status()), "INPUT_CHANGED");
  v1::RenderRequest grey = After("before.tif");
  grey.set_input(Uri("grey.tif"));
  EXPECT_EQ(ReasonOf(Resolve(grey).status()), "CHANNEL_MISMATCH");
}

TEST_F(BesideImageTest, IsOfJobsOfOneStage) {
  v1::RenderRequest request = Request("colour.tif", "halves");
  request.add_stages()->set_model("mix");
  ExpectRefused(request, absl::StatusCode::kInvalidArgument, "BAD_REQUEST",
                "models/mix/versions/1 takes 'previous' beside the image, which a job of several "
                "stages cannot give it: render one stage after the other");
  request.mutable_stages(0)->Swap(request.mutable_stages(1));
  EXPECT_EQ(ReasonOf(Resolve(request).status()), "BAD_REQUEST");
  v1::RenderRequest previous = After("before.tif", "halves");
  previous.add_stages()->set_model("halves");
  ExpectRefused(
      previous, absl::StatusCode::kInvalidArgument, "BAD_REQUEST",
      "a job of several stages cannot have a previous frame: leave it away, or render one "
      "stage after the other");
}

}  // namespace
}  // namespace tilewright
