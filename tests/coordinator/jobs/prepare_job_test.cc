#include "coordinator/jobs/prepare_job.h"

#include <cstddef>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/coordinator/jobs/resolve_fixture.h"

namespace tilewright {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class PrepareJobTest : public ResolveJobTest {
 protected:
  void SetUp() override {
    ResolveJobTest::SetUp();
    AddModel("same",
             "exactness: EXACTNESS_KIND_EXACT inputs { name: \"image\" } "
             "outputs { name: \"image\" }");
    LoadModels();
    WriteMask({});
  }
  // Of the size of the other images; these pixels of its first row are marked.
  void WriteMask(const std::vector<size_t>& marked) {
    OutputOptions options;
    options.path = folder_ + "/mask.tif";
    options.format = CanvasFormat{{100, 60}, 1, SampleType::kU8};
    options.overwrite = true;
    auto file = OutputFile::Create(options);
    ASSERT_TRUE(file.ok()) << file.status();
    std::vector<std::byte> samples(100 * 60);
    for (const size_t pixel : marked) samples[pixel] = std::byte{255};
    ASSERT_TRUE((*file)->WriteBlock(0, 0, samples).ok());
    ASSERT_TRUE((*file)->Publish().ok());
  }
  ResolvedJob Masked() {
    v1::RenderRequest request = Request("colour.tif", "same");
    request.mutable_stages(0)->set_tile(64);
    request.set_mask(FileUri(folder_ + "/mask.tif"));
    auto job = Resolve(request);
    EXPECT_TRUE(job.ok()) << job.status();
    return *std::move(job);
  }
  absl::Status Prepare(ResolvedJob* job) {
    return PrepareJob(
        {folder_, {&interrupt_, [this](const std::string& doing) { told_.push_back(doing); }}},
        job);
  }

  Interrupt interrupt_;
  std::vector<std::string> told_;
};

TEST_F(PrepareJobTest, TheMaskSaysWhichTilesAreComputed) {
  ResolvedJob job = Masked();
  EXPECT_TRUE(NeedsPreparation(job));
  const int64_t all = job.plan->tile_count();
  ASSERT_GT(all, 1);
  EXPECT_EQ(job.wanted->count(), all) << "its header does not tell";
  ASSERT_TRUE(Prepare(&job).ok());
  EXPECT_EQ(job.wanted->count(), 0);
  EXPECT_EQ(job.spec.tile_count, 0);
  EXPECT_EQ(job.summary.skipped_tiles(), job.summary.tiles());
  EXPECT_THAT(told_, ElementsAre(HasSubstr("which tiles are to be computed")));
  WriteMask({0});
  job = Masked();
  ASSERT_TRUE(PrepareFigures({folder_, {}}, &job).ok());
  EXPECT_EQ(job.spec.tile_count, 1);
}

TEST_F(PrepareJobTest, AJobWithoutOneNeedsNothing) {
  const auto job = Resolve(Request("colour.tif", "same"));
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_FALSE(NeedsPreparation(*job));
}

TEST_F(PrepareJobTest, EndsWhenItIsAskedTo) {
  ResolvedJob job = Masked();
  interrupt_.Ask(absl::CancelledError("asked"));
  EXPECT_EQ(Prepare(&job), absl::CancelledError("asked"));
}

TEST_F(PrepareJobTest, AMaskThatCannotBeReadHasAReason) {
  ResolvedJob job = Masked();
  std::filesystem::resize_file(folder_ + "/mask.tif", 100);
  EXPECT_EQ(ReasonOf(Prepare(&job)), "INPUT_CHANGED");
}

}  // namespace
}  // namespace tilewright
