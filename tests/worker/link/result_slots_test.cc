// Where results are computed to, and for which of them slots are waited for.

#include "worker/link/result_slots.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "absl/time/time.h"
#include "proto/wire/slots.h"

namespace tilewright {
namespace {

constexpr size_t kBytes = kSlicedBytesMin;

class ResultSlotsTest : public testing::Test {
 protected:
  std::shared_ptr<SlottedPayload> Reserve(int64_t bytes) {
    return SlottedPayload::Reserve(segment_, SegmentHalf::kResults, static_cast<size_t>(bytes),
                                   absl::ZeroDuration());
  }
  bool TakesSlots(size_t bytes = kBytes) {
    const TileSamples samples = slots_.Take(bytes);
    EXPECT_EQ(samples.size(), bytes);
    return samples.slots() != nullptr;
  }

  std::shared_ptr<Segment> segment_ = Segment::Create(uint64_t{1} << 30).value();
  std::shared_ptr<SlottedPayload> finished_;  // given up when it is delivered
  int deliveries_ = 0;
  ResultSlots slots_{[this] { return segment_; },
                     [this] {
                       ++deliveries_;
                       finished_ = nullptr;
                     }};
};

TEST_F(ResultSlotsTest, BigResultsGoToSlotsWhereMemoryIsShared) {
  EXPECT_TRUE(TakesSlots());
  EXPECT_TRUE(TakesSlots(5 * kSlotBytes));
  EXPECT_FALSE(TakesSlots(kBytes - 1)) << "too small";
  EXPECT_FALSE(TakesSlots(0));
  EXPECT_EQ(deliveries_, 0);
  segment_ = nullptr;
  EXPECT_FALSE(TakesSlots()) << "nothing is shared";
}

TEST_F(ResultSlotsTest, WithoutAFreeSlotFinishedResultsAreDeliveredAndWaitedFor) {
  finished_ = Reserve(kSlotsMax * kSlotBytes);
  ASSERT_NE(finished_, nullptr);
  EXPECT_TRUE(TakesSlots());
  EXPECT_EQ(deliveries_, 1);
}

TEST_F(ResultSlotsTest, AWaitInVainIsNotRepeatedBeforeThereIsASlot) {
  auto elsewhere = Reserve(kSlotsMax * kSlotBytes);
  for (int batch = 0; batch < 3; ++batch) {
    slots_.BeginBatch();
    EXPECT_FALSE(TakesSlots());
    EXPECT_EQ(deliveries_, 1);
  }
  elsewhere = nullptr;
  EXPECT_TRUE(TakesSlots());
  elsewhere = Reserve(kSlotsMax * kSlotBytes);
  slots_.BeginBatch();
  EXPECT_FALSE(TakesSlots());
  EXPECT_EQ(deliveries_, 2);
}

TEST_F(ResultSlotsTest, ABatchDoesNotWaitForSlotsThatItHoldsItself) {
  slots_.BeginBatch();
  TileSamples first = slots_.Take(static_cast<size_t>(kSlotsMax * kSlotBytes));
  ASSERT_NE(first.slots(), nullptr);
  EXPECT_FALSE(TakesSlots());
  EXPECT_EQ(deliveries_, 0);
  finished_ = Reserve(1);
  EXPECT_EQ(finished_, nullptr);
  slots_.BeginBatch();
  EXPECT_FALSE(TakesSlots());
  EXPECT_EQ(deliveries_, 1) << "the next batch does";
  first = {};
  EXPECT_TRUE(TakesSlots());
}

}  // namespace
}  // namespace tilewright
