// Masked jobs that are stopped on the way: what was copied as it is stored is neither lost nor
// copied twice. Real processes.

#include <signal.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/chaos/continue_fixture.h"

namespace tilewright {
namespace {

constexpr uint64_t kUnmarked = 5;  // of nine blocks

class ContinueMaskedTest : public ContinueTest {
 protected:
  ContinueMaskedTest() { slow_ = "slow:10"; }

  void SetUp() override {
    ContinueTest::SetUp();
    ASSERT_TRUE(WritePicture(picture_, cluster_->Path("in.tif[tile,tile-width=256,tile-height=256,"
                                                      "predictor=none,compression=deflate]"))
                    .ok());
    Picture mask = {1400, 1100, 1, 8, std::vector<std::byte>(1400 * 1100)};
    const auto mark = [&mask](int x, int y, int width, int height) {
      for (int row = y; row < y + height; ++row) {
        for (int column = x; column < x + width; ++column) {
          mask.samples[static_cast<size_t>(row * mask.width + column)] = std::byte{200};
        }
      }
    };
    mark(10, 10, 400, 400);
    mark(1100, 600, 250, 300);
    mark(20, 1040, 900, 50);
    ASSERT_TRUE(WritePicture(mask, cluster_->Path("mask.png")).ok());
  }
  JobRequest Masked(const std::string& output) {
    JobRequest request = Request(output);
    request.mask = cluster_->Path("mask.png");
    return request;
  }
  Picture Read(const std::string& name) {
    const absl::StatusOr<Picture> picture = ReadPicture(cluster_->Path(name));
    EXPECT_TRUE(picture.ok()) << picture.status();
    return picture.value_or(Picture());
  }
};

TEST_F(ContinueMaskedTest, BlocksThatWereCopiedStayCopied) {
  const v1::Job undisturbed = Finish(Masked("reference.tif"));
  EXPECT_EQ(undisturbed.copied_blocks(), kUnmarked) << EventsOf(undisturbed);
  EXPECT_GT(undisturbed.plan().skipped_tiles(), 100u);
  const Picture whole = Read("reference.tif");
  EXPECT_NE(Difference(whole, picture_), "equal");
  for (const int signal : {SIGTERM, SIGKILL}) {
    for (const bool overviews : {false, true}) {
      SCOPED_TRACE(absl::StrCat("signal ", signal, overviews ? ", with overviews" : ""));
      JobRequest request = Masked(absl::StrCat("stopped-", signal, "-", overviews, ".tif"));
      request.overviews = overviews;
      uint64_t copied = 0;
      const v1::Job job = FinishByTwo(request, signal, [&copied](const v1::Job& now) {
        copied = now.copied_blocks();
        return copied > 0;
      });
      EXPECT_LT(copied, kUnmarked) << "some were still to be copied";
      EXPECT_EQ(job.copied_blocks(), kUnmarked) << EventsOf(job);
      EXPECT_EQ(job.pixel_hash(), undisturbed.pixel_hash()) << EventsOf(job);
      const absl::StatusOr<Picture> got = ReadPicture(request.output);
      ASSERT_TRUE(got.ok()) << got.status();
      EXPECT_EQ(Difference(*got, whole), "equal");
    }
  }
}

}  // namespace
}  // namespace tilewright
