// What a request becomes, and every sentence with which one is refused.

#include "coordinator/jobs/resolve_job.h"

#include <sys/mount.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/coordinator/jobs/resolve_fixture.h"

namespace tilewright {
namespace {

TEST_F(ResolveJobTest, AColourPictureForAnyModelIsPlannedWithItsOwnChannels) {
  v1::RenderRequest request = Request("colour.tif", "double");
  request.mutable_stages(0)->set_tile(64);
  const auto job = Resolve(request);
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->summary.output_width(), 200u);
  EXPECT_EQ(job->summary.output_height(), 120u);
  EXPECT_EQ(job->summary.channels(), 3u);
  EXPECT_EQ(job->summary.output_sample(), v1::SAMPLE_TYPE_U8);
  EXPECT_EQ(job->summary.tile_width(), 64u);
  EXPECT_EQ(job->summary.tile_height(), 60u);
  EXPECT_EQ(job->summary.tiles(), job->summary.columns() * job->summary.rows());
  EXPECT_EQ(job->exactness, "exact");
  EXPECT_EQ(job->spec.input_bytes, 64 * 60 * 3);
  EXPECT_EQ(job->spec.output_bytes, 128 * 120 * 3);
  EXPECT_EQ(job->stage.image_width(), 100u);
  EXPECT_EQ(job->stage.batch(), 1u);
  EXPECT_FALSE(job->spec.prove_class);
}

TEST_F(ResolveJobTest, AnOutputThatDoesNotFitOnItsDiskIsRefusedWithNumbers) {
  const std::string disk = folder_ + "/disk";
  ASSERT_TRUE(std::filesystem::create_directory(disk));
  if (mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=8k") != 0) {
    GTEST_SKIP() << "no right to mount a small disk";
  }
  const absl::Cleanup unmount = [&] { umount2(disk.c_str(), MNT_DETACH); };
  v1::RenderRequest request = Request("colour.tif", "double", "disk/out.tif");
  request.set_compression("none");
  ExpectRefused(request, absl::StatusCode::kResourceExhausted, "DISK_FULL",
                absl::StrCat("the output needs 72000 bytes, and 8192 are free in '", disk,
                             "': make room there, compress it, or choose another output"));
  request.set_compression("deflate");
  const auto compressed = Resolve(request);
  ASSERT_TRUE(compressed.ok()) << compressed.status();
  EXPECT_EQ(compressed->summary.disk_free_bytes(), 8192u);
  // The samples of an array are never compressed; those of the canvas that it is made of may be.
  request = Request("colour.tif", "double", "disk/out.npy");
  for (const auto& [compression, bytes] :
       {std::pair("deflate", 72'128), std::pair("none", 144'128)}) {
    request.set_compression(compression);
    ExpectRefused(request, absl::StatusCode::kResourceExhausted, "DISK_FULL",
                  absl::StrCat("the output needs ", bytes, " bytes, and 8192 are free in '", disk,
                               "': make room there, compress it, or choose another output"));
  }
}

TEST_F(ResolveJobTest, EveryNumberThatDecidesBytesIsInThePlanDigest) {
  const auto digest = [&](const v1::RenderRequest& request) {
    const auto job = Resolve(request);
    EXPECT_TRUE(job.ok()) << job.status();
    return job.ok() ? job->stage.plan_digest() : "";
  };
  const v1::RenderRequest request = Request("colour.tif", "double");
  const std::string plain = digest(request);
  EXPECT_EQ(digest(request), plain);
  v1::RenderRequest other = request;
  other.mutable_stages(0)->set_output_sample(v1::SAMPLE_TYPE_U16);
  EXPECT_NE(digest(other), plain);
  other = request;
  other.mutable_stages(0)->set_tile(50);
  EXPECT_NE(digest(other), plain);
  EXPECT_NE(digest(Request("grey.tif", "double")), plain);
}

TEST_F(ResolveJobTest, TheElementTypeIsOneThatTheModelAllows) {
  v1::RenderRequest request = Request("colour.tif", "halves");
  const auto usual = Resolve(request);
  ASSERT_TRUE(usual.ok()) << usual.status();
  EXPECT_EQ(usual->stage.dtype(), "fp32");
  request.mutable_stages(0)->set_dtype("bf16");
  const auto half = Resolve(request);
  ASSERT_TRUE(half.ok()) << half.status();
  EXPECT_EQ(half->stage.dtype(), "bf16");
  EXPECT_EQ(half->spec.dtype, "bf16");
  EXPECT_NE(half->stage.plan_digest(), usual->stage.plan_digest()) << "it decides bits";
  request.mutable_stages(0)->set_dtype("fp16");
  ExpectRefused(request, absl::StatusCode::kInvalidArgument, "BAD_REQUEST",
                "the model models/halves/versions/1 does not run in 'fp16': its manifest allows "
                "bf16, fp32");
}

TEST_F(ResolveJobTest, AGreyPictureGoesThroughAColourModel) {
  const auto job = Resolve(Request("grey.tif", "colour"));
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->stage.input_channels(), 1u);
  EXPECT_EQ(job->stage.output_channels(), 1u);
  EXPECT_EQ(job->exactness, "bounded(0.5)");
}

TEST_F(ResolveJobTest, AColourPictureForAGreyModelIsRefused) {
  ExpectRefused(Request("colour.tif", "grey"), absl::StatusCode::kInvalidArgument,
                "CHANNEL_MISMATCH",
                "the input is a colour image and models/grey/versions/1 takes 1 channel: convert "
                "the image, or choose another model");
}

TEST_F(ResolveJobTest, AHaloBelowTheModelsIsNoLongerExact) {
  v1::RenderRequest request = Request("colour.tif", "double");
  request.mutable_stages(0)->set_tile(40);
  request.mutable_stages(0)->set_halo(1);
  const auto job = Resolve(request);
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->exactness, "approximate");
  EXPECT_GT(job->summary.notes_size(), 0);
}

TEST_F(ResolveJobTest, AMissingInputIsNamed) {
  ExpectRefused(Request("nothing.png", "double"), absl::StatusCode::kNotFound, "INPUT_NOT_FOUND",
                absl::StrCat("'", folder_,
                             "/nothing.png': no such file on the coordinator's machine: check the "
                             "path"));
}

TEST_F(ResolveJobTest, WhatIsNoImageIsRefused) {
  std::ofstream(folder_ + "/letter.png") << "Dear coordinator";
  std::ofstream(folder_ + "/empty.png") << "";
  for (const char* name : {"letter.png", "empty.png"}) {
    const absl::Status status = Resolve(Request(name, "double")).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_EQ(ReasonOf(status), "NOT_AN_IMAGE") << status;
    EXPECT_THAT(std::string(status.message()), testing::HasSubstr(name));
  }
}

TEST_F(ResolveJobTest, AnImageOverTheLimitsIsRefused) {
  limits_.side_max = 99;
  const absl::Status status = Resolve(Request("colour.tif", "double")).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  EXPECT_EQ(ReasonOf(status), "LIMIT_EXCEEDED") << status;
  limits_.side_max = 100;
  EXPECT_TRUE(Resolve(Request("colour.tif", "double")).ok());
}

TEST_F(ResolveJobTest, AFileThatIsAnotherOneForTheClientIsRefused) {
  v1::RenderRequest request = Request("colour.tif", "double");
  const auto facts = StatFile(folder_ + "/colour.tif");
  ASSERT_TRUE(facts.ok()) << facts.status();
  *request.mutable_input_facts() = *facts;
  EXPECT_TRUE(Resolve(request).ok());
  request.mutable_input_facts()->set_mtime_ns(facts->mtime_ns() + 1);
  ExpectRefused(request, absl::StatusCode::kFailedPrecondition, "INPUT_CHANGED",
                absl::StrCat("'", folder_,
                             "/colour.tif' is another file for the coordinator than for the "
                             "client, or it was changed meanwhile: submit again, or upload it"));
}

TEST_F(ResolveJobTest, AnUnknownModelIsRefused) {
  const absl::Status status = Resolve(Request("colour.tif", "doubel")).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound) << status;
  EXPECT_EQ(ReasonOf(status), "UNKNOWN_MODEL");
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("doubel"));
}

TEST_F(ResolveJobTest, ATileBelowTheModelsMinimumIsRefused) {
  v1::RenderRequest request = Request("colour.tif", "colour");
  request.mutable_stages(0)->set_tile(31);
  const absl::Status status = Resolve(request).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_EQ(ReasonOf(status), "TILE_TOO_SMALL") << status;
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("32"));
}

TEST_F(ResolveJobTest, AnOverlapTooBigForTheTileIsRefused) {
  v1::RenderRequest request = Request("colour.tif", "double");
  request.mutable_stages(0)->set_tile(32);
  request.mutable_stages(0)->set_overlap(30);
  const absl::Status status = Resolve(request).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_EQ(ReasonOf(status), "BAD_GEOMETRY") << status;
}

TEST_F(ResolveJobTest, AnOutputThatExistsIsRefusedWithoutOverwrite) {
  std::ofstream(folder_ + "/out.tif") << "mine";
  v1::RenderRequest request = Request("colour.tif", "double");
  ExpectRefused(request, absl::StatusCode::kAlreadyExists, "OUTPUT_EXISTS",
                absl::StrCat("the output '", folder_,
                             "/out.tif' exists: choose another name or --overwrite"));
  request.set_overwrite(true);
  EXPECT_TRUE(Resolve(request).ok());
}

TEST_F(ResolveJobTest, APartialOutputThatExistsIsNotToBeReplaced) {
  std::ofstream(folder_ + "/out.partial.tif") << "mine";
  v1::RenderRequest request = Request("colour.tif", "double");
  EXPECT_TRUE(Resolve(request).ok());
  request.mutable_output_options()->set_keep_partial(true);
  ExpectRefused(request, absl::StatusCode::kAlreadyExists, "OUTPUT_EXISTS",
                absl::StrCat("'", folder_,
                             "/out.partial.tif', where a partial output would be kept, exists: "
                             "choose another name or --overwrite"));
  request.set_overwrite(true);
  EXPECT_TRUE(Resolve(request).ok());
}

TEST_F(ResolveJobTest, AnOutputWithoutAFolderIsRefused) {
  ExpectRefused(Request("colour.tif", "double", "nowhere/out.tif"), absl::StatusCode::kNotFound,
                "OUTPUT_NOT_WRITABLE",
                absl::StrCat("the output's folder '", folder_,
                             "/nowhere' does not exist on the coordinator's machine: create it "
                             "first"));
}

TEST_F(ResolveJobTest, FilesOutsideTheRootsAreRefused) {
  v1::RenderRequest request = Request("colour.tif", "double");
  request.set_output("file:///out.tif");
  ExpectRefused(
      request, absl::StatusCode::kPermissionDenied, "OUTSIDE_ROOT",
      absl::StrCat("'/out.tif' lies outside the folders that this coordinator may touch (", folder_,
                   "): use one of them, or start it with another --root"));
}

TEST_F(ResolveJobTest, OtherSchemesAreNotImplemented) {
  v1::RenderRequest request = Request("colour.tif", "double");
  request.set_input("s3://bucket/key");
  ExpectRefused(request, absl::StatusCode::kUnimplemented, "BAD_URI",
                "'s3://bucket/key' has a scheme that this coordinator does not know: use "
                "file:///absolute/path, or upload and download");
}

TEST_F(ResolveJobTest, ADownloadNamesAnExtensionAndNothingElse) {
  v1::RenderRequest request = Request("colour.tif", "double");
  request.set_output("download:.png");
  const auto job = Resolve(request);
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->output_path, "");
  EXPECT_EQ(job->output_extension, ".png");
  for (const char* output :
       {"download:", "download:png", "download:/../../x.png", "download:./png"}) {
    request.set_output(output);
    ExpectRefused(request, absl::StatusCode::kInvalidArgument, "BAD_URI",
                  absl::StrCat("'", output,
                               "' is not 'download:' with a file extension, for instance "
                               "'download:.png'"));
  }
}

TEST_F(ResolveJobTest, AFolderOfTilesIsNotDownloaded) {
  v1::RenderRequest request = Request("colour.tif", "double");
  request.set_output("download:.szi");
  EXPECT_TRUE(Resolve(request).ok());
  request.set_output("download:.DZI");
  ExpectRefused(request, absl::StatusCode::kInvalidArgument, "BAD_OUTPUT_FORMAT",
                "a .dzi is a file and a folder of many, which cannot be downloaded: write .szi, or "
                "write where the coordinator sees the folder");
}

TEST_F(ResolveJobTest, AnotherScaleThanTheModelsIsPlannedAndSaid) {
  v1::RenderRequest request = Request("colour.tif", "double");
  const auto plain = Resolve(request);
  ASSERT_TRUE(plain.ok()) << plain.status();
  request.mutable_output_options()->set_scale_p(3);
  request.mutable_output_options()->set_scale_q(1);
  const auto job = Resolve(request);
  ASSERT_TRUE(job.ok()) << job.status();
  const v1::PlanSummary& summary = job->summary;
  EXPECT_EQ(summary.output_width(), 3 * summary.input_width());
  EXPECT_EQ(summary.output_height(), 3 * summary.input_height());
  EXPECT_EQ(job->format.size, plain->format.size) << "of the canvas";
  EXPECT_GT(summary.disk_bytes(), plain->summary.disk_bytes());
  ASSERT_EQ(summary.notes_size(), plain->summary.notes_size() + 1);
  EXPECT_EQ(job->stage.plan_digest(), plain->stage.plan_digest());
}

TEST_F(ResolveJobTest, SeveralStagesArePlannedEachOnWhatTheOneBeforeMakes) {
  v1::RenderRequest request = Request("colour.tif", "double");
  request.add_stages()->set_model("double");
  request.mutable_stages(1)->set_tile(64);
  const auto job = Resolve(request);
  ASSERT_TRUE(job.ok()) << job.status();
  ASSERT_EQ(job->before.size(), 1u);
  const ResolvedStage& first = job->before.front();
  EXPECT_EQ(first.format.sample, SampleType::kF16) << "8 bits fit into it";
  EXPECT_EQ(first.stage.stage(), 0u);
  EXPECT_EQ(job->stage.stage(), 1u);
  EXPECT_EQ(job->stage.input_sample(), v1::SAMPLE_TYPE_F16);
  EXPECT_EQ(job->stage.output_sample(), v1::SAMPLE_TYPE_U8) << "as the input";
  EXPECT_NE(job->stage.plan_digest(), first.stage.plan_digest());
  EXPECT_GT(job->spec.ready_max, 0);
  const v1::PlanSummary& summary = job->summary;
  ASSERT_EQ(summary.stages_size(), 2);
  EXPECT_EQ(summary.input_width(), 100u);
  EXPECT_EQ(summary.stages(0).output_width(), 200u);
  EXPECT_EQ(summary.output_width(), 400u);
  EXPECT_EQ(summary.tiles(), summary.stages(0).tiles() + summary.stages(1).tiles());
  EXPECT_EQ(summary.memory_floor_bytes(),
            static_cast<uint64_t>(first.memory.floor() + job->memory.floor()));

  request.mutable_stages(0)->set_output_sample(v1::SAMPLE_TYPE_U8);
  const auto bytes = Resolve(request);
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  EXPECT_EQ(bytes->stage.input_sample(), v1::SAMPLE_TYPE_U8);
  EXPECT_NE(bytes->stage.plan_digest(), job->stage.plan_digest());
}

TEST_F(ResolveJobTest, WhatSeveralStagesCannotHaveIsRefused) {
  v1::RenderRequest request = Request("colour.tif", "double");
  request.add_stages()->set_model("double");
  while (request.stages_size() < 9) request.add_stages()->set_model("double");
  ExpectRefused(request, absl::StatusCode::kInvalidArgument, "BAD_REQUEST",
                "the request has 9 stages: give 1 to 8");
}

TEST_F(ResolveJobTest, AnUnknownUploadIsRefused) {
  v1::RenderRequest request = Request("colour.tif", "double");
  request.set_input("upload:0123456789abcdef");
  ExpectRefused(request, absl::StatusCode::kNotFound, "INPUT_NOT_FOUND",
                "there is no upload 'upload:0123456789abcdef': uploads are removed when their job "
                "has ended; upload it again");
}

TEST_F(ResolveJobTest, TheOutputSampleFollowsWhatTheFormatHolds) {
  WriteImage("deep.tif", 3, SampleType::kU16);
  const auto tiff = Resolve(Request("deep.tif", "double"));
  ASSERT_TRUE(tiff.ok()) << tiff.status();
  EXPECT_EQ(tiff->stage.output_sample(), v1::SAMPLE_TYPE_U16);
  const auto jpeg = Resolve(Request("deep.tif", "double", "out.jpg"));
  ASSERT_TRUE(jpeg.ok()) << jpeg.status();
  EXPECT_EQ(jpeg->stage.output_sample(), v1::SAMPLE_TYPE_U8);
  v1::RenderRequest asked = Request("deep.tif", "double", "out.jpg");
  asked.mutable_stages(0)->set_output_sample(v1::SAMPLE_TYPE_U16);
  EXPECT_EQ(ReasonOf(Resolve(asked).status()), "BAD_OUTPUT_FORMAT");
}

TEST_F(ResolveJobTest, AnUnknownExtensionIsRefused) {
  EXPECT_EQ(ReasonOf(Resolve(Request("colour.tif", "double", "out.xyz")).status()),
            "BAD_OUTPUT_FORMAT");
}

TEST_F(ResolveJobTest, AMaskThatMarksNothingLeavesNothingToCompute) {
  AddModel("same",
           "exactness: EXACTNESS_KIND_EXACT inputs { name: \"image\" } "
           "outputs { name: \"image\" }");
  models_ = std::make_unique<ModelRepository>(*ModelRepository::Load(folder_ + "/models"));
  v1::RenderRequest request = Request("colour.tif", "same");
  request.mutable_stages(0)->set_tile(64);
  request.set_mask(FileUri(folder_ + "/grey.tif"));  // every pixel is 7
  auto job = Resolve(request);
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->summary.skipped_tiles(), 0u);
  EXPECT_EQ(job->spec.tile_count, job->plan->tile_count());
  ASSERT_GT(job->spec.tile_count, 1);
  request.mutable_region()->set_x(99);
  request.mutable_region()->set_width(1);
  request.mutable_region()->set_height(1);
  job = Resolve(request);
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->spec.tile_count, 1);
  EXPECT_EQ(job->summary.skipped_tiles(), job->summary.tiles() - 1);
  EXPECT_EQ(job->summary.output_width(), 1u);
}

TEST_F(ResolveJobTest, AMaskThatCannotBeHonouredIsRefused) {
  AddModel("same",
           "exactness: EXACTNESS_KIND_EXACT inputs { name: \"image\" } "
           "outputs { name: \"image\" }");
  models_ = std::make_unique<ModelRepository>(*ModelRepository::Load(folder_ + "/models"));
  v1::RenderRequest request = Request("colour.tif", "double");
  request.set_mask(FileUri(folder_ + "/grey.tif"));
  ExpectRefused(request, absl::StatusCode::kInvalidArgument, "BAD_MASK",
                "a mask needs a model that keeps the size of the image; models/double/versions/1 "
                "scales by 2/1");
  request = Request("colour.tif", "same");
  request.set_mask(FileUri(folder_ + "/colour.tif"));
  ExpectRefused(request, absl::StatusCode::kInvalidArgument, "BAD_MASK",
                "the mask has 3 channels of type u8: give one grey channel of 8 or 16 bits");
  request.set_mask(FileUri(folder_ + "/grey.tif"));
  request.mutable_stages(0)->set_output_sample(v1::SAMPLE_TYPE_U16);
  ExpectRefused(request, absl::StatusCode::kInvalidArgument, "BAD_MASK",
                "with a mask the output keeps samples of the input, of 8 or 16 bits: the input has "
                "u8, the output would have u16");
  request.mutable_stages(0)->clear_output_sample();
  request.set_mask(FileUri(folder_ + "/missing.tif"));
  EXPECT_EQ(ReasonOf(Resolve(request).status()), "INPUT_NOT_FOUND");
  request.clear_mask();
  request.mutable_region()->set_width(1000);
  request.mutable_region()->set_height(1);
  EXPECT_EQ(ReasonOf(Resolve(request).status()), "BAD_GEOMETRY");
}

}  // namespace
}  // namespace tilewright
