#include <google/protobuf/io/coded_stream.h>
#include <grpcpp/support/slice.h>

#include <algorithm>
#include <cassert>
#include <optional>

#include "absl/types/span.h"
#include "proto/wire/tile_frames.h"

namespace tilewright {
namespace {

using google::protobuf::io::CodedOutputStream;

constexpr uint32_t kHeaderTag = (1 << 3) | 2;
constexpr uint32_t kSliceTag = (14 << 3) | 2;
constexpr uint32_t kPayloadTag = (15 << 3) | 2;
static_assert(kFrameBytesMax == kSlotBytes);  // a piece of a slotted payload is one slot
// Copying these is cheaper than a slice of their own.
constexpr int64_t kInlineBytesMax = 4096;
// Tiles that lie in slots share a message up to this many payload bytes: a part of all slots, so
// that some are filled while others are read.
constexpr int64_t kAnnouncedBytesMax = 8 << 20;
static_assert(kAnnouncedBytesMax < kSlotsMax * kSlotBytes / 2);
// Headers in one message, about; keeps it far below the receive limit.
constexpr size_t kHeadBytesMax = 512 << 10;

void AppendVarint(std::string* out, uint32_t value) {
  uint8_t bytes[5];
  const uint8_t* end = CodedOutputStream::WriteVarint32ToArray(value, bytes);
  out->append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(end - bytes));
}

// Bytes of a length-delimited field with a one-byte tag.
int64_t FieldBytes(int64_t bytes) {
  return 1 + static_cast<int64_t>(CodedOutputStream::VarintSize32(static_cast<uint32_t>(bytes))) +
         bytes;
}

// Bytes before, and between, payloads that are referenced.
class MessageBuilder {
 public:
  std::string& head() { return head_; }
  size_t head_bytes() const { return head_total_ + head_.size(); }

  void Refer(std::shared_ptr<const void> payload, absl::Span<const std::byte> bytes) {
    Flush();
    using Owner = std::shared_ptr<const void>;
    auto* data = const_cast<std::byte*>(bytes.data());  // gRPC only reads it
    slices_.emplace_back(
        data, bytes.size(), [](void* owner) { delete static_cast<Owner*>(owner); },
        new Owner(std::move(payload)));
  }

  grpc::ByteBuffer Build() {
    Flush();
    return grpc::ByteBuffer(slices_.data(), slices_.size());
  }

 private:
  void Flush() {
    if (head_.empty()) return;
    slices_.emplace_back(head_);  // copies
    head_total_ += head_.size();
    head_.clear();
  }

  std::string head_;
  size_t head_total_ = 0;
  std::vector<grpc::Slice> slices_;
};

size_t PayloadBytes(const OutgoingTile& tile) {
  if (tile.slotted) return tile.slotted->size();
  return tile.payload ? tile.payload->size() : 0;
}

// At most kFrameBytesMax bytes from `offset`, a multiple of that.
absl::Span<const std::byte> PieceAt(const OutgoingTile& tile, size_t offset) {
  if (tile.slotted) return tile.slotted->Piece(offset);
  if (!tile.payload) return {};
  return absl::MakeConstSpan(*tile.payload).subspan(offset, kFrameBytesMax);
}

}  // namespace

void TileFrameWriter::UseSegment(std::shared_ptr<Segment> segment) {
  slots_ = segment ? std::make_unique<SlotWriter>(std::move(segment), HalfOf(envelope_)) : nullptr;
}

void TileFrameWriter::Push(OutgoingTile tile) {
  const auto bytes = static_cast<int64_t>(PayloadBytes(tile));
  assert(tile.header.payload_bytes() == static_cast<uint64_t>(bytes));
  pending_bytes_ += bytes;
  tiles_.push_back(std::move(tile));
}

grpc::ByteBuffer TileFrameWriter::Next() {
  assert(!tiles_.empty());
  MessageBuilder message;
  int64_t message_payload = 0;
  for (int frames = 0; frames < kBundleTilesMax && !tiles_.empty(); ++frames) {
    OutgoingTile& tile = tiles_.front();
    const int64_t left = static_cast<int64_t>(PayloadBytes(tile)) - offset_;
    const bool announced = slots_ && tile.slotted && slots_->Reaches(*tile.slotted);
    const int64_t bundle_max = announced ? kAnnouncedBytesMax : kBundleBytesMax;
    if (frames > 0 &&
        (message_payload + left > bundle_max || message.head_bytes() > kHeadBytesMax)) {
      break;
    }
    const absl::Span<const std::byte> bytes = PieceAt(tile, static_cast<size_t>(offset_));
    const auto piece = static_cast<int64_t>(bytes.size());
    const int64_t header_bytes =
        header_sent_ ? 0 : static_cast<int64_t>(tile.header.ByteSizeLong());
    std::optional<v1::SegmentSlice> slice;
    if (announced) {
      slice = slots_->Announce(*tile.slotted, static_cast<size_t>(offset_));
    } else if (slots_ && piece >= kSlicedBytesMin) {
      slice = slots_->Put(bytes);
    }
    const int64_t slice_bytes = slice ? static_cast<int64_t>(slice->ByteSizeLong()) : 0;
    const int64_t piece_bytes = slice ? FieldBytes(slice_bytes) : piece > 0 ? FieldBytes(piece) : 0;
    const int64_t frame_bytes = (header_sent_ ? 0 : FieldBytes(header_bytes)) + piece_bytes;

    std::string& head = message.head();
    AppendVarint(&head, (static_cast<uint32_t>(envelope_) << 3) | 2);
    AppendVarint(&head, static_cast<uint32_t>(frame_bytes));
    if (!header_sent_) {
      AppendVarint(&head, kHeaderTag);
      AppendVarint(&head, static_cast<uint32_t>(header_bytes));
      tile.header.AppendToString(&head);
    }
    if (slice) {
      AppendVarint(&head, kSliceTag);
      AppendVarint(&head, static_cast<uint32_t>(slice_bytes));
      slice->AppendToString(&head);
    } else if (piece > 0) {
      AppendVarint(&head, kPayloadTag);
      AppendVarint(&head, static_cast<uint32_t>(piece));
      if (piece <= kInlineBytesMax) {
        head.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      } else if (tile.slotted) {
        message.Refer(tile.slotted, bytes);
      } else {
        message.Refer(tile.payload, bytes);
      }
    }

    message_payload += piece;
    pending_bytes_ -= piece;
    if (piece < left) {
      offset_ += piece;
      header_sent_ = true;
      break;
    }
    tiles_.pop_front();
    offset_ = 0;
    header_sent_ = false;
  }
  return message.Build();
}

}  // namespace tilewright
