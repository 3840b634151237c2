// Compresses one block of the output into the bytes of its TIFF tiles. Not thread-safe: one codec a
// thread, which keeps its buffers from block to block.

#ifndef TILEWRIGHT_COORDINATOR_IMAGE_BLOCK_CODEC_H_
#define TILEWRIGHT_COORDINATOR_IMAGE_BLOCK_CODEC_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "coordinator/image/output_format.h"
#include "coordinator/merge/canvas.h"

namespace tilewright {

// The tiles of a block, row by row, one after the other.
struct EncodedBlock {
  absl::Span<const std::byte> bytes;
  absl::Span<const int64_t> tile_bytes;  // of each tile
};

class BlockCodec {
 public:
  // Of `format` only the samples matter. Precondition: CheckEncoding is OK.
  BlockCodec(const CanvasFormat& format, const TiffEncoding& encoding);
  ~BlockCodec();

  // The tiles that a block of `block` pixels has; pixels beyond it repeat its last ones. Valid
  // until the next call, and only while `samples` are. INTERNAL if the compressor fails.
  absl::StatusOr<EncodedBlock> Encode(Size block, absl::Span<const std::byte> samples);

 private:
  struct Compressor;

  // Fills tile_ with `part` of the block, as the compressor takes it.
  void FillTile(Size block, absl::Span<const std::byte> samples, const Rect& part);
  void CopyRow(const std::byte* from, int64_t pixels, std::byte* to) const;
  // Appends what tile_ becomes to encoded_; tile_ is lost.
  absl::Status AppendTile();

  const CanvasFormat format_;
  const TiffEncoding encoding_;
  const bool predicts_;  // rows become differences here; for other codecs libtiff does it
  std::vector<std::byte> tile_;
  // The whole is bigger than a block's tiles can get; encoded_bytes_ of it are used.
  std::vector<std::byte> encoded_;
  size_t encoded_bytes_ = 0;
  std::vector<int64_t> tile_bytes_;
  std::unique_ptr<Compressor> compressor_;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_IMAGE_BLOCK_CODEC_H_
