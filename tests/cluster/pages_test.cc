// The pages of a TIFF through real processes: each renders as the same picture in a file of its own
// does, one by one and as a sequence, whether the coordinator sees the file or it is uploaded.

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cluster/cluster.h"
#include "tests/cluster/picture.h"
#include "tests/cluster/process.h"
#include "tests/cluster/with_cluster.h"

namespace tilewright {
namespace {

using ::testing::HasSubstr;

// Whether the file is uploaded.
class PagesTest : public WithCluster, public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    ClusterOptions options;
    if (GetParam()) options.coordinator_flags = {"--root", "/proc"};
    ASSERT_NO_FATAL_FAILURE(StartCluster({"w"}, options));
    // A pyramid, whose reduced images are no pages; another size, in strips; and tiles again.
    const std::vector<std::string> savers = {"[tile,pyramid,compression=deflate]", "", "[tile]"};
    Command join;
    join.argv = {"/usr/bin/tiffcp"};
    for (size_t page = 0; page < savers.size(); ++page) {
      const Picture picture = NoisePicture(page == 1 ? 150 : 300, 200, 3, 8, page);
      ASSERT_TRUE(WritePicture(picture, Single(page) + savers[page]).ok());
      join.argv.push_back(Single(page));
    }
    join.argv.push_back(cluster_->Path("scan.tif"));
    join.out_path = join.err_path = cluster_->Path("tiffcp.log");
    const auto joining = Process::Start(join);
    ASSERT_TRUE(joining.ok()) << joining.status();
    ASSERT_EQ((*joining)->Wait(absl::Minutes(2)).value_or(-1), 0);
  }

  std::string Single(size_t page) const { return cluster_->Path(absl::StrCat("p", page, ".tif")); }

  CliResult Blur(const std::string& command, const std::string& input, const std::string& output,
                 const std::vector<std::string>& flags = {}) {
    std::vector<std::string> arguments = {command,
                                          "-i",
                                          cluster_->Path(input),
                                          "-o",
                                          cluster_->Path(output),
                                          "-n",
                                          "gaussian-blur",
                                          "-t",
                                          "96",
                                          "--progress",
                                          "none",
                                          "--json"};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    return cluster_->Cli(arguments);
  }
};

TEST_P(PagesTest, RenderAsPicturesOfTheirOwn) {
  const CliResult sequence = Blur("sequence", "scan.tif", "out_%d.tif");
  ASSERT_EQ(sequence.exit_code, 0) << sequence.err << sequence.out;
  ASSERT_TRUE(sequence.json.has_value()) << sequence.out;
  EXPECT_EQ(sequence.json->fields().at("frames").list_value().values_size(), 3);
  for (size_t page = 0; page < 3; ++page) {
    SCOPED_TRACE(page);
    const std::string name = absl::StrCat("single_", page, ".tif");
    const CliResult single = Blur("render", absl::StrCat("p", page, ".tif"), name);
    ASSERT_EQ(single.exit_code, 0) << single.err;
    const auto expected = ReadPicture(cluster_->Path(name));
    const auto got = ReadPicture(cluster_->Path(absl::StrCat("out_", page, ".tif")));
    ASSERT_TRUE(expected.ok() && got.ok()) << expected.status() << got.status();
    EXPECT_EQ(Difference(*got, *expected), "equal");
    EXPECT_NE(Difference(*got, *ReadPicture(Single(page))), "equal");
  }
}

TEST_P(PagesTest, AreChosenByNumberAndCounted) {
  const CliResult plan = Blur("render", "scan.tif", "out.tif", {"--page", "1", "--dry-run"});
  ASSERT_EQ(plan.exit_code, 0) << plan.err;
  ASSERT_TRUE(plan.json.has_value()) << plan.out;
  const auto& fields = plan.json->fields().at("plan").struct_value().fields();
  EXPECT_EQ(fields.at("input_pages").number_value(), 3);
  EXPECT_EQ(fields.at("input_width").number_value(), 150);
  EXPECT_EQ(plan.out.find("bytes uploaded") != std::string::npos, GetParam()) << plan.out;

  ASSERT_EQ(Blur("render", "scan.tif", "out.tif", {"--page", "2"}).exit_code, 0);
  ASSERT_EQ(Blur("render", "p2.tif", "single.tif").exit_code, 0);
  EXPECT_EQ(Difference(*ReadPicture(cluster_->Path("out.tif")),
                       *ReadPicture(cluster_->Path("single.tif"))),
            "equal");

  const CliResult none = Blur("render", "scan.tif", "none.tif", {"--page", "3"});
  EXPECT_EQ(none.exit_code, 3);
  EXPECT_THAT(none.err + none.out, HasSubstr("page 3 was asked for, and it has 3 pages, 0 to 2"));
  EXPECT_THAT(none.err + none.out, HasSubstr("NO_SUCH_PAGE"));
}

TEST_P(PagesTest, OfAFileThatIsOnePictureAreNoSequence) {
  const CliResult one = Blur("sequence", "p0.tif", "out_%d.tif");
  EXPECT_EQ(one.exit_code, 3);
  EXPECT_THAT(one.err + one.out, HasSubstr("is the same for every frame: write %d or %04d"));
}

INSTANTIATE_TEST_SUITE_P(OfAFile, PagesTest, testing::Bool(),
                         [](const testing::TestParamInfo<bool>& uploaded) {
                           return uploaded.param ? "Uploaded" : "Seen";
                         });

}  // namespace
}  // namespace tilewright
