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
static_assert(kFrameBytesMax <= kSlotBytes);
// Copying these is cheaper than a slice of their own.
constexpr int64_t kInlineBytesMax = 4096;
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

  void Refer(std::shared_ptr<const std::vector<std::byte>> payload, int64_t offset, int64_t bytes) {
    Flush();
    using Owner = std::shared_ptr<const std::vector<std::byte>>;
    auto* data = const_cast<std::byte*>(payload->data() + offset);  // gRPC only reads it
    slices_.emplace_back(
        data, static_cast<size_t>(bytes), [](void* owner) { delete static_cast<Owner*>(owner); },
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

}  // namespace

void TileFrameWriter::UseSegment(std::shared_ptr<Segment> segment) {
  slots_ = segment ? std::make_unique<SlotWriter>(std::move(segment), HalfOf(envelope_)) : nullptr;
}

void TileFrameWriter::Push(OutgoingTile tile) {
  const int64_t bytes = tile.payload ? static_cast<int64_t>(tile.payload->size()) : 0;
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
    const int64_t left = (tile.payload ? static_cast<int64_t>(tile.payload->size()) : 0) - offset_;
    if (frames > 0 &&
        (message_payload + left > kBundleBytesMax || message.head_bytes() > kHeadBytesMax)) {
      break;
    }
    const int64_t piece = std::min(left, kFrameBytesMax);
    const int64_t header_bytes =
        header_sent_ ? 0 : static_cast<int64_t>(tile.header.ByteSizeLong());
    std::optional<v1::SegmentSlice> slice;
    if (slots_ && piece >= kSlicedBytesMin) {
      slice = slots_->Put(
          absl::MakeConstSpan(tile.payload->data() + offset_, static_cast<size_t>(piece)));
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
        head.append(reinterpret_cast<const char*>(tile.payload->data() + offset_),
                    static_cast<size_t>(piece));
      } else {
        message.Refer(tile.payload, offset_, piece);
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
