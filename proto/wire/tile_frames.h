// Tiles on data streams: the encoding of TileFrames (and the frames of SubmitTilesRequest) by hand,
// so that a payload is sent from where it lies and gathered once where it arrives. The bytes are
// those of the generated messages: either end may use generated code. Writers and readers belong to
// one thread at a time.

#ifndef TILEWRIGHT_PROTO_WIRE_TILE_FRAMES_H_
#define TILEWRIGHT_PROTO_WIRE_TILE_FRAMES_H_

#include <grpcpp/support/byte_buffer.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "proto/wire/checksum.h"
#include "proto/wire/segment.h"
#include "proto/wire/slots.h"
#include "tilewright/v1/tile.pb.h"

namespace tilewright {

// Payload bytes in one message at most; a message is this plus headers.
inline constexpr int64_t kFrameBytesMax = 2 << 20;
// Small tiles share a message up to this many payload bytes and tiles.
inline constexpr int64_t kBundleBytesMax = 1 << 20;
inline constexpr int kBundleTilesMax = 256;

// Which message carries the frames.
enum class FrameEnvelope {
  kTileFrames = 1,          // field 1 of TileFrames: inputs
  kSubmitTilesRequest = 3,  // field 3 of SubmitTilesRequest: results
};
// Where their bytes go in a segment.
constexpr SegmentHalf HalfOf(FrameEnvelope envelope) {
  return envelope == FrameEnvelope::kTileFrames ? SegmentHalf::kInputs : SegmentHalf::kResults;
}

// A tile to be sent. The payload (both null: none) is shared with the transport until the last byte
// is out.
struct OutgoingTile {
  v1::TileHeader header;  // complete: payload_bytes and checksum are set by the sender of the tile
  std::shared_ptr<const std::vector<std::byte>> payload;
  std::shared_ptr<const SlottedPayload> slotted = nullptr;  // instead of `payload`
};

// Turns queued tiles into messages: big payloads in pieces of at most kFrameBytesMax, small tiles
// together.
class TileFrameWriter {
 public:
  explicit TileFrameWriter(FrameEnvelope envelope) : envelope_(envelope) {}

  // From now on pieces of at least kSlicedBytesMin bytes go through slots of the segment, as far as
  // they lie in them or there are free ones. nullptr: nothing does.
  void UseSegment(std::shared_ptr<Segment> segment);
  // Precondition: header.payload_bytes() is the size of the payload.
  void Push(OutgoingTile tile);
  bool empty() const { return tiles_.empty(); }
  // Bytes of queued payloads not yet handed out.
  int64_t pending_bytes() const { return pending_bytes_; }
  // The next message. Precondition: !empty(). Payload bytes are referenced, not copied, except very
  // small ones and those that are put into a slot.
  grpc::ByteBuffer Next();

 private:
  FrameEnvelope envelope_;
  std::unique_ptr<SlotWriter> slots_;  // null: all is inline
  std::deque<OutgoingTile> tiles_;
  int64_t pending_bytes_ = 0;
  // Payload bytes of tiles_.front() handed out. Invariant: 0 unless its header is out.
  int64_t offset_ = 0;
  bool header_sent_ = false;  // of tiles_.front()
};

// A tile that arrived whole.
struct IncomingTile {
  v1::TileHeader header;
  std::vector<std::byte> payload;
  bool intact = false;  // the payload has the header's checksum
};

struct TileFrameLimits {
  int64_t payload_bytes_max = int64_t{1} << 30;  // of one tile
  int message_tiles_max = 4096;                  // begun in one message
};

// Gathers frames into tiles.
class TileFrameReader {
 public:
  TileFrameReader(FrameEnvelope envelope, const TileFrameLimits& limits);
  ~TileFrameReader();
  TileFrameReader(const TileFrameReader&) = delete;
  TileFrameReader& operator=(const TileFrameReader&) = delete;

  // The sender may use slots of this segment. nullptr: it may not.
  void UseSegment(std::shared_ptr<Segment> segment) { segment_ = std::move(segment); }

  // Takes one message and appends the tiles it completes to `tiles`. INVALID_ARGUMENT for a
  // malformed message (a continuation without header, a header inside another tile, more bytes than
  // announced, fields of a frame out of order, a slice outside the segment), RESOURCE_EXHAUSTED
  // over a limit, FAILED_PRECONDITION for a slice without a segment, ABORTED for one that its
  // sender took back; the stream must then end, and Read must not be called again.
  absl::Status Read(const grpc::ByteBuffer& message, std::vector<IncomingTile>* tiles);
  // A tile has begun and is not complete.
  bool in_tile() const { return in_tile_; }
  // Fields other than frames that a message carried (worker, incarnation of SubmitTilesRequest), if
  // any; at most 1,024 bytes each.
  const std::string& worker() const { return worker_; }
  const std::string& incarnation() const { return incarnation_; }

 private:
  class Parser;

  absl::Status Begin(v1::TileHeader header);
  absl::Status Append(const std::byte* data, int64_t bytes);
  absl::Status AppendSlice(const v1::SegmentSlice& slice);
  void Finish(std::vector<IncomingTile>* tiles);

  FrameEnvelope envelope_;
  TileFrameLimits limits_;
  std::shared_ptr<Segment> segment_;  // may be null
  IncomingTile current_;
  std::unique_ptr<RunningChecksum> hash_;  // running, of big payloads only
  bool in_tile_ = false;
  std::string worker_;
  std::string incarnation_;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_PROTO_WIRE_TILE_FRAMES_H_
