// A coordinator's memory depends on tile and budget, never on the picture, also if a worker is far
// slower than the others.

#include <cstdint>
#include <fstream>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "tests/cluster/cluster.h"
#include "tests/cluster/giant_tiff.h"

namespace tilewright {
namespace {

constexpr int64_t kSide = TILEWRIGHT_GIANT_SIDE;
constexpr bool kLong = kSide > 32'768;
// In kB. A process without jobs takes 50 MB of it, its reader's cache 32 MB, shared memory 30 MB;
// only a long job fills the rest of the budget's 256 MiB.
constexpr int64_t kPeakMax = kLong ? 512 << 10 : 250 << 10;
// By how much the whole picture may exceed one of a quarter of its pixels, in hundredths. Short
// jobs end before queues and caches were as full as they get, and a quarter of the smaller side is
// narrower than a stripe.
constexpr int64_t kGrowthMax = kLong ? 10 : 35;

// Peak of a fresh coordinator that renders a picture of that size, in kB; one of two workers takes
// 60 times as long for a tile as the other.
int64_t PeakOf(int64_t width, int64_t height) {
  absl::StatusOr<std::unique_ptr<Cluster>> started = Cluster::Start({});
  EXPECT_TRUE(started.ok()) << started.status();
  if (!started.ok()) return 0;
  Cluster& cluster = **started;
  EXPECT_TRUE(cluster.AddWorker("fast").ok());
  EXPECT_TRUE(cluster.AddWorker("slow", "slow:300").ok());
  JobRequest request;
  request.input = cluster.Path("in.tif");
  request.output = cluster.Path("out.tif");
  request.model = "identity";
  request.tile = 512;
  request.overlap = 32;
  EXPECT_TRUE(
      WriteGiantTiff(request.input, static_cast<uint32_t>(width), static_cast<uint32_t>(height))
          .ok());
  const absl::StatusOr<std::string> job = cluster.Submit(request);
  EXPECT_TRUE(job.ok()) << job.status();
  if (!job.ok()) return 0;
  const absl::StatusOr<v1::Job> done = cluster.AwaitSuccess(*job, absl::Minutes(60));
  EXPECT_TRUE(done.ok()) << done.status();
  const int64_t peak = PeakMemory(cluster.coordinator().pid());
  EXPECT_GT(peak, 0);
  return peak;
}

TEST(Giant, PictureIsRenderedInTheMemoryOfASmallOne) {
  const int64_t whole = PeakOf(kSide, kSide);
  const int64_t flat = PeakOf(kSide, kSide / 4);
  const int64_t tall = PeakOf(kSide / 4, kSide);
  const std::string figures =
      absl::StrCat("whole ", whole, " kB, flat ", flat, " kB, tall ", tall, " kB");
  std::printf("%s\n", figures.c_str());
  EXPECT_LT(whole, kPeakMax) << figures;
  EXPECT_LT(whole, flat + flat * kGrowthMax / 100) << figures;
  EXPECT_LT(whole, tall + tall * kGrowthMax / 100) << figures;
}

}  // namespace
}  // namespace tilewright
