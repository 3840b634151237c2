// Writes a tiled BigTIFF block by block in any order into an open file, through libtiff. Not
// thread-safe.

#ifndef TILEWRIGHT_COORDINATOR_IMAGE_TIFF_CANVAS_H_
#define TILEWRIGHT_COORDINATOR_IMAGE_TIFF_CANVAS_H_

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "coordinator/image/block_codec.h"
#include "coordinator/image/image_reader.h"
#include "coordinator/image/output_file.h"
#include "coordinator/merge/canvas.h"

namespace tilewright {

class TiffCanvas {
 public:
  // Writes the header. `fd`, an empty file open for reading and writing, must outlive the canvas
  // and stays the caller's; `path` names it in errors. RESOURCE_EXHAUSTED if the disk is full.
  static absl::StatusOr<std::unique_ptr<TiffCanvas>> Create(int fd, const std::string& path,
                                                            const CanvasFormat& format,
                                                            const ImageMetadata& metadata,
                                                            Compression compression);
  ~TiffCanvas();

  // `samples` as for BlockSink::WriteBlock.
  absl::Status WriteBlock(int64_t column, int64_t row, absl::Span<const std::byte> samples);
  // After the last block: writes the directory. Nothing may be written after it. Does not fsync.
  absl::Status Finish();

 private:
  struct Handle;

  TiffCanvas(std::unique_ptr<Handle> handle, const CanvasFormat& format, Compression compression);

  std::unique_ptr<Handle> handle_;
  const CanvasFormat format_;
  const Compression compression_;
  BlockCodec codec_;
};

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_IMAGE_TIFF_CANVAS_H_
