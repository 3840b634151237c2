// Compresses one block of the output into the bytes of one TIFF tile. Not thread-safe: one codec a
// thread, which keeps its buffers from block to block.

#ifndef TILEWRIGHT_COORDINATOR_IMAGE_BLOCK_CODEC_H_
#define TILEWRIGHT_COORDINATOR_IMAGE_BLOCK_CODEC_H_

#include <cstddef>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "coordinator/image/output_file.h"
#include "coordinator/merge/canvas.h"

namespace tilewright {

// The TIFF predictor goes with integer samples: left differences make them compress, at hardly any
// cost.
bool UsesPredictor(Compression compression, SampleType sample);

class BlockCodec {
 public:
  // `compression` is not kLzw, which libtiff encodes by itself.
  BlockCodec(const CanvasFormat& format, Compression compression);
  ~BlockCodec();

  // The compressed tile of a block; valid until the next call. INTERNAL if the compressor fails.
  absl::StatusOr<absl::Span<const std::byte>> Encode(Size block,
                                                     absl::Span<const std::byte> samples);
  // A block of `block` pixels as a full tile: pixels beyond the image repeat its last ones. Valid
  // until the next call.
  absl::Span<std::byte> FullTile(Size block, absl::Span<const std::byte> samples);

 private:
  struct Compressor;

  const CanvasFormat format_;
  const Compression compression_;
  std::vector<std::byte> tile_;
  std::vector<std::byte> compressed_;
  std::unique_ptr<Compressor> compressor_;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_IMAGE_BLOCK_CODEC_H_
