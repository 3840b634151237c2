// A worker's memory depends on tile, batch and the level of bytes that it will hold, never on the
// picture.

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "tests/cluster/cluster.h"
#include "tests/cluster/picture.h"

namespace tilewright {
namespace {

constexpr int kSmallSide = 3'000;
constexpr int kBigSide = TILEWRIGHT_BIG_SIDE;
// Peak of a fresh worker that renders a grey picture of side × side alone, in kB. `credit_bytes`:
// the level of bytes that it will hold.
void MeasurePeak(int side, int tile, int credit_bytes, int64_t* peak) {
  ASSERT_EQ(setenv("TILEWRIGHT_CREDIT_BYTES", absl::StrCat(credit_bytes).c_str(), /*replace=*/1),
            0);
  absl::StatusOr<std::unique_ptr<Cluster>> started = Cluster::Start({});
  ASSERT_TRUE(started.ok()) << started.status();
  Cluster& cluster = **started;
  ASSERT_TRUE(cluster.AddWorker("w").ok());
  JobRequest request;
  request.input = cluster.Path("in.tif");
  request.output = cluster.Path("out.tif");
  request.model = "gaussian-blur";
  request.tile = tile;
  ASSERT_TRUE(WritePicture(NoisePicture(side, side, 1, 8, 1), request.input).ok());
  const absl::StatusOr<std::string> job = cluster.Submit(request);
  ASSERT_TRUE(job.ok()) << job.status();
  const absl::StatusOr<v1::Job> done = cluster.AwaitSuccess(*job, absl::Minutes(10));
  ASSERT_TRUE(done.ok()) << done.status();
  *peak = PeakMemory(cluster.worker("w").pid());
  ASSERT_GT(*peak, 0);
}

TEST(WorkerMemory, DoesNotGrowWithThePicture) {
  int64_t small = 0;
  int64_t big = 0;
  // Either picture can fill this level; at the default the small one is in the worker's hands
  // whole.
  constexpr int kCreditBytes = 4 << 20;
  MeasurePeak(kSmallSide, 512, kCreditBytes, &small);
  MeasurePeak(kBigSide, 512, kCreditBytes, &big);
  EXPECT_LE(big, small + small / 10)
      << kSmallSide << " pixels a side took " << small << " kB, " << kBigSide << " took " << big;
}

TEST(WorkerMemory, GrowsWithTheTileSoThatTheMeasureSeesWhatWorkersHold) {
  int64_t small = 0;
  int64_t big = 0;
  MeasurePeak(kSmallSide, 256, 4 << 20, &small);
  MeasurePeak(kSmallSide, 2'048, 16 << 20, &big);
  EXPECT_GT(big, small + small / 10) << "256 px: " << small << " kB, 2,048 px: " << big << " kB";
}

}  // namespace
}  // namespace tilewright
