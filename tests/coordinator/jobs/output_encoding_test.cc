// How an output is packed: as its request says, and under a mask otherwise as the input is.

#include "coordinator/jobs/output_encoding.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/coordinator/jobs/resolve_fixture.h"

namespace tilewright {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

class OutputEncodingTest : public ResolveJobTest {
 protected:
  void SetUp() override {
    ResolveJobTest::SetUp();
    AddModel("same",
             "exactness: EXACTNESS_KIND_EXACT inputs { name: \"image\" } "
             "outputs { name: \"image\" }");
    LoadModels();
    WriteInput({Compression::kLzw, 1, 95, 256, /*predictor=*/false});
    request_ = Request("in.tif", "same");
    request_.set_mask(FileUri(folder_ + "/grey.tif"));
  }

  void WriteInput(const TiffEncoding& encoding) {
    OutputOptions options;
    options.path = folder_ + "/in.tif";
    options.format = {{100, 60}, 3, SampleType::kU8};
    options.encoding = encoding;
    options.overwrite = true;
    auto file = OutputFile::Create(options);
    ASSERT_TRUE(file.ok()) << file.status();
    ASSERT_TRUE((*file)->WriteBlock(0, 0, std::vector<std::byte>(100 * 60 * 3)).ok());
    ASSERT_TRUE((*file)->Publish().ok());
  }
  // "lzw 256 plain, copied" of request_, the word copied if tiles of the input are.
  std::string Packed() {
    const absl::StatusOr<ResolvedJob> job = Resolve(request_);
    if (!job.ok()) return std::string(job.status().message());
    const bool copied = job->mask != nullptr && CopiesTiles(*job);
    if (copied) {
      EXPECT_THAT(job->summary.notes(), Contains(HasSubstr("copied as the input stores them")));
    } else {
      EXPECT_THAT(job->summary.notes(),
                  Not(Contains(HasSubstr("copied as the input stores them"))));
    }
    const TiffEncoding& encoding = job->encoding;
    return absl::StrCat(Describe(encoding), ", ", encoding.tile_side, " px",
                        encoding.predictor ? "" : ", plain", copied ? ", copied" : "");
  }

  v1::RenderRequest request_;
};

TEST_F(OutputEncodingTest, IsThatOfTheInputUnderAMask) {
  EXPECT_EQ(Packed(), "lzw, 256 px, plain, copied");
  request_.set_output(FileUri(folder_ + "/out.png"));  // of the TIFF that it is made of
  EXPECT_EQ(Packed(), "lzw, 256 px, plain, copied");
  request_ = Request("in.tif", "same");
  EXPECT_EQ(Packed(), "deflate 1, 512 px") << "without a mask";
}

TEST_F(OutputEncodingTest, IsWhatTheRequestSays) {
  request_.set_compression("lzw");
  EXPECT_EQ(Packed(), "lzw, 256 px, plain, copied");
  request_.set_compression("zstd");
  EXPECT_EQ(Packed(), "zstd 1, 512 px");
  request_.clear_compression();
  request_.mutable_output_options()->set_compression_level(9);
  EXPECT_EQ(Packed(), "deflate 9, 512 px") << "a level of deflate was asked for";
  request_.mutable_output_options()->clear_compression_level();
  request_.mutable_output_options()->set_tiff_tile(256);
  EXPECT_EQ(Packed(), "lzw, 256 px, plain, copied");
  request_.mutable_output_options()->set_tiff_tile(128);
  EXPECT_EQ(Packed(), "deflate 1, 128 px");
  WriteInput({Compression::kDeflate, 6, 95, 128, /*predictor=*/true});
  EXPECT_EQ(Packed(), "deflate 1, 128 px, copied");
}

TEST_F(OutputEncodingTest, IsTheUsualOneWhereNoTileCouldBeCopied) {
  request_.mutable_region()->set_x(1);
  request_.mutable_region()->set_width(99);
  request_.mutable_region()->set_height(60);
  EXPECT_EQ(Packed(), "deflate 1, 512 px");
  request_.clear_region();
  WriteInput({Compression::kNone, 1, 95, 256});
  EXPECT_EQ(Packed(), "deflate 1, 512 px");
}

TEST_F(OutputEncodingTest, LosesInformationOnlyWhenAsked) {
  WriteInput({Compression::kJpeg, 1, 80, 256});
  EXPECT_EQ(Packed(), "deflate 1, 512 px");
  request_.set_compression("jpeg");
  EXPECT_EQ(Packed(), "jpeg 95, 256 px, plain, copied");
  request_.mutable_output_options()->set_jpeg_quality(70);
  EXPECT_EQ(Packed(), "jpeg 70, 256 px, plain, copied") << "each tile has its own tables";
}

TEST_F(OutputEncodingTest, AMaskTakesMemoryThatTheJobIsGiven) {
  const absl::StatusOr<ResolvedJob> masked = Resolve(request_);
  ASSERT_TRUE(masked.ok()) << masked.status();
  request_.clear_mask();
  const absl::StatusOr<ResolvedJob> whole = Resolve(request_);
  ASSERT_TRUE(whole.ok()) << whole.status();
  EXPECT_GT(ReaderMemory(masked->mask_reader->info(), 60), 0);
  EXPECT_EQ(masked->memory.input - whole->memory.input,
            ReaderMemory(masked->mask_reader->info(), 60));
  EXPECT_EQ(masked->summary.memory_floor_bytes(), static_cast<uint64_t>(masked->memory.floor()));
}

}  // namespace
}  // namespace tilewright
