// Jobs of several stages through real processes: the bits of one stage after the other, also when a
// worker dies in between.

#include <csignal>
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

using ::testing::HasSubstr;

class StagesTest : public WithCluster, public testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(StartCluster());
    const int bits = GetParam();
    sample_ = bits == 8 ? "u8" : "u16";
    ASSERT_TRUE(WritePicture(NoisePicture(700, 500, 3, bits, 1), cluster_->Path("in.tif")).ok());
  }
  void Add(const std::string& name) {
    const absl::Status added = cluster_->AddWorker(name);
    ASSERT_TRUE(added.ok()) << added;
  }
  std::vector<std::string> Arguments(const std::string& input, const std::string& output,
                                     const std::vector<std::string>& flags) {
    std::vector<std::string> arguments = {
        "render",     "-i",  cluster_->Path(input), "-o", cluster_->Path(output), "--json",
        "--progress", "none"};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    return arguments;
  }
  CliResult Render(const std::string& input, const std::string& output,
                   const std::vector<std::string>& flags) {
    CliResult result = cluster_->Cli(Arguments(input, output, flags), absl::Minutes(5));
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return result;
  }
  Picture Read(const std::string& name) {
    const absl::StatusOr<Picture> picture = ReadPicture(cluster_->Path(name));
    EXPECT_TRUE(picture.ok()) << picture.status();
    return picture.value_or(Picture());
  }
  static double Number(const CliResult& result, const std::string& key) {
    return result.json.has_value() ? result.json->fields().at(key).number_value() : -1;
  }

  std::string sample_;
};

TEST_P(StagesTest, GiveTheBitsOfOneAfterTheOther) {
  Add("a");
  Add("b");
  if (HasFatalFailure()) return;
  const std::vector<std::string> up = {"-n",        "lanczos2x", "-t",       "96",
                                       "--overlap", "16",        "--sample", sample_};
  Render("in.tif", "up.tif", up);
  Render("up.tif", "apart.tif", {"-n", "gaussian-blur", "-t", "200", "--overlap", "8"});
  std::vector<std::string> both = up;
  both.insert(both.end(), {"--then", "gaussian-blur,tile=200,overlap=8"});
  const CliResult fused = Render("in.tif", "fused.tif", both);
  EXPECT_EQ(Difference(Read("fused.tif"), Read("apart.tif")), "equal");
  const auto& fields = fused.json->fields();
  ASSERT_EQ(fields.at("stage_tiles_done").list_value().values_size(), 2);
  const auto& stages = fields.at("plan").struct_value().fields().at("stages").list_value();
  ASSERT_EQ(stages.values_size(), 2);
  double tiles = 0;
  for (int i = 0; i < 2; ++i) {
    const double of_stage = stages.values(i).struct_value().fields().at("tiles").number_value();
    EXPECT_EQ(fields.at("stage_tiles_done").list_value().values(i).number_value(), of_stage);
    tiles += of_stage;
  }
  EXPECT_EQ(Number(fused, "tiles"), tiles);
  EXPECT_EQ(Number(fused, "tiles_done"), tiles);

  // From a file whose rows come in order, and three stages.
  ASSERT_TRUE(WritePicture(Read("in.tif"), cluster_->Path("in.png")).ok());
  std::vector<std::string> three = both;
  three.back() += ",sample=" + sample_;
  three.insert(three.end(), {"--then", "identity,tile=300"});
  Render("in.png", "three.tif", three);
  EXPECT_EQ(Difference(Read("three.tif"), Read("apart.tif")), "equal");
}

TEST_P(StagesTest, ComputeOfEachWhatARegionNeeds) {
  Add("a");
  if (HasFatalFailure()) return;
  const std::vector<std::string> flags = {
      "-n", "lanczos2x", "-t",    "96",     "--overlap",
      "16", "--sample",  sample_, "--then", "gaussian-blur,tile=200,overlap=8"};
  Render("in.tif", "whole.tif", flags);
  std::vector<std::string> part = flags;
  part.insert(part.end(), {"--region", "333,120,150,101"});
  const CliResult result = Render("in.tif", "part.tif", part);
  const absl::StatusOr<Picture> cut =
      ReadPictureRect(cluster_->Path("whole.tif"), {666, 240, 300, 202});
  ASSERT_TRUE(cut.ok()) << cut.status();
  EXPECT_EQ(Difference(Read("part.tif"), *cut), "equal");
  EXPECT_EQ(Number(result, "tiles_done"), Number(result, "tiles"));
  const auto& fields = result.json->fields();
  const auto& plan = fields.at("plan").struct_value().fields();
  const double skipped = plan.at("skipped_tiles").number_value();
  EXPECT_GT(skipped, Number(result, "tiles") / 2);
  EXPECT_EQ(Number(result, "attempts"), Number(result, "tiles") - skipped);
  // Of both stages, and a dry run says how many of each.
  part.push_back("--dry-run");
  const CliResult dry = Render("in.tif", "dry.tif", part);
  EXPECT_THAT(dry.out, HasSubstr("stage 0 (models/lanczos2x/versions/1): "));
  EXPECT_THAT(dry.out, HasSubstr("stage 1 (models/gaussian-blur/versions/1): "));
  EXPECT_THAT(dry.out, HasSubstr(absl::StrCat("\"skipped_tiles\":", skipped)));
}

TEST_P(StagesTest, LoseNothingWhenAWorkerDies) {
  Add("a");
  if (HasFatalFailure()) return;
  const std::vector<std::string> flags = {
      "-n", "gaussian-blur", "-t",    "64",     "--overlap",
      "8",  "--sample",      sample_, "--then", "lanczos3x,tile=96"};
  const CliResult undisturbed = Render("in.tif", "undisturbed.tif", flags);
  ASSERT_TRUE(cluster_->AddWorker("b", WorkerSetup{"", "", {}, {}}).ok());
  std::vector<std::string> submit = Arguments("in.tif", "disturbed.tif", flags);
  submit.push_back("--no-wait");
  const CliResult submitted = cluster_->Cli(submit);
  ASSERT_EQ(submitted.exit_code, 0) << submitted.err;
  const std::string job = submitted.json->fields().at("job").string_value();
  const absl::StatusOr<v1::Job> begun = cluster_->Await(
      job,
      [](const v1::Job& now) {
        return now.stage_tiles_done_size() == 2 && now.stage_tiles_done(1) > 0;
      },
      absl::Minutes(5));
  ASSERT_TRUE(begun.ok()) << begun.status();
  cluster_->worker("b").Signal(SIGKILL);
  const absl::StatusOr<v1::Job> ended = cluster_->AwaitSuccess(job, absl::Minutes(5));
  ASSERT_TRUE(ended.ok()) << ended.status();
  EXPECT_EQ(ended->pixel_hash(), undisturbed.json->fields().at("pixel_hash").string_value());
}

TEST_P(StagesTest, RefuseWhatTheyCannotHave) {
  const auto refused = [this](const std::vector<std::string>& more) {
    std::vector<std::string> flags = {"-n", "lanczos2x", "--then", "gaussian-blur"};
    flags.insert(flags.end(), more.begin(), more.end());
    const CliResult result = cluster_->Cli(Arguments("in.tif", "out.tif", flags));
    EXPECT_NE(result.exit_code, 0);
    return result.err;
  };
  EXPECT_THAT(refused({"--region", "690,0,20,10"}),
              HasSubstr("20x10+690+0 is not a part of the image, which has 700x500 pixels"));
  EXPECT_THAT(refused({"--then", "nothing-like-it"}), HasSubstr("nothing-like-it"));
  EXPECT_THAT(refused({"--then", "identity,side=3"}), HasSubstr("'side=3' in it makes no sense"));
}

INSTANTIATE_TEST_SUITE_P(Bits, StagesTest, testing::Values(8, 16));

}  // namespace
}  // namespace tilewright
