// Has libtiff encode tiles one by one into memory, for the codecs that are its own. Not
// thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_IMAGE_TILE_ENCODER_H_
#define TILEWRIGHT_COORDINATOR_IMAGE_TILE_ENCODER_H_

#include <cstddef>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "coordinator/image/output_format.h"
#include "coordinator/image/tiff_stream.h"

namespace tilewright {

class TileEncoder : private TiffStream {
 public:
  // `format.size` does not matter.
  TileEncoder(const CanvasFormat& format, const TiffEncoding& encoding);
  ~TileEncoder() override;

  // What a TIFF stores of a full tile (the predictor is applied here; a JPEG is complete but for
  // the kinds of tables that `encoding.jpeg` has for all tiles). Valid until the next call; `tile`
  // is overwritten. INTERNAL if libtiff fails.
  absl::StatusOr<absl::Span<const std::byte>> Encode(absl::Span<std::byte> tile);
  // The tables that the latest JPEG needs beside itself; empty: none.
  const std::vector<std::byte>& tables() const { return tables_; }

 private:
  int64_t ReadAt(void* data, int64_t size, int64_t offset) override;
  bool WriteAt(const void* data, int64_t size, int64_t offset) override;
  int64_t End() override { return static_cast<int64_t>(file_.size()); }

  CanvasFormat format_;  // of one tile
  const TiffEncoding encoding_;
  const int tables_mode_;  // of JPEG, libtiff's: which kinds of tables are not in tiles
  std::vector<std::byte> tables_;
  std::vector<std::byte> file_;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_IMAGE_TILE_ENCODER_H_
