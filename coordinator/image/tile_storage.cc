#include "coordinator/image/tile_storage.h"

namespace tilewright {

bool StoresAlike(const TileStorage& storage, const CanvasFormat& format,
                 const TiffEncoding& encoding) {
  return encoding.compression != Compression::kNone && encoding.compression != Compression::kJpeg &&
         storage.compression == encoding.compression && storage.side == encoding.tile_side &&
         storage.predictor == UsesPredictor(encoding.compression, format.sample) &&
         storage.channels == format.channels && storage.sample == format.sample;
}

}  // namespace tilewright
