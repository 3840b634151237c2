// Tiles whose payloads go through shared memory: the same tiles come out, nothing waits for a free
// slot, and bytes that changed on the way are never taken for good ones.

#include <gmock/gmock.h>
#include <grpcpp/support/slice.h>
#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "proto/wire/checksum.h"
#include "proto/wire/segment.h"
#include "proto/wire/slots.h"
#include "proto/wire/tile_frames.h"
#include "tilewright/v1/worker_service.pb.h"

namespace tilewright {
namespace {

using testing::HasSubstr;
using Bytes = std::vector<std::byte>;

class SlicedFramesTest : public testing::TestWithParam<FrameEnvelope> {
 protected:
  void SetUp() override {
    worker_ = Segment::Create(uint64_t{1} << 30).value();
    coordinator_ = Segment::Open(worker_->offer()).value();
    const bool inputs = GetParam() == FrameEnvelope::kTileFrames;
    receiver_ = inputs ? worker_ : coordinator_;
    sender_ = inputs ? coordinator_ : worker_;
    writer_.UseSegment(sender_);
    reader_.UseSegment(receiver_);
  }

  OutgoingTile Tile(uint64_t index, size_t size) {
    Bytes payload(size);
    for (std::byte& b : payload) b = static_cast<std::byte>(rng_());
    OutgoingTile tile;
    tile.header.mutable_tile()->set_index(index);
    tile.header.set_payload_bytes(size);
    tile.header.set_checksum(Checksum(payload));
    tile.payload = std::make_shared<const Bytes>(std::move(payload));
    return tile;
  }

  // The same, its payload in slots of a segment.
  OutgoingTile Slotted(uint64_t index, size_t size, const std::shared_ptr<Segment>& segment) {
    OutgoingTile tile = Tile(index, size);
    const auto slots =
        SlottedPayload::Reserve(segment, HalfOf(GetParam()), size, absl::ZeroDuration());
    EXPECT_NE(slots, nullptr);
    std::ranges::copy(*tile.payload, slots->bytes().begin());
    tile.slotted = slots;
    tile.payload = nullptr;
    return tile;
  }

  // The first slice in a message of the writer.
  static v1::SegmentSlice SliceOf(const grpc::ByteBuffer& message) {
    std::vector<grpc::Slice> slices;
    EXPECT_TRUE(message.Dump(&slices).ok());
    std::string flat;
    for (const grpc::Slice& slice : slices) {
      flat.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
    }
    if (GetParam() == FrameEnvelope::kTileFrames) {
      v1::TileFrames frames;
      EXPECT_TRUE(frames.ParseFromString(flat));
      return frames.frames(0).slice();
    }
    v1::SubmitTilesRequest request;
    EXPECT_TRUE(request.ParseFromString(flat));
    return request.frames(0).slice();
  }

  std::mt19937 rng_{3};
  std::shared_ptr<Segment> worker_, coordinator_, sender_, receiver_;
  TileFrameWriter writer_{GetParam()};
  TileFrameReader reader_{GetParam(), {}};
  std::vector<IncomingTile> tiles_;
};

INSTANTIATE_TEST_SUITE_P(Directions, SlicedFramesTest,
                         testing::Values(FrameEnvelope::kTileFrames,
                                         FrameEnvelope::kSubmitTilesRequest),
                         [](const auto& instance) {
                           return instance.param == FrameEnvelope::kTileFrames ? "Inputs"
                                                                               : "Results";
                         });

TEST_P(SlicedFramesTest, TilesOfEverySizeComeOutAsTheyWentIn) {
  std::vector<OutgoingTile> sent;
  for (const size_t size :
       {size_t{0}, size_t{1}, size_t{65535}, size_t{65536}, size_t{65537}, size_t{262144},
        size_t{262145}, size_t{2 << 20}, size_t{(2 << 20) + 1}, size_t{5 << 20}, size_t{100}}) {
    sent.push_back(Tile(sent.size(), size));
    writer_.Push(sent.back());
  }
  size_t message_bytes = 0;
  while (!writer_.empty()) {
    const grpc::ByteBuffer message = writer_.Next();
    message_bytes += message.Length();
    ASSERT_TRUE(reader_.Read(message, &tiles_).ok());
  }
  ASSERT_EQ(tiles_.size(), sent.size());
  for (size_t i = 0; i < sent.size(); ++i) {
    EXPECT_TRUE(tiles_[i].intact) << i;
    EXPECT_EQ(tiles_[i].payload, *sent[i].payload) << i;
    EXPECT_EQ(tiles_[i].header.SerializeAsString(), sent[i].header.SerializeAsString()) << i;
  }
  EXPECT_LT(message_bytes, 70'000u) << "only what is too small for a slot is in the messages";
  EXPECT_EQ(sender_->slot_misses() + receiver_->slot_misses(), 0u);
}

TEST_P(SlicedFramesTest, WithoutAFreeSlotAPieceGoesInlineAndBothEndsCountIt) {
  constexpr int kTiles = kSlotsMax + 5;
  std::vector<OutgoingTile> sent;
  std::vector<grpc::ByteBuffer> messages;
  for (int i = 0; i < kTiles; ++i) {
    sent.push_back(Tile(static_cast<uint64_t>(i), 1 << 20));
    writer_.Push(sent.back());
    messages.push_back(writer_.Next());  // nobody reads meanwhile
  }
  for (const grpc::ByteBuffer& message : messages) {
    ASSERT_TRUE(reader_.Read(message, &tiles_).ok());
  }
  ASSERT_EQ(tiles_.size(), static_cast<size_t>(kTiles));
  for (size_t i = 0; i < tiles_.size(); ++i) {
    EXPECT_TRUE(tiles_[i].intact) << i;
    EXPECT_EQ(tiles_[i].payload, *sent[i].payload) << i;
  }
  EXPECT_EQ(sender_->slot_misses(), 5u);
  EXPECT_EQ(receiver_->slot_misses(), 5u);
  // The slots are free again.
  writer_.Push(Tile(99, 1 << 20));
  EXPECT_LT(writer_.Next().Length(), 200u);
}

TEST_P(SlicedFramesTest, TilesThatLieInSlotsAreAnnouncedTogether) {
  for (uint64_t i = 0; i < 5; ++i) writer_.Push(Slotted(i, (1 << 20) + i, sender_));
  writer_.Push(Slotted(5, (2 << 20) + 5, sender_));
  writer_.Push(Tile(6, 1 << 20));  // to be put into a slot
  int messages = 0;
  for (; !writer_.empty(); ++messages) {
    const grpc::ByteBuffer message = writer_.Next();
    EXPECT_LT(message.Length(), 1000u);
    ASSERT_TRUE(reader_.Read(message, &tiles_).ok());
  }
  EXPECT_EQ(messages, 3) << "up to the first piece of the sixth, its second piece, the last";
  ASSERT_EQ(tiles_.size(), 7u);
  for (size_t i = 0; i < 7; ++i) {
    EXPECT_EQ(tiles_[i].header.tile().index(), i);
    EXPECT_TRUE(tiles_[i].intact) << i;
  }
  for (uint64_t i = 0; i < kSlotsMax; ++i) writer_.Push(Slotted(i, 2 << 20, sender_));
  for (messages = 0; !writer_.empty(); ++messages) writer_.Next();
  EXPECT_EQ(messages, 4) << "at most 8 MiB each";
}

TEST_P(SlicedFramesTest, TilesInAnotherSegmentArriveAllTheSame) {
  const std::shared_ptr<Segment> old = Segment::Create(uint64_t{1} << 30).value();
  writer_.Push(Slotted(0, 3 << 20, old));
  while (!writer_.empty()) {
    const grpc::ByteBuffer message = writer_.Next();
    EXPECT_LT(message.Length(), 1000u) << "put into slots of this one";
    ASSERT_TRUE(reader_.Read(message, &tiles_).ok());
  }
  writer_.UseSegment(nullptr);
  writer_.Push(Slotted(1, 3 << 20, old));
  while (!writer_.empty()) {
    const grpc::ByteBuffer message = writer_.Next();
    EXPECT_GT(message.Length(), 1u << 20) << "inline";
    ASSERT_TRUE(reader_.Read(message, &tiles_).ok());
  }
  ASSERT_EQ(tiles_.size(), 2u);
  EXPECT_TRUE(tiles_[0].intact);
  EXPECT_TRUE(tiles_[1].intact);
}

TEST_P(SlicedFramesTest, ASlotThatIsOverwrittenBeforeItIsReadIsCaughtByTheChecksum) {
  const SegmentHalf half = HalfOf(GetParam());
  writer_.Push(Tile(1, 1 << 20));
  const grpc::ByteBuffer message = writer_.Next();
  auto bytes = receiver_->View(half, SliceOf(message));
  ASSERT_TRUE(bytes.ok());
  const_cast<std::byte&>((*bytes)[777]) ^= std::byte{1};
  ASSERT_TRUE(reader_.Read(message, &tiles_).ok());
  ASSERT_EQ(tiles_.size(), 1u);
  EXPECT_FALSE(tiles_[0].intact);
}

TEST_P(SlicedFramesTest, ASlotThatWasFreedTooEarlyEndsTheStreamAndGivesNoTile) {
  const SegmentHalf half = HalfOf(GetParam());
  writer_.Push(Tile(1, 1 << 20));
  const grpc::ByteBuffer message = writer_.Next();
  ASSERT_TRUE(receiver_->Release(half, SliceOf(message)).ok());
  writer_.Push(Tile(2, 1 << 20));
  const grpc::ByteBuffer other = writer_.Next();  // in the same slot
  EXPECT_EQ(SliceOf(other).offset(), SliceOf(message).offset());
  EXPECT_TRUE(absl::IsAborted(reader_.Read(message, &tiles_)));
  EXPECT_TRUE(tiles_.empty());
}

TEST_P(SlicedFramesTest, ASliceOutsideTheSegmentOrWithoutOneIsRefused) {
  v1::TileFrame frame;
  frame.mutable_header()->set_payload_bytes(1000);
  v1::SegmentSlice* slice = frame.mutable_slice();
  slice->set_offset(uint64_t{1} << 62);
  slice->set_bytes(1000);
  slice->set_ticket(1);
  const auto read = [&](std::shared_ptr<Segment> segment) {
    v1::TileFrames frames;
    *frames.add_frames() = frame;
    v1::SubmitTilesRequest request;
    *request.add_frames() = frame;
    const bool inputs = GetParam() == FrameEnvelope::kTileFrames;
    const grpc::Slice flat(inputs ? frames.SerializeAsString() : request.SerializeAsString());
    TileFrameReader reader(GetParam(), {});
    reader.UseSegment(std::move(segment));
    return reader.Read(grpc::ByteBuffer(&flat, 1), &tiles_);
  };
  EXPECT_TRUE(absl::IsInvalidArgument(read(receiver_)));
  EXPECT_TRUE(absl::IsFailedPrecondition(read(nullptr)));

  SlotWriter slots(sender_, HalfOf(GetParam()));
  *slice = *slots.Put(Bytes(1000));
  EXPECT_TRUE(read(receiver_).ok()) << "the control";
  *slice = *slots.Put(Bytes(1001));
  const absl::Status longer = read(receiver_);
  EXPECT_THAT(std::string(longer.message()), HasSubstr("more than the 1000 bytes announced"));
  *slice = *slots.Put(Bytes(500));
  frame.set_payload(std::string(500, 'x'));
  EXPECT_THAT(std::string(read(receiver_).message()), HasSubstr("two payloads"));
}

}  // namespace
}  // namespace tilewright
