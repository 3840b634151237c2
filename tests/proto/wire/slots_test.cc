// Payloads that stay in slots: they are announced where they lie, on one stream after the other,
// and a slot is nobody else's before it was given up by its sender and read by its receiver.

#include "proto/wire/slots.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "proto/wire/segment.h"

namespace tilewright {
namespace {

constexpr SegmentHalf kHalf = SegmentHalf::kResults;
constexpr size_t kSlot = kSlotBytes;

std::vector<std::byte> Pattern(size_t size, size_t seed) {
  std::vector<std::byte> bytes(size);
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>((i + seed) * 2654435761 >> 9);
  return bytes;
}

class SlotsTest : public testing::Test {
 protected:
  std::shared_ptr<const SlottedPayload> Copy(const std::vector<std::byte>& bytes,
                                             absl::Duration patience = absl::ZeroDuration()) {
    const auto payload = SlottedPayload::Reserve(sender_, kHalf, bytes.size(), patience);
    if (payload) std::ranges::copy(bytes, payload->bytes().begin());
    return payload;
  }
  bool Arrives(const v1::SegmentSlice& slice, absl::Span<const std::byte> bytes) const {
    const auto view = receiver_->View(kHalf, slice);
    return view.ok() && std::ranges::equal(*view, bytes);
  }
  bool Release(const v1::SegmentSlice& slice) const {
    return receiver_->Release(kHalf, slice).ok();
  }

  std::shared_ptr<Segment> sender_ = Segment::Create(uint64_t{1} << 30).value();
  std::shared_ptr<Segment> receiver_ = Segment::Open(sender_->offer()).value();
};

TEST_F(SlotsTest, APayloadIsAnnouncedOnOneStreamAfterTheOtherWithoutACopy) {
  const std::vector<std::byte> bytes = Pattern(kSlot + 12'345, 1);
  const auto payload = Copy(bytes);
  ASSERT_NE(payload, nullptr);
  EXPECT_EQ(payload->size(), bytes.size());
  const absl::Span<const std::byte> rest = absl::MakeConstSpan(bytes).subspan(kSlot);
  auto first = std::make_unique<SlotWriter>(sender_, kHalf);
  const v1::SegmentSlice lost = first->Announce(*payload, kSlot);
  EXPECT_TRUE(Arrives(lost, rest));
  first.reset();  // its stream broke
  EXPECT_FALSE(Arrives(lost, rest));
  EXPECT_FALSE(Release(lost));
  SlotWriter second(sender_, kHalf);
  const v1::SegmentSlice begin = second.Announce(*payload, 0);
  const v1::SegmentSlice end = second.Announce(*payload, kSlot);
  EXPECT_EQ(end.offset(), lost.offset());
  EXPECT_TRUE(Arrives(begin, absl::MakeConstSpan(bytes).subspan(0, kSlot)));
  EXPECT_TRUE(Arrives(end, rest));
  EXPECT_TRUE(Release(begin));
  EXPECT_TRUE(Release(end));
  SlotWriter third(sender_, kHalf);
  EXPECT_TRUE(Arrives(third.Announce(*payload, kSlot), rest)) << "it stayed after it was read";
}

TEST_F(SlotsTest, ASlotIsFreeOnceItsPayloadIsGoneAndWhatWasAnnouncedIsRead) {
  std::vector<std::shared_ptr<const SlottedPayload>> payloads;
  for (size_t i = 0; i < kSlotsMax; ++i) payloads.push_back(Copy(Pattern(1000, i)));
  ASSERT_NE(payloads.back(), nullptr);
  const std::vector<std::byte> more = Pattern(1000, 99);
  EXPECT_EQ(Copy(more), nullptr);
  SlotWriter writer(sender_, kHalf);
  EXPECT_FALSE(writer.Put(more).has_value());

  const v1::SegmentSlice read_first = writer.Announce(*payloads[3], 0);
  EXPECT_TRUE(Release(read_first));
  EXPECT_EQ(Copy(more), nullptr) << "read, but its sender may need it again";
  payloads[3].reset();
  EXPECT_NE(Copy(more), nullptr);

  const v1::SegmentSlice gone_first = writer.Announce(*payloads[5], 0);
  payloads[5].reset();
  payloads[3] = Copy(more);
  EXPECT_EQ(Copy(more), nullptr) << "its sender gave it up, but it is not read";
  EXPECT_TRUE(Arrives(gone_first, Pattern(1000, 5)));
  EXPECT_TRUE(Release(gone_first));
  const auto reused = Copy(more);
  ASSERT_NE(reused, nullptr);
  EXPECT_EQ(writer.Announce(*reused, 0).offset(), gone_first.offset());
}

TEST_F(SlotsTest, AWaitEndsWhenASlotIsGivenUp) {
  std::vector<std::shared_ptr<const SlottedPayload>> payloads;
  for (size_t i = 0; i < kSlotsMax; ++i) payloads.push_back(Copy(Pattern(1000, i)));
  std::shared_ptr<const SlottedPayload> waited;
  std::thread waiter([&] { waited = Copy(Pattern(1000, 50), absl::Minutes(5)); });
  payloads[7].reset();
  waiter.join();
  EXPECT_NE(waited, nullptr);
  EXPECT_EQ(Copy(Pattern(1000, 51), absl::Milliseconds(1)), nullptr) << "and without one, in vain";
}

TEST_F(SlotsTest, APayloadThatDoesNotFitTakesNothing) {
  const auto first = Copy(Pattern(10, 1));
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(Copy(Pattern(kSlot * kSlotsMax, 2)), nullptr) << "one slot is taken";
  EXPECT_EQ(Copy(Pattern(kSlot * kSlotsMax + 1, 3)), nullptr) << "there are not so many";
  EXPECT_NE(Copy(Pattern(kSlot * (kSlotsMax - 1), 4)), nullptr);
}

TEST_F(SlotsTest, APayloadTakesTheFirstSlotsInARow) {
  std::vector<std::shared_ptr<const SlottedPayload>> payloads;
  for (size_t i = 0; i < kSlotsMax; ++i) payloads.push_back(Copy(Pattern(1000, i)));
  for (const size_t free : {2, 4, 5, 8, 9, 10}) payloads[free].reset();
  const std::vector<std::byte> three = Pattern(2 * kSlot + 1, 7);
  const auto last = Copy(three);
  ASSERT_NE(last, nullptr);
  const auto middle = Copy(Pattern(kSlot + 1, 8));
  ASSERT_NE(middle, nullptr);
  EXPECT_EQ(Copy(Pattern(kSlot + 1, 9)), nullptr) << "one is free";
  EXPECT_LT(middle->bytes().data(), last->bytes().data());
  EXPECT_NE(Copy(Pattern(kSlot, 9)), nullptr);
  SlotWriter writer(sender_, kHalf);
  for (const size_t offset : {size_t{0}, kSlot, 2 * kSlot}) {
    EXPECT_TRUE(
        Arrives(writer.Announce(*last, offset), absl::MakeConstSpan(three).subspan(offset, kSlot)));
  }
}

}  // namespace
}  // namespace tilewright
