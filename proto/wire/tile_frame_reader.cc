#include <google/protobuf/io/coded_stream.h>
#include <grpcpp/support/proto_buffer_reader.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "proto/base/status_macros.h"
#include "proto/wire/checksum.h"
#include "proto/wire/tile_frames.h"

namespace tilewright {
namespace {

using google::protobuf::io::CodedInputStream;

constexpr uint32_t kLengthDelimited = 2;
constexpr uint32_t kHeaderField = 1;
constexpr uint32_t kSliceField = 14;
constexpr uint32_t kPayloadField = 15;
constexpr uint32_t kWorkerField = 1;
constexpr uint32_t kIncarnationField = 2;
constexpr int kNameBytesMax = 1024;
constexpr int64_t kSliceBytesMax = 1024;  // its encoding; it has 33 and what later versions add
// An announcement alone makes us reserve no more than this; the rest grows as bytes arrive.
constexpr uint64_t kReserveBytesMax = 64 << 20;
// Bigger payloads are hashed piece by piece while they are in the cache.
constexpr uint64_t kHashAtOnceBytesMax = 256 << 10;
constexpr size_t kHashedAtOnce = 16 << 10;
// Longer copies are made with `rep movsb`, which AMD's first Zen does 8 times slower if source and
// target lie just so in their pages.
constexpr int64_t kCopiedAtOnce = 2 << 10;

absl::Status Malformed(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("malformed tile message: ", what));
}

}  // namespace

// Walks one message. Lengths are checked against what encloses them before they are used.
class TileFrameReader::Parser {
 public:
  Parser(TileFrameReader* reader, grpc::ByteBuffer* message)
      : reader_(*reader),
        end_(static_cast<int64_t>(message->Length())),
        source_(message),
        in_(&source_) {}

  absl::Status Run(std::vector<IncomingTile>* tiles) {
    const uint32_t frame_field = static_cast<uint32_t>(reader_.envelope_);
    const bool named = reader_.envelope_ == FrameEnvelope::kSubmitTilesRequest;
    while (in_.CurrentPosition() < end_) {
      uint32_t field = 0;
      int64_t bytes = 0;
      TW_RETURN_IF_ERROR(ReadFieldStart(end_, &field, &bytes));
      if (field == frame_field) {
        TW_RETURN_IF_ERROR(ReadFrame(in_.CurrentPosition() + bytes, tiles));
      } else if (named && (field == kWorkerField || field == kIncarnationField)) {
        if (bytes > kNameBytesMax) {
          return absl::ResourceExhaustedError(absl::StrCat("a worker's name or incarnation has ",
                                                           bytes, " bytes; the limit is ",
                                                           kNameBytesMax));
        }
        std::string& name = field == kWorkerField ? reader_.worker_ : reader_.incarnation_;
        if (!in_.ReadString(&name, static_cast<int>(bytes))) return Malformed("it ends in a name");
      } else if (bytes > 0 && !in_.Skip(static_cast<int>(bytes))) {
        return Malformed("it ends in an unknown field");
      }
    }
    return absl::OkStatus();
  }

 private:
  // Reads a tag and, of a length-delimited field, its length; skips fields of other wire types
  // (then bytes is 0 and field is 0). The field ends at or before `end`.
  absl::Status ReadFieldStart(int64_t end, uint32_t* field, int64_t* bytes) {
    const uint32_t tag = in_.ReadTag();
    if (tag == 0) return Malformed("a tag cannot be read");
    *field = 0;
    *bytes = 0;
    switch (tag & 7) {
      case 0: {
        uint64_t ignored = 0;
        if (!in_.ReadVarint64(&ignored)) return Malformed("it ends in a number");
        break;
      }
      case 1:
        if (!in_.Skip(8)) return Malformed("it ends in a number");
        break;
      case 5:
        if (!in_.Skip(4)) return Malformed("it ends in a number");
        break;
      case kLengthDelimited: {
        uint32_t length = 0;
        if (!in_.ReadVarint32(&length)) return Malformed("a length cannot be read");
        if (length > end - in_.CurrentPosition()) {
          return Malformed("a field is longer than what encloses it");
        }
        *field = tag >> 3;
        *bytes = length;
        break;
      }
      default:
        return Malformed("unknown wire type");
    }
    if (in_.CurrentPosition() > end) return Malformed("a field is longer than what encloses it");
    return absl::OkStatus();
  }

  absl::Status ReadFrame(int64_t end, std::vector<IncomingTile>* tiles) {
    bool has_header = false;
    bool has_payload = false;
    while (in_.CurrentPosition() < end) {
      uint32_t field = 0;
      int64_t bytes = 0;
      TW_RETURN_IF_ERROR(ReadFieldStart(end, &field, &bytes));
      if (field == kHeaderField) {
        if (has_header || has_payload) return Malformed("a frame's header must come first, once");
        has_header = true;
        TW_RETURN_IF_ERROR(ReadHeader(bytes));
      } else if (field == kSliceField || field == kPayloadField) {
        if (has_payload) return Malformed("a frame has two payloads");
        has_payload = true;
        TW_RETURN_IF_ERROR(field == kSliceField ? ReadSlice(bytes) : ReadPayload(bytes));
      } else if (bytes > 0 && !in_.Skip(static_cast<int>(bytes))) {
        return Malformed("it ends in an unknown field");
      }
    }
    if (!has_header && !has_payload) return Malformed("an empty frame");
    if (!reader_.in_tile_) return Malformed("a payload without a header before it");
    const IncomingTile& tile = reader_.current_;
    if (tile.payload.size() == tile.header.payload_bytes()) reader_.Finish(tiles);
    return absl::OkStatus();
  }

  absl::Status ReadHeader(int64_t bytes) {
    if (++tiles_begun_ > reader_.limits_.message_tiles_max) {
      return absl::ResourceExhaustedError(
          absl::StrCat("more than ", reader_.limits_.message_tiles_max, " tiles in one message"));
    }
    v1::TileHeader header;
    if (!in_.ReadString(&scratch_, static_cast<int>(bytes)) || !header.ParseFromString(scratch_)) {
      return Malformed("a header cannot be parsed");
    }
    return reader_.Begin(std::move(header));
  }

  absl::Status ReadSlice(int64_t bytes) {
    v1::SegmentSlice slice;
    if (bytes > kSliceBytesMax || !in_.ReadString(&scratch_, static_cast<int>(bytes)) ||
        !slice.ParseFromString(scratch_)) {
      return Malformed("a slice cannot be parsed");
    }
    return reader_.AppendSlice(slice);
  }

  absl::Status ReadPayload(int64_t bytes) {
    if (reader_.segment_ != nullptr && bytes >= kSlicedBytesMin) reader_.segment_->CountMiss();
    while (bytes > 0) {
      const void* data = nullptr;
      int available = 0;
      if (!in_.GetDirectBufferPointer(&data, &available)) return Malformed("it ends in a payload");
      const int piece = static_cast<int>(std::min<int64_t>(bytes, available));
      TW_RETURN_IF_ERROR(reader_.Append(static_cast<const std::byte*>(data), piece));
      if (!in_.Skip(piece)) return Malformed("it ends in a payload");
      bytes -= piece;
    }
    return absl::OkStatus();
  }

  TileFrameReader& reader_;
  const int64_t end_;
  grpc::ProtoBufferReader source_;
  CodedInputStream in_;
  int tiles_begun_ = 0;
  std::string scratch_;
};

TileFrameReader::TileFrameReader(FrameEnvelope envelope, const TileFrameLimits& limits)
    : envelope_(envelope), limits_(limits) {}

TileFrameReader::~TileFrameReader() = default;

absl::Status TileFrameReader::Read(const grpc::ByteBuffer& message,
                                   std::vector<IncomingTile>* tiles) {
  if (message.Length() == 0) return absl::OkStatus();
  grpc::ByteBuffer shared(message);  // shares the slices; gRPC's reader wants it mutable
  return Parser(this, &shared).Run(tiles);
}

absl::Status TileFrameReader::Begin(v1::TileHeader header) {
  if (in_tile_) return Malformed("a tile begins inside another");
  if (header.payload_bytes() > static_cast<uint64_t>(limits_.payload_bytes_max)) {
    return absl::ResourceExhaustedError(
        absl::StrCat("tile ", header.tile().index(), " of ", header.tile().job(), " announces ",
                     header.payload_bytes(), " bytes; the limit is ", limits_.payload_bytes_max));
  }
  in_tile_ = true;
  current_.payload.reserve(
      static_cast<size_t>(std::min<uint64_t>(header.payload_bytes(), kReserveBytesMax)));
  if (header.payload_bytes() > kHashAtOnceBytesMax) {
    if (!hash_) hash_ = std::make_unique<RunningChecksum>();
    hash_->Reset();
  }
  current_.header = std::move(header);
  return absl::OkStatus();
}

absl::Status TileFrameReader::Append(const std::byte* data, int64_t bytes) {
  if (!in_tile_) return Malformed("a payload without a header before it");
  const uint64_t announced = current_.header.payload_bytes();
  if (static_cast<uint64_t>(bytes) > announced - current_.payload.size()) {
    return Malformed(absl::StrCat("tile ", current_.header.tile().index(), " has more than the ",
                                  announced, " bytes announced"));
  }
  const size_t before = current_.payload.size();
  for (int64_t at = 0; at < bytes; at += kCopiedAtOnce) {
    const std::byte* const end = data + std::min(bytes, at + kCopiedAtOnce);
    current_.payload.insert(current_.payload.end(), data + at, end);  // no zero-fill before
  }
  // What was copied is hashed, not what it was copied from: a peer can still change that.
  if (announced > kHashAtOnceBytesMax) {
    hash_->Add(absl::MakeConstSpan(current_.payload).subspan(before));
  }
  return absl::OkStatus();
}

absl::Status TileFrameReader::AppendSlice(const v1::SegmentSlice& slice) {
  if (segment_ == nullptr) {
    return absl::FailedPreconditionError(
        "a tile came through shared memory, which was not agreed on at hello");
  }
  const SegmentHalf half = HalfOf(envelope_);
  TW_ASSIGN_OR_RETURN(absl::Span<const std::byte> bytes, segment_->View(half, slice));
  while (!bytes.empty()) {
    const absl::Span<const std::byte> block = bytes.subspan(0, kHashedAtOnce);
    TW_RETURN_IF_ERROR(Append(block.data(), static_cast<int64_t>(block.size())));
    bytes.remove_prefix(block.size());
  }
  return segment_->Release(half, slice);
}

void TileFrameReader::Finish(std::vector<IncomingTile>* tiles) {
  const uint64_t checksum = current_.header.payload_bytes() > kHashAtOnceBytesMax
                                ? hash_->value()
                                : Checksum(current_.payload);
  current_.intact = checksum == current_.header.checksum();
  tiles->push_back(std::move(current_));
  current_ = IncomingTile();
  in_tile_ = false;
}

}  // namespace tilewright
