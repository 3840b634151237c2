// Inputs reach a worker in the order of its leases, only while its stream has room, and not after
// they were taken back.

#include "coordinator/service/input_pump.h"

#include <memory>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/coordinator/service/fakes.h"

namespace tilewright {
namespace {

using testing::ElementsAre;

constexpr size_t kBig = 2 << 20;  // a bundle of its own

std::unique_ptr<InputPump> MakePump(int64_t pending_bytes_max) {
  InputPumpOptions options;
  options.threads = 1;
  options.pending_bytes_max = pending_bytes_max;
  return std::make_unique<InputPump>(options,
                                     [](const std::string& job, const absl::Status& status) {
                                       ADD_FAILURE() << job << ": " << status;
                                     });
}

TEST(InputPump, KeepsTheOrderOfTheLeases) {
  const auto pump = MakePump(1 << 30);
  const auto job = std::make_shared<FakeJob>("jobs/a", 100);
  const auto feed = pump->NewFeed();
  const auto sink = std::make_shared<FakeInputs>();
  pump->Add(feed, job, LeaseKey{1, 1}, {5, 3, 9});
  pump->Attach(feed, sink);
  pump->Add(feed, job, LeaseKey{1, 2}, {1});
  ASSERT_TRUE(sink->AwaitSent(4));
  EXPECT_THAT(sink->sent(), ElementsAre(5, 3, 9, 1));
}

TEST(InputPump, PausesWhileTheStreamIsFull) {
  const auto pump = MakePump(1);
  const auto job = std::make_shared<FakeJob>("jobs/a", 100, kBig);
  const auto feed = pump->NewFeed();
  const auto sink = std::make_shared<FakeInputs>();
  pump->Attach(feed, sink);
  pump->Add(feed, job, LeaseKey{1, 1}, {0, 1, 2});
  ASSERT_TRUE(sink->AwaitSent(1));
  pump->Sent(feed);
  // The pump's only thread has passed it by once another worker was served.
  const auto other = pump->NewFeed();
  const auto other_sink = std::make_shared<FakeInputs>();
  pump->Attach(other, other_sink);
  pump->Add(other, job, LeaseKey{1, 2}, {7});
  ASSERT_TRUE(other_sink->AwaitSent(1));
  EXPECT_THAT(sink->sent(), ElementsAre(0));
}

TEST(InputPump, GoesOnWhenBytesHaveLeft) {
  const auto pump = MakePump(1);
  const auto job = std::make_shared<FakeJob>("jobs/a", 100, kBig);
  const auto feed = pump->NewFeed();
  const auto sink = std::make_shared<FakeInputs>();
  pump->Attach(feed, sink);
  pump->Add(feed, job, LeaseKey{1, 1}, {0, 1, 2});
  for (size_t tiles = 1; tiles <= 3; ++tiles) {
    ASSERT_TRUE(sink->AwaitSent(tiles));
    sink->Drain();
    pump->Sent(feed);
  }
  EXPECT_THAT(sink->sent(), ElementsAre(0, 1, 2));
}

TEST(InputPump, KeepsWithinOneBoundOverAllStreams) {
  InputPumpOptions options;
  options.threads = 1;
  options.all_pending_bytes_max = 1;
  InputPump pump(options, [](const std::string& job, const absl::Status& status) {
    ADD_FAILURE() << job << ": " << status;
  });
  const auto job = std::make_shared<FakeJob>("jobs/a", 100, kBig);
  const auto one = pump.NewFeed(), two = pump.NewFeed();
  const auto sink_one = std::make_shared<FakeInputs>(), sink_two = std::make_shared<FakeInputs>();
  pump.Attach(one, sink_one);
  pump.Attach(two, sink_two);
  pump.Add(one, job, LeaseKey{1, 1}, {0, 1, 2});
  ASSERT_TRUE(sink_one->AwaitSent(1));
  // What one stream holds fills the bound; another that holds nothing gets a bundle all the same.
  pump.Add(two, job, LeaseKey{1, 2}, {3, 4});
  ASSERT_TRUE(sink_two->AwaitSent(1));
  EXPECT_THAT(sink_one->sent(), ElementsAre(0));
  EXPECT_THAT(sink_two->sent(), ElementsAre(3));
  // Both wait; the one whose bytes have left goes on, the other one once all have.
  sink_two->Drain();
  pump.Sent(two);
  ASSERT_TRUE(sink_two->AwaitSent(2));
  EXPECT_THAT(sink_one->sent(), ElementsAre(0));
  sink_one->Drain();
  pump.Sent(one);
  ASSERT_TRUE(sink_one->AwaitSent(2));
}

TEST(InputPump, SendsNothingThatWasTakenBack) {
  const auto pump = MakePump(1 << 30);
  const auto job = std::make_shared<FakeJob>("jobs/a", 100);
  const auto feed = pump->NewFeed();
  pump->Add(feed, job, LeaseKey{1, 1}, {0, 1, 2});
  pump->Add(feed, job, LeaseKey{1, 2}, {3, 4});
  pump->Add(feed, job, LeaseKey{1, 3}, {5});
  pump->Remove(feed, LeaseKey{1, 1}, {1});
  pump->Remove(feed, LeaseKey{1, 2}, {});
  const auto sink = std::make_shared<FakeInputs>();
  pump->Attach(feed, sink);
  ASSERT_TRUE(sink->AwaitSent(3));
  EXPECT_THAT(sink->sent(), ElementsAre(0, 2, 5));
}

}  // namespace
}  // namespace tilewright
