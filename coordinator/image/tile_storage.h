// How a TIFF stores its tiles, and whether an output may take them as they are. Thread-safe: values
// and a function.

#ifndef TILEWRIGHT_COORDINATOR_IMAGE_TILE_STORAGE_H_
#define TILEWRIGHT_COORDINATOR_IMAGE_TILE_STORAGE_H_

#include <cstdint>

#include "coordinator/image/output_format.h"
#include "coordinator/merge/canvas.h"
#include "proto/blend/sample.h"

namespace tilewright {

// Of tiles that hold all channels of a pixel together, unpacked in the order of bytes of this
// machine, the first bit of a byte being its highest.
struct TileStorage {
  int64_t side = 0;  // of a square tile, pixels
  Compression compression = Compression::kNone;
  bool predictor = false;  // rows are stored as differences to the left
  int channels = 0;
  SampleType sample = SampleType::kU8;
  JpegLayout jpeg;  // of kJpeg
};

// Whether the tiles of an output that is encoded so can be exchanged for tiles stored so. Never
// those of kNone, which are not worth it.
bool StoresAlike(const TileStorage& storage, const CanvasFormat& format,
                 const TiffEncoding& encoding);

}  // namespace tilewright

#endif  // TILEWRIGHT_COORDINATOR_IMAGE_TILE_STORAGE_H_
