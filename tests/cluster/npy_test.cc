// NumPy arrays in and out of a cluster: by path and by upload, as pictures and as latents.

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cluster/cluster.h"
#include "tests/cluster/networks.h"
#include "tests/cluster/picture.h"
#include "tests/cluster/with_cluster.h"

namespace tilewright {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// Where the samples of a file with a short header begin, as NumPy pads it.
constexpr size_t kHeaderBytes = 128;

std::string NpyHeaderText(const std::string& descr, const std::string& shape) {
  std::string text =
      absl::StrCat("{'descr': '", descr, "', 'fortran_order': False, 'shape': (", shape, "), }");
  text.resize(kHeaderBytes - 11, ' ');
  return absl::StrCat("\x93NUMPY", std::string("\x01\0v\0", 4), text, "\n");
}

std::string FileText(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

CliResult RenderIn(Cluster& cluster, const std::string& input, const std::string& output,
                   const std::string& model, const std::vector<std::string>& flags = {}) {
  std::vector<std::string> arguments = {
      "render", "-i", cluster.Path(input), "-o", cluster.Path(output), "-n", model};
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  return cluster.Cli(arguments, absl::Seconds(90));
}

class NpyTest : public WithCluster, public testing::Test {};

class LatentsTest : public NetworksTest {
 protected:
  LatentsTest() : NetworksTest({"a"}) {}
};

// 700x530 of three channels of noise, u16.
std::string NoiseArray() {
  const Picture noise = NoisePicture(700, 530, 3, 16, 5);
  return NpyHeaderText("<u2", "530, 700, 3") +
         std::string(reinterpret_cast<const char*>(noise.samples.data()), noise.samples.size());
}

TEST_F(NpyTest, AnArrayComesOutAsItWentIn) {
  ASSERT_NO_FATAL_FAILURE(StartCluster({"a"}));
  const std::string array = NoiseArray();
  std::ofstream(cluster_->Path("in.npy"), std::ios::binary) << array;
  const CliResult copied = RenderIn(*cluster_, "in.npy", "out.npy", "identity");
  ASSERT_EQ(copied.exit_code, 0) << copied.err;
  EXPECT_TRUE(FileText(cluster_->Path("out.npy")) == array);
  // The control: other samples are told apart.
  const CliResult other = RenderIn(*cluster_, "in.npy", "other.npy", "lanczos2x", {"--scale", "1"});
  ASSERT_EQ(other.exit_code, 0) << other.err;
  const std::string resampled = FileText(cluster_->Path("other.npy"));
  EXPECT_EQ(resampled.size(), array.size());
  EXPECT_EQ(resampled.substr(0, kHeaderBytes), array.substr(0, kHeaderBytes));
  EXPECT_FALSE(resampled == array);

  std::ofstream(cluster_->Path("in.npy"), std::ios::binary) << array.substr(0, array.size() / 2);
  const CliResult cut = RenderIn(*cluster_, "in.npy", "no.npy", "identity");
  EXPECT_EQ(cut.exit_code, 3) << cut.out;
  EXPECT_THAT(cut.err, HasSubstr("its header tells of 2226128 bytes, and the file has 1113064"));
}

// Nothing of the client's is the coordinator's to see: inputs are uploaded, outputs downloaded.
TEST_F(NpyTest, AnUploadedArrayIsDownloadedAsItWentIn) {
  ASSERT_NO_FATAL_FAILURE(StartCluster({"a"}, {.coordinator_flags = {"--root", "/proc"}}));
  const std::string array = NoiseArray();
  std::ofstream(cluster_->Path("in.npy"), std::ios::binary) << array;
  const CliResult copied = RenderIn(*cluster_, "in.npy", "out.npy", "identity");
  ASSERT_EQ(copied.exit_code, 0) << copied.err;
  EXPECT_THAT(copied.err, AllOf(HasSubstr("bytes uploaded"), HasSubstr("will be downloaded")));
  EXPECT_TRUE(FileText(cluster_->Path("out.npy")) == array);
  // The control: another array is another file.
  const CliResult other = RenderIn(*cluster_, "in.npy", "other.npy", "gaussian-blur");
  ASSERT_EQ(other.exit_code, 0) << other.err;
  EXPECT_EQ(FileText(cluster_->Path("other.npy")).size(), array.size());
  EXPECT_FALSE(FileText(cluster_->Path("other.npy")) == array);

  std::ofstream(cluster_->Path("cut.npy"), std::ios::binary) << array.substr(0, array.size() / 2);
  const CliResult cut = RenderIn(*cluster_, "cut.npy", "no.npy", "identity");
  EXPECT_EQ(cut.exit_code, 3) << cut.out;
  EXPECT_THAT(cut.err, HasSubstr("its header tells of 2226128 bytes, and the file has 1113064"));
  EXPECT_FALSE(std::filesystem::exists(cluster_->Path("no.npy")));
}

TEST_F(LatentsTest, GoThroughArraysToAPicture) {
  ASSERT_TRUE(WritePicture(NoisePicture(288, 192, 3, 8, 21), cluster_->Path("in.png")).ok());
  const CliResult encoded =
      RenderIn(*cluster_, "in.png", "latents.npy", "encode-8", {"--overlap", "0"});
  ASSERT_EQ(encoded.exit_code, 0) << encoded.err;
  const std::string latents = FileText(cluster_->Path("latents.npy"));
  EXPECT_EQ(latents.substr(0, kHeaderBytes), NpyHeaderText("<f4", "24, 36, 4"));
  EXPECT_EQ(latents.size(), kHeaderBytes + 24 * 36 * 4 * 4);
  ASSERT_EQ(RenderIn(*cluster_, "in.png", "latents.tif", "encode-8", {"--overlap", "0"}).exit_code,
            0);
  for (const char* name : {"latents.npy", "latents.tif"}) {
    const CliResult decoded =
        RenderIn(*cluster_, name, absl::StrCat(name, ".png"), "decode-8", {"--overlap", "0"});
    ASSERT_EQ(decoded.exit_code, 0) << decoded.err;
  }
  const auto from_array = ReadPicture(cluster_->Path("latents.npy.png"));
  const auto from_tiff = ReadPicture(cluster_->Path("latents.tif.png"));
  ASSERT_TRUE(from_array.ok() && from_tiff.ok()) << from_array.status() << from_tiff.status();
  EXPECT_EQ(from_array->width, 288);
  EXPECT_TRUE(from_array->samples == from_tiff->samples);
  const CliResult halves = RenderIn(*cluster_, "in.png", "halves.npy", "encode-8",
                                    {"--overlap", "0", "--sample", "f16"});
  EXPECT_NE(halves.exit_code, 0);
  EXPECT_THAT(halves.err, HasSubstr(".npy cannot hold f16 samples; write .tif or f32 samples"));
}

}  // namespace
}  // namespace tilewright
